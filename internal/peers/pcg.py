"""The random numbers that explaind draws: Go's math/rand/v2 PCG (PCG-DXSM), and normals made of them by Box-Muller."""

import numpy as np

MASK = (1 << 64) - 1
MULTIPLIER = 2549297995355413924 << 64 | 4865540595714422341
INCREMENT = 6364136223846793005 << 64 | 1442695040888963407


def uniforms(seed, stream, count):
    """The first count numbers in 0…1 of NewPCG(seed, stream)."""
    state = (seed & MASK) << 64 | stream
    drawn = np.empty(count)
    for i in range(count):
        state = (state * MULTIPLIER + INCREMENT) & (MASK << 64 | MASK)
        high, low = state >> 64, state & MASK
        high ^= high >> 32
        high = high * 0xDA942042E4DD58B5 & MASK
        high ^= high >> 48
        high = high * (low | 1) & MASK
        drawn[i] = (high & (1 << 53) - 1) / 2**53
    return drawn


def normals(seed, stream, shape):
    """Normals of that shape, row by row, two of each pair of uniforms."""
    count = int(np.prod(shape))
    u1, u2 = uniforms(seed, stream, count + count % 2).reshape(-1, 2).T
    radius = np.sqrt(-2 * np.log1p(-u1))
    pairs = np.stack([radius * np.cos(2 * np.pi * u2), radius * np.sin(2 * np.pi * u2)], axis=1)
    return pairs.ravel()[:count].reshape(shape)
