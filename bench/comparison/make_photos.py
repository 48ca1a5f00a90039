"""Makes the pictures of the comparison: 120 views of six photos that come with scikit-image.

    python bench/comparison/make_photos.py --out DIR

Each view is a square of 50 to 100 % of the photo's shorter side at a random place, mirrored or not, turned by up to 10
degrees, 0.8 to 1.2 times as bright, of 256×256 pixels. The seed is fixed, so that everybody gets the same pictures.
"""

import argparse
import importlib.util
import pathlib

import numpy as np
from PIL import Image, ImageEnhance

PHOTOS = ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"]
VIEWS = 20
SIZE = 256
SEED = 2026


def data():
    """The folder of scikit-image's pictures, found without importing the package, whose dependencies are not needed."""
    return pathlib.Path(importlib.util.find_spec("skimage").origin).with_name("data")


def view(picture, rng):
    side = int(rng.uniform(0.5, 1) * min(picture.size))
    left, top = (int(rng.integers(0, length - side + 1)) for length in picture.size)
    out = picture.rotate(rng.uniform(-10, 10), Image.Resampling.BICUBIC, center=(left + side / 2, top + side / 2))
    out = out.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    if rng.random() < 0.5:
        out = out.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(out).enhance(rng.uniform(0.8, 1.2))


def main():
    parser = argparse.ArgumentParser(description="Makes the pictures of the comparison.")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    for name in PHOTOS:
        picture = Image.open(data() / name).convert("RGB")
        for i in range(VIEWS):
            view(picture, rng).save(out / f"{pathlib.Path(name).stem}_{i:02d}.png")
    print(f"{len(PHOTOS) * VIEWS} pictures in {out}")


if __name__ == "__main__":
    main()
