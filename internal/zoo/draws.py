"""The random numbers of Go's math/rand/v2: rand.NewPCG(seed, stream), a PCG-DXSM, in Python's integers."""

import functools
import math

import numpy as np

WORD = (1 << 64) - 1
MULTIPLIER = 2549297995355413924 << 64 | 4865540595714422341
INCREMENT = 6364136223846793005 << 64 | 1442695040888963407
CHEAP_MULTIPLIER = 0xDA942042E4DD58B5


class PCG:
    def __init__(self, seed, stream):
        self.state = (seed & WORD) << 64 | (stream & WORD)

    def uint64(self):
        self.state = (self.state * MULTIPLIER + INCREMENT) & ((1 << 128) - 1)
        high, low = self.state >> 64, self.state & WORD
        high ^= high >> 32
        high = high * CHEAP_MULTIPLIER & WORD
        high ^= high >> 48
        return high * (low | 1) & WORD

    def uniform(self):
        """A number of 0 ≤ u < 1: the low 53 bits."""
        return (self.uint64() & ((1 << 53) - 1)) / (1 << 53)


@functools.lru_cache(128)
def normals(seed, stream, shape):
    """Standard normal numbers by Box and Muller's method, two of two uniform ones, row-major."""
    generator, numbers = PCG(seed, stream), []
    for _ in range(-(-math.prod(shape) // 2)):
        radius = math.sqrt(-2 * math.log(1 - generator.uniform()))
        angle = 2 * math.pi * generator.uniform()
        numbers += [radius * math.cos(angle), radius * math.sin(angle)]
    return np.array(numbers[: math.prod(shape)]).reshape(shape)


def check():
    """Numbers that Go 1.26 printed."""
    known = {
        (0, 0): [4107282207882862730, 12464933722704884221, 6335497120186221275, 8128828598453185623],
        (7, 3): [14815518934105843905, 15758030716541696318, 5146084804008946700, 15531795616368152075],
        ((1 << 63) + 12345, 59): [
            14363090859635419023,
            5163129348267190019,
            16704271522054282123,
            426538937310588751,
        ],
    }
    for (seed, stream), numbers in known.items():
        generator = PCG(seed, stream)
        assert [generator.uint64() for _ in numbers] == numbers
    assert PCG(0, 0).uniform() == 0.99992758248028335
