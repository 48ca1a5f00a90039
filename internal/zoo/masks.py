"""The methods that cover parts of the image: question → map [H, W]."""

import math

import numpy as np

from draws import PCG
from pixels import baseline, upscale


def occlusion(q):
    """Zeiler and Fergus 2014: what a patch takes from the score, averaged over the patches that cover a pixel."""
    x = q.image
    height, width = x.shape[:2]
    patch = q.option("occlusion", "patch", max(1, round(min(height, width) / 7)))
    stride = q.option("occlusion", "stride", max(1, patch // 2))
    nothing = baseline(x.astype(np.float64), q.option("occlusion", "baseline", "")).astype(np.float32)
    windows = []
    for top in starts(height, patch, stride):
        for left in starts(width, patch, stride):
            covered = np.zeros((height, width), bool)
            covered[top : top + patch, left : left + patch] = True
            windows.append(covered)
    windows = np.stack(windows)
    before = q.score(x[None])
    values = before - q.score(np.where(windows[..., None], nothing, x))
    return np.einsum("n,nij->ij", values, windows) / windows.sum(axis=0)


def starts(size, patch, stride):
    """Where patches begin, so that all are whole and the border is covered."""
    return [*range(0, size - patch, stride), size - patch]


def rise(q):
    """Petsiuk et al. 2018."""
    x = q.image
    keep = q.option("rise", "keep", 0.5)
    masks = np.stack([rise_mask(q, i, keep) for i in range(q.option("rise", "masks", 4000))])
    seen = q.network.scores(x * masks[..., None], q.target.of_probability())
    return np.einsum("n,nij->ij", seen, masks) / (len(masks) * keep)


def rise_mask(q, number, keep):
    height, width = q.image.shape[:2]
    cells = q.option("rise", "grid", 7)
    tall, wide = math.ceil(height / cells), math.ceil(width / cells)
    generator = PCG(q.seed, number)
    grid = np.array([[generator.uniform() < keep for _ in range(cells)] for _ in range(cells)], float)
    mask = upscale(grid, (cells + 1) * tall, (cells + 1) * wide)
    top, left = int(generator.uniform() * tall), int(generator.uniform() * wide)
    return mask[top : top + height, left : left + width]
