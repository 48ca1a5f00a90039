"""Arithmetic on small arrays that several methods share."""

import numpy as np

from network import relu

LEAST_DENOMINATOR = 1e-3  # of α; below it, α is taken as 0


def map_of(weighted, options, rectified=True):
    """The sum over the channels of w·A [h, w, K], or with eigen_smooth its first principal component."""
    flat = weighted.reshape(-1, weighted.shape[2])
    made = principal(flat - flat.mean(axis=0)) if options.get("eigen_smooth") else flat.sum(axis=1)
    made = made.reshape(weighted.shape[:2])
    return relu(made) if rectified else made


def principal(matrix):
    """The projection on the first right singular vector, its largest magnitude positive."""
    projection = matrix @ np.linalg.svd(matrix, full_matrices=False)[2][0]
    return -projection if -projection.min() > projection.max() else projection


def resize(values, height, width):
    """Bilinear, half-pixel centres, edges clamped: [h, w] or [h, w, K]."""
    for axis, size in ((0, height), (1, width)):
        have = values.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * have / size - 0.5, 0, have - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        high = np.minimum(low + 1, have - 1)
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values


def corner_zoom(values, height, width):
    """Bilinear as well, but with the corners of the map on those of the picture: what several libraries do."""
    for axis, size in ((0, height), (1, width)):
        at = np.linspace(0, values.shape[axis] - 1, size)
        low = np.minimum(at.astype(int), values.shape[axis] - 2)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        values = values.take(low, axis) * (1 - share) + values.take(low + 1, axis) * share
    return values


def blur(x):
    """An 11×11 Gaussian of σ 5, edges replicated."""
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(x, [(5, 5) if i == axis else (0, 0) for i in range(x.ndim)], mode="edge")
        x = np.lib.stride_tricks.sliding_window_view(padded, 11, axis=axis) @ kernel
    return x
