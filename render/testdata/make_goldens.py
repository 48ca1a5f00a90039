"""Writes goldens.json: small maps and what TensorFlow and SciPy make of them at other sizes.

Of large results a grid of rows and columns is kept. Run with the versions of requirements.txt:
python render/testdata/make_goldens.py
"""

import json
import pathlib

import numpy as np
import scipy.ndimage
import tensorflow as tf

SEED = 4
KEPT = 24  # rows and columns of a large result

# Height and width of the map, then of the result.
SIZES = [
    (14, 14, 224, 224),
    (7, 7, 224, 224),
    (10, 10, 300, 300),
    (7, 13, 225, 301),
    (5, 3, 37, 64),
    (1, 6, 9, 20),
    (6, 1, 20, 9),
    (1, 1, 3, 4),
    (2, 2, 5, 7),
    (2, 3, 11, 4),
    (3, 3, 3, 3),
    (4, 5, 4, 9),
    (6, 6, 1, 1),
    (6, 5, 1, 13),
    (6, 5, 13, 1),
    (14, 14, 6, 4),
    (60, 45, 14, 11),
    (40, 1, 7, 1),
    (9, 1, 2, 1),
]

# The map, the rectangle x0, y0, x1, y1, and the result it is put into.
RECTANGLES = [
    (7, 7, (40, 0, 140, 100), 100, 180),  # a centre crop
    (5, 4, (3, 2, 12, 30), 40, 20),
    (6, 6, (-7, -5, 25, 29), 24, 21),  # reaches outside on all sides
    (3, 8, (10, 4, 31, 9), 12, 20),  # on one side
]


def bilinear(values, height, width):
    return tf.image.resize(values[..., None], (height, width), "bilinear", antialias=False).numpy()[..., 0]


def cubic_spline(values, height, width):
    zoom = (height / values.shape[0], width / values.shape[1])
    out = scipy.ndimage.zoom(values.astype(np.float64), zoom, order=3, mode="mirror", grid_mode=False)
    assert out.shape == (height, width)
    return out


def embedded(grown, rectangle, height, width):
    x0, y0, x1, y1 = rectangle
    out = np.zeros((height, width), grown.dtype)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    out[top:bottom, left:right] = grown[top - y0 : bottom - y0, left - x0 : right - x0]
    return out


def kept(n):
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, KEPT))})


def number(x):
    return float(f"{x:.9g}")


def case(values, rectangle, height, width):
    x0, y0, x1, y1 = rectangle
    rows, columns = kept(height), kept(width)
    results = {
        name: embedded(grow(values, y1 - y0, x1 - x0), rectangle, height, width)[np.ix_(rows, columns)]
        for name, grow in (("bilinear", bilinear), ("cubic_spline", cubic_spline))
    }
    return {
        "map_height": values.shape[0],
        "map_width": values.shape[1],
        "map": [number(v) for v in values.ravel()],
        "rectangle": rectangle,
        "height": height,
        "width": width,
        "rows": rows,
        "columns": columns,
        **{name: [number(v) for v in result.ravel()] for name, result in results.items()},
    }


rng = np.random.default_rng(SEED)


def random_map(height, width):
    return rng.normal(size=(height, width)).astype(np.float32)


cases = [case(random_map(h, w), (0, 0, width, height), height, width) for h, w, height, width in SIZES]
cases += [case(random_map(h, w), rectangle, height, width) for h, w, rectangle, height, width in RECTANGLES]

path = pathlib.Path(__file__).with_name("goldens.json")
path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
