"""Writes goldens.json: small evidence and the maps that each method makes of it.

The formulas are written here a second time, in NumPy float64 and in the papers' own form (with squares and cubes), so
that the two sides share no code and no algebra. Run: python explain/testdata/make_goldens.py
"""

import json
import pathlib

import numpy as np

SEED = 9  # no map of this seed is flat or all zero
LEAST_DENOMINATOR = 1e-3  # as gradcamplusplus.go documents it


def relu(x):
    return np.maximum(x, 0.0)


def combine(weights, a):
    return np.einsum("k,ijk->ij", weights, a)


def cam(a, class_weights):
    return combine(class_weights, a)


def grad_cam(a, g):
    return relu(combine(g.mean(axis=(0, 1)), a))


def grad_cam_plus_plus(a, g):
    numerator = g**2
    denominator = 2 * g**2 + a.sum(axis=(0, 1)) * g**3
    # per g²: the guard is on 2 + ΣA·g
    usable = (g > 0) & (denominator >= LEAST_DENOMINATOR * g**2)
    alpha = np.where(usable, numerator / np.where(usable, denominator, 1.0), 0.0)
    return relu(combine((alpha * relu(g)).sum(axis=(0, 1)), a))


def article_cam(a, kernel):
    return combine(kernel[0].mean(axis=(0, 1)), a)


def article_grad_cam_plus_plus(a, g, probability):
    first = np.exp(probability) * g
    second = np.exp(probability) * g**2
    third = np.exp(probability) * g**3
    denominator = 2.0 * second + third * a.sum(axis=(0, 1))
    denominator = np.where(denominator != 0.0, denominator, 1.0)
    alpha = second / denominator
    total = alpha.sum(axis=(0, 1))
    zero = total == 0
    alpha = alpha / np.where(zero, 1.0, total)
    weights = (np.maximum(first, 0.0) * alpha).sum(axis=(0, 1))
    weights = np.where(zero, 0.0, weights)
    return relu(combine(weights, a)), bool(zero.any())


def case(name, rng, shape, activation, scale, kernel_shape, dead_channel=False):
    h, w, c = shape
    z = rng.normal(0.3, 1.0, shape)
    a = {"relu": relu(z), "swish": z / (1 + np.exp(-3 * z)) - 0.1, "linear": z - 0.6}[activation].astype(np.float32)
    g = (scale * rng.normal(0.1, 1.0, shape)).astype(np.float32)
    if dead_channel:
        g[:, :, 1] = 0
    class_weights = rng.normal(0, 1, c).astype(np.float32)
    kernel = rng.normal(0, 0.1, (*kernel_shape, c)).astype(np.float32)
    probability = np.float32(rng.uniform(0.05, 0.95))

    a64, g64, w64, k64 = (x.astype(np.float64) for x in (a, g, class_weights, kernel))
    plus, zero_alpha = article_grad_cam_plus_plus(a64, g64, np.float64(probability))
    maps = {
        "cam": cam(a64, w64),
        "grad_cam": grad_cam(a64, g64),
        "grad_cam_plus_plus": grad_cam_plus_plus(a64, g64),
        "article_cam": article_cam(a64, k64),
        "article_grad_cam": grad_cam(a64, g64),
        "article_grad_cam_plus_plus": plus,
    }
    for method, m in maps.items():
        assert m.max() > 0 and (m.size == 1 or np.ptp(m) > 0), (name, method, "degenerate map")
    return {
        "name": name,
        "shape": shape,
        "activations": floats(a),
        "gradients": floats(g),
        "class_weights": floats(class_weights),
        "kernel_shape": [*kernel_shape, c],
        "kernel": floats(kernel),
        "probability": float(probability),
        "zero_alpha_channel": zero_alpha,
        "maps": {method: [float(f"{v:.10g}") for v in m.ravel()] for method, m in maps.items()},
    }


def floats(x):
    """Shortest decimals that give the same float32 back."""
    return [float(str(v)) for v in x.ravel()]


def main():
    rng = np.random.default_rng(SEED)
    cases = [
        case("relu activations, logit-sized gradients", rng, (5, 4, 6), "relu", 0.05, (3, 3, 2)),
        case("tiny gradients, as of a saturated probability", rng, (4, 4, 5), "relu", 1e-12, (3, 3, 2)),
        case("a channel without gradient", rng, (3, 5, 7), "relu", 0.2, (1, 1, 4), dead_channel=True),
        case("swish activations", rng, (4, 5, 9), "swish", 0.3, (3, 2, 2)),
        case("negative sums, poles of alpha", rng, (5, 5, 8), "linear", 0.5, (3, 3, 1)),
        case("one position", rng, (1, 1, 13), "relu", 1.0, (5, 5, 1)),
    ]
    lines = ",\n".join(json.dumps(c) for c in cases)
    pathlib.Path(__file__).with_name("goldens.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
