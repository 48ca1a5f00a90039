"""What is done to images and maps, in float64: growing, blurring, stretching, and the images that show nothing."""

import numpy as np
from scipy import ndimage


def upscale(m, height, width):
    """Map [h, w] to [height, width], bilinearly, with half-pixel centres and clamped edges."""
    return interpolation(m.shape[0], height) @ m @ interpolation(m.shape[1], width).T


def interpolation(few, many):
    """Matrix [many, few] of the weights of few samples in many."""
    at = np.clip((np.arange(many) + 0.5) * few / many - 0.5, 0, few - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(few)))


def stretch(m):
    """The map stretched to 0…1; zeros if it is flat."""
    low, high = m.min(), m.max()
    return (m - low) / (high - low) if high > low else np.zeros_like(m)


def blur(x):
    """Image [H, W, C] under an 11×11 Gaussian of σ = 5, its edges replicated."""
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    kernel /= kernel.sum()
    for axis in (0, 1):
        x = ndimage.correlate1d(x, kernel, axis=axis, mode="nearest")
    return x


def baseline(x, kind):
    """The image that shows nothing. kind is the protocol's name, "" the default."""
    if kind in ("", "BASELINE_ZERO"):
        return np.zeros_like(x)
    if kind == "BASELINE_MEAN":
        return np.broadcast_to(x.mean(axis=(0, 1)), x.shape)
    assert kind == "BASELINE_BLUR", kind
    return blur(x)
