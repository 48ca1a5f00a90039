"""The bundled photos, as files and as pixels."""

import functools
import pathlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "photos"


@functools.cache
def photos():
    """RGB pixels [height, width, 3] of every photo, in the order of their names."""
    files = sorted(p for p in FOLDER.iterdir() if p.suffix in (".jpg", ".png"))
    return [np.asarray(Image.open(f).convert("RGB")) for f in files]
