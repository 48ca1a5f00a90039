"""Made-up pictures with the statistics that matter: smooth areas, edges and a few objects, so that maps have shape."""

import numpy as np
from scipy import ndimage


def pictures(rng, count, height, width, channels=3):
    """Pictures [count, height, width, channels], float32 in 0…1."""
    return np.stack([picture(rng, height, width, channels) for _ in range(count)]).astype(np.float32)


def picture(rng, height, width, channels):
    image = sum(
        weight * smooth_noise(rng, height, width, channels, sigma)
        for sigma, weight in ((height / 6, 0.5), (height / 20, 0.25), (1.5, 0.15))
    )
    image = rng.uniform(0.2, 0.8, channels) + rng.uniform(0.15, 0.5) * image
    y, x = np.mgrid[0:height, 0:width]
    for _ in range(rng.integers(2, 6)):
        cy, cx = rng.uniform(0.1, 0.9, 2) * (height, width)
        ry, rx = rng.uniform(0.06, 0.28, 2) * (height, width)
        if rng.random() < 0.5:
            inside = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        else:
            inside = (abs(y - cy) < ry) & (abs(x - cx) < rx)
        texture = 0.15 * smooth_noise(rng, height, width, 1, rng.uniform(0.7, 3))
        image = np.where(inside[..., None], rng.uniform(0, 1, channels) + texture, image)
    return np.clip(image, 0, 1)


def smooth_noise(rng, height, width, channels, sigma):
    noise = ndimage.gaussian_filter(rng.normal(size=(height, width, channels)), (sigma, sigma, 0), mode="wrap")
    return noise / noise.std()
