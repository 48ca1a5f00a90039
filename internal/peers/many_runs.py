"""explaind's methods that ask the model many times, in NumPy. ours.py has the others, and the way in."""

import numpy as np

import pcg
from arithmetic import LEAST_DENOMINATOR, blur, map_of, resize
from network import relu


def noise(q, options):
    """[samples, H, W, C], float32."""
    settings = options.get("noise", {})
    level = np.float32(settings.get("level", 0.15)).astype(np.float64) * np.ptp(q.x)
    seed = options.get("seed", 0)
    return np.stack([level * pcg.normals(seed, i, q.x.shape) for i in range(settings.get("samples", 50))]).astype(
        np.float32
    )


def smooth_grad(q, options):
    gradients = q.gradients(q.x + noise(q, options))
    statistic = options.get("noise", {}).get("statistic", "NOISE_STATISTIC_MEAN")
    of = {"MEAN": np.mean, "VARIANCE": np.var, "SQUARE": lambda g, axis: (g**2).mean(axis=axis)}
    return abs(of[statistic.removeprefix("NOISE_STATISTIC_")](gradients, axis=0)).max(axis=2)


def smooth_grad_cam_plus_plus(q, options):
    gradients = q.gradients(q.x + noise(q, options), q.layer)
    d1, d2, d3 = ((gradients**power).mean(axis=0) for power in (1, 2, 3))
    denominator = 2 * d2 + q.a.sum(axis=(0, 1)) * d3
    usable = (d2 != 0) & (denominator >= LEAST_DENOMINATOR * d2)
    alpha = np.where(usable, d2 / np.where(usable, denominator, 1), 0)
    return map_of((alpha * relu(d1)).sum(axis=(0, 1)) * q.a, options)


def baseline(x, settings):
    name = settings.get("baseline", "BASELINE_ZERO")
    if name == "BASELINE_MEAN":
        return np.broadcast_to(x.mean(axis=(0, 1)), x.shape)
    return blur(x) if name == "BASELINE_BLUR" else np.zeros_like(x)


def integrated_gradients(q, options):
    settings = options.get("integrated_gradients", {})
    steps, start = settings.get("steps", 50), baseline(q.x, settings)
    t = np.linspace(0, 1, steps + 1)[:, None, None, None]
    gradients = q.gradients(start + t * (q.x - start))
    return ((q.x - start) * (gradients[1:] + gradients[:-1]).mean(axis=0) / 2).sum(axis=2)


def score_cam(q, options):
    settings = options.get("score_cam", {})
    up = resize(q.a, *q.x.shape[:2])
    span = np.ptp(up, axis=(0, 1))
    kept = np.flatnonzero(span)
    if most := settings.get("max_channels"):
        widest = np.argsort(-q.a.std(axis=(0, 1)), kind="stable")[:most]
        kept = np.array([k for k in kept if k in widest])
    masks = ((up - up.min(axis=(0, 1)))[:, :, kept] / span[kept]).transpose(2, 0, 1)[..., None]
    if settings.get("form") == "SCORE_CAM_FORM_OFFICIAL_CODE":
        alpha = q.probabilities(q.x * masks)
    else:
        scores = q.scores(q.x * masks)
        alpha = np.exp(scores - scores.max())
        alpha /= alpha.sum()
    return map_of(alpha * q.a[:, :, kept], options)


def ablation_cam(q, options):
    channels = q.a.shape[2]
    ablated = q.a * (1 - np.eye(channels))[:, None, None, :]
    score = q.scores(q.x[None])[0]
    return map_of((score - q.scores(ablated, q.layer)) / (abs(score) or 1) * q.a, options)


def occlusion(q, options):
    settings = options.get("occlusion", {})
    height, width = q.x.shape[:2]
    patch = settings.get("patch") or max(1, round(min(height, width) / 7))
    stride = settings.get("stride") or max(1, patch // 2)
    fill = baseline(q.x, settings)
    places = [(y, x) for y in starts(height, patch, stride) for x in starts(width, patch, stride)]
    covered = np.repeat(q.x[None], len(places), axis=0)
    for image, (y, x) in zip(covered, places):
        image[y : y + patch, x : x + patch] = fill[y : y + patch, x : x + patch]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for (y, x), value in zip(places, q.scores(q.x[None])[0] - q.scores(covered)):
        total[y : y + patch, x : x + patch] += value
        count[y : y + patch, x : x + patch] += 1
    return total / count


def starts(length, patch, stride):
    """Where windows start so that all are whole and the last pixel is covered."""
    return [*range(0, length - patch, stride), length - patch]


def rise_masks(q, options):
    """[N, H, W]."""
    settings = options.get("rise", {})
    grid, keep = settings.get("grid", 7), settings.get("keep", 0.5)
    height, width = q.x.shape[:2]
    cell_height, cell_width = -(-height // grid), -(-width // grid)
    made = []
    for i in range(settings.get("masks", 4000)):
        *cells, down, right = pcg.uniforms(options.get("seed", 0), i, grid * grid + 2)
        small = (np.array(cells) < keep).astype(np.float64).reshape(grid, grid)
        y, x = int(down * cell_height), int(right * cell_width)
        large = resize(small, (grid + 1) * cell_height, (grid + 1) * cell_width)
        made.append(large[y : y + height, x : x + width])
    return np.stack(made)


def rise(q, options):
    masks = rise_masks(q, options)
    probabilities = np.concatenate(
        [q.probabilities(q.x * part[..., None]) for part in np.array_split(masks, -(-len(masks) // 256))]
    )
    return np.tensordot(probabilities, masks, 1) / (len(masks) * options.get("rise", {}).get("keep", 0.5))
