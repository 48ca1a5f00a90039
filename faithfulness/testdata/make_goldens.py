"""Writes goldens.json: small pictures with maps, and what a tiny model makes of them when pixels are removed.

Everything is written here a second time, in NumPy float64 and SciPy's direct solver, and with the random numbers of Go's
math/rand/v2 in Python's integers, so that the two sides share no code. Run: python faithfulness/testdata/make_goldens.py
"""

import json
import math
import pathlib

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import linalg

SEED = 5
CLASSES = 4
STEPS = 20
SHARES = (20, 40, 60, 80)
WORD = (1 << 64) - 1


# The model: each class looks at the picture through a wave of its own. golden_test.go has it too.
def probabilities(picture, scale):
    values = picture.astype(np.float64).ravel() / scale
    places = np.arange(values.size)
    waves = [np.cos(0.9 * k + 0.37 * (k + 1) * places) for k in range(CLASSES)]
    logits = np.array([2 * (wave @ values) / math.sqrt(values.size) for wave in waves])
    e = np.exp(logits - logits.max())
    return e / e.sum()


def uniforms(seed, stream):
    """PCG-DXSM with Go's constants; the low 53 bits of each number."""
    multiplier = 2549297995355413924 << 64 | 4865540595714422341
    increment = 6364136223846793005 << 64 | 1442695040888963407
    state = seed << 64 | stream
    while True:
        state = (state * multiplier + increment) & ((1 << 128) - 1)
        high, low = state >> 64, state & WORD
        high = (high ^ high >> 32) * 0xDA942042E4DD58B5 & WORD
        high = (high ^ high >> 48) * (low | 1) & WORD
        yield (high & ((1 << 53) - 1)) / (1 << 53)


def normals(n, sigma, seed, stream):
    numbers, out = uniforms(seed, stream), []
    while len(out) < n:
        u1, u2 = next(numbers), next(numbers)
        r = math.sqrt(-2 * math.log(1 - u1))
        out += [r * math.cos(2 * math.pi * u2), r * math.sin(2 * math.pi * u2)]
    return (sigma * np.array(out[:n])).astype(np.float32)


def impute(picture, removed):
    """Each removed pixel is the weighted mean of its neighbours, as one equation u_i − Σ w u_j / Σ w = 0 each."""
    height, width, channels = picture.shape
    if len(removed) == height * width:
        return np.broadcast_to(picture.astype(np.float64).mean(axis=(0, 1)), picture.shape)
    number = {int(i): row for row, i in enumerate(removed)}
    system, right = sparse.lil_matrix((len(number), len(number))), np.zeros((len(number), channels))
    for i, row in number.items():
        y, x = divmod(i, width)
        around = {
            (y + dy) * width + x + dx: 1 / 6 if dy == 0 or dx == 0 else 1 / 12
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if (dy or dx) and 0 <= y + dy < height and 0 <= x + dx < width
        }
        total = sum(around.values())
        system[row, row] = 1
        for j, weight in around.items():
            if j in number:
                system[row, number[j]] = -weight / total
            else:
                right[row] += weight / total * picture[divmod(j, width)]
    out = picture.astype(np.float64)
    if number:
        solution = np.asarray(linalg.spsolve(system.tocsc(), right)).reshape(right.shape)
        out.reshape(-1, channels)[list(number)] = solution
    return out


def ranked(relevance):
    m = relevance.astype(np.float64)
    order = np.argsort(-m.ravel(), kind="stable")
    spread = m.max() - m.min()
    return (m - m.min()) / spread if spread > 0 else np.zeros_like(m), order


def part(n, share, whole):
    return math.floor(n * share / whole + 0.5)


def removal(picture, removed, noise):
    out = picture.copy()
    flat, filled = out.reshape(-1, picture.shape[2]), impute(picture, removed).astype(np.float32)
    flat[removed] = filled.reshape(flat.shape)[removed] + noise.reshape(flat.shape)[removed]
    return out


def report(picture, blurred, relevance, seed):
    n, scale = relevance.size, picture.std(dtype=np.float64)
    target = int(probabilities(picture, scale).argmax())

    def ask(p):
        assert p.dtype == np.float32
        return float(probabilities(p, scale)[target])

    def chosen(pixels):
        mask = np.zeros(n, bool)
        mask[pixels] = True
        return mask.reshape(*relevance.shape, 1)

    m, order = ranked(relevance)
    y, o = ask(picture), ask((picture * m[..., None]).astype(np.float32))
    counts = [part(n, i, STEPS) for i in range(STEPS + 1)]
    deletion = [ask(np.where(chosen(order[:k]), np.float32(0), picture)) for k in counts]
    insertion = [ask(np.where(chosen(order[:k]), picture, blurred)) for k in counts]
    road = []
    for share in SHARES:
        k = part(n, share, 100)
        noise = normals(picture.size, 0.01 * scale, seed, share)
        least, most = removal(picture, order[n - k :], noise), removal(picture, order[:k], noise)
        road.append((ask(least) - ask(most)) / 2)
    return {
        "class": target,
        "scale": float(scale),
        "probability": y,
        "masked_probability": o,
        "average_drop": max(0, y - o) / y,
        "increase": o > y,
        "average_gain": max(0, o - y) / (1 - y),
        "deletion": np.trapezoid(deletion) / STEPS,
        "insertion": np.trapezoid(insertion) / STEPS,
        "road": float(np.mean(road)),
        "deletion_curve": deletion,
        "insertion_curve": insertion,
    }


def photo(rng, shape):
    """Smooth, with some grain, as photos are."""
    x = ndimage.gaussian_filter(rng.normal(size=shape), (1.5, 1.5, 0), mode="nearest")
    return (x / max(x.std(), 1e-3) + 0.3 * rng.normal(size=shape)).astype(np.float32)


def coarse(rng, shape):
    """A map as a layer of a few positions gives it, of both signs."""
    return ndimage.zoom(rng.normal(size=(4, 4)), np.divide(shape, 4), order=1)[: shape[0], : shape[1]].astype(
        np.float32
    )


def blur(x):
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    for axis in (0, 1):
        x = ndimage.correlate1d(x.astype(np.float64), kernel / kernel.sum(), axis, mode="nearest")
    return x.astype(np.float32)


def case(name, rng, seed, picture, relevance):
    result = report(picture, blur(picture), relevance, seed)
    return {
        "name": name,
        "shape": picture.shape,
        "seed": seed,
        "picture": floats(picture),
        "blurred": floats(blur(picture)),
        "relevance": floats(relevance),
        **{key: rounded(value) for key, value in result.items()},
    }


def measured(rng):
    cases = [
        case("photo", rng, 7, photo(rng, (12, 10, 3)), coarse(rng, (12, 10))),
        case("grey with ties", rng, 0, photo(rng, (9, 7, 1)), np.round(2 * coarse(rng, (9, 7)))),
        case("one row", rng, 1, photo(rng, (1, 11, 2)), rng.random((1, 11), np.float32)),
        case("one column", rng, 2, photo(rng, (13, 1, 3)), rng.random((13, 1), np.float32)),
        case("two pixels", rng, 3, photo(rng, (1, 2, 1)), rng.random((1, 2), np.float32)),
        case("one pixel", rng, 4, photo(rng, (1, 1, 3)), np.ones((1, 1), np.float32)),
        case("flat map", rng, 5, photo(rng, (6, 5, 2)), np.full((6, 5), 0.25, np.float32)),
        case("seven channels", rng, WORD, photo(rng, (5, 6, 7)), coarse(rng, (5, 6))),
        case("bytes", rng, 8, np.round(128 + 50 * photo(rng, (8, 9, 3))), coarse(rng, (8, 9))),
        case("large", rng, 9, photo(rng, (23, 18, 3)), coarse(rng, (23, 18))),
    ]
    assert {c["increase"] for c in cases} == {True, False}, "one branch of confidence is not tested"
    assert sum(abs(c["road"]) > 0.01 for c in cases) >= 5, "ROAD would pass as zero"
    return cases


def imputed(rng):
    large = coarse(rng, (31, 37)).ravel()
    ring = np.zeros((9, 12), bool)
    ring[[0, 1, -1]] = ring[:, [0, -1]] = True
    for name, shape, removed in (
        ("most of it in one piece", (31, 37, 2), np.argsort(-large)[: part(large.size, 80, 100)]),
        ("half of it here and there", (16, 17, 3), rng.permutation(16 * 17)[:136]),
        ("the border", (9, 12, 1), np.flatnonzero(ring)),
        ("all but one", (6, 7, 2), np.delete(np.arange(42), 17)),
        ("a row's end", (1, 30, 1), np.arange(11, 30)),
        ("three rows", (3, 40, 1), np.arange(20, 110)),
        ("nothing", (3, 3, 2), np.arange(0)),
        ("all of it", (4, 5, 3), np.arange(20)),
    ):
        picture = photo(rng, shape)
        yield {
            "name": name,
            "shape": shape,
            "picture": floats(picture),
            "removed": removed.tolist(),
            "imputed": [rounded(v) for v in impute(picture, removed).ravel()],
        }


def noise():
    for n, sigma, seed, stream in ((9, 1.0, 0, 0), (6, 0.01, 7, 20), (4, 3.0, WORD, 80)):
        yield {"seed": seed, "stream": stream, "sigma": sigma, "values": floats(normals(n, sigma, seed, stream))}


def floats(x):
    """Shortest decimals that give the same float32 back."""
    return [float(str(v)) for v in x.astype(np.float32).ravel()]


def rounded(value):
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def main():
    rng = np.random.default_rng(SEED)
    parts = {"noise": noise(), "imputed": imputed(rng), "measured": measured(rng)}
    lines = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]" for name, cases in parts.items()
    )
    pathlib.Path(__file__).with_name("goldens.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
