"""How much the model's answer depends on what a map says is relevant, always by the probability of the class."""

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from network import Target
from pixels import blur, stretch, upscale

STEPS = 20
QUANTILES = (20, 40, 60, 80)  # percent of the pixels that ROAD imputes
DRAWS = 8  # of ROAD's noise, for its mean and spread


def measure(q, m):
    """{name: value} for the map m of question q. road is the mean over DRAWS of its noise, road_spread their standard
    deviation."""
    m = stretch(upscale(m, *q.image.shape[:2]))
    x = q.image.astype(np.float64)
    order = np.argsort(-m.ravel(), kind="stable")
    before, masked = probability(q, np.stack([x, x * m[..., None]]))
    roads = road(q, x, order)
    return {
        "average_drop": max(0, before - masked) / before,
        "increase": bool(masked > before),
        "average_gain": max(0, masked - before) / (1 - before),
        "masked_probability": masked,
        "deletion_auc": area(q, order, from_image=x, into=np.zeros_like(x)),
        "insertion_auc": area(q, order, from_image=blur(x), into=x),
        "road": np.mean(roads),
        "road_spread": np.std(roads),
    }


def steady(measured, others):
    """Tells whether the measures survive rounding errors, others being those of nudged images."""
    return abs(measured["average_drop"] - measured["average_gain"]) > 1e-3 and all(
        abs(measured[name] - other[name]) < 1e-4 for other in others for name in measured
    )


def probability(q, images):
    return q.network.scores(images, Target(q.target.index, score="probability"))


def area(q, order, from_image, into):
    """Area below the probability while pixels, in their order, change from one image into the other."""
    counts = [round(i * len(order) / STEPS) for i in range(STEPS + 1)]
    images = [np.where(among(order[:n], into.shape), into, from_image) for n in counts]
    return np.trapezoid(probability(q, np.stack(images))) / STEPS


def among(chosen, shape):
    mask = np.zeros(shape[0] * shape[1], bool)
    mask[chosen] = True
    return mask.reshape(shape[0], shape[1], 1)


def road(q, x, order):
    """Rong et al. 2022, [DRAWS]: the least relevant pixels imputed, less the most relevant ones imputed."""
    rng, total = np.random.default_rng(0), 0.0
    for quantile in QUANTILES:
        n = round(quantile / 100 * len(order))
        least, most = (probability(q, imputed(x, among(chosen, x.shape), rng)) for chosen in (order[-n:], order[:n]))
        total = total + (least - most) / 2
    return total / len(QUANTILES)


def imputed(x, unknown, rng):
    """[DRAWS, H, W, C]: every unknown pixel is the weighted mean of its neighbours, all at once, plus a little noise."""
    noise = 0.01 * x.std() * rng.normal(size=(DRAWS, *x.shape))
    return np.where(unknown, smoothest(x, unknown[..., 0]) + noise, x)


def smoothest(x, unknown):
    height, width, channels = x.shape
    number = np.full((height, width), -1)
    places = np.argwhere(unknown)
    number[unknown] = np.arange(len(places))
    system = sparse.lil_matrix((len(places), len(places)))
    known = np.zeros((len(places), channels))
    for row, (i, j) in enumerate(places):
        around = [
            (i + di, j + dj, 1 / 6 if 0 in (di, dj) else 1 / 12)
            for di in (-1, 0, 1)
            for dj in (-1, 0, 1)
            if (di, dj) != (0, 0) and 0 <= i + di < height and 0 <= j + dj < width
        ]
        system[row, row] = 1
        total = sum(weight for _, _, weight in around)
        for y, z, weight in around:
            if unknown[y, z]:
                system[row, number[y, z]] = -weight / total
            else:
                known[row] += weight / total * x[y, z]
    out = x.copy()
    out[unknown] = linalg.spsolve(system.tocsc(), known).reshape(known.shape)
    return out
