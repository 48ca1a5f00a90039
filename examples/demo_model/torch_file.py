"""Reads the tensors of a PyTorch file of the format before 1.6, without PyTorch.

Such a file is a row of pickles (a magic number, the version of the format, facts about the machine, the tensors, the keys
of the storages), followed by the storages themselves: each its number of elements, then the elements. A pickle can run
any code, so the unpickler here knows the four names that tensors need and refuses every other.
"""

import collections
import pickle
import struct

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
FORMAT = 1001

STORAGES = {
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class Storage:
    """A flat run of numbers, filled in once the pickles are read; tensors are views of it."""

    def __init__(self, dtype, size):
        self.dtype, self.size, self.data = dtype, size, None


class Tensor:
    """Where a tensor lies in its storage; offset and strides count elements."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        strides = [s * self.storage.dtype.itemsize for s in self.strides]
        return np.ndarray(
            self.shape, self.storage.dtype, self.storage.data, self.offset * self.storage.dtype.itemsize, strides
        ).copy()


class Unpickler(pickle.Unpickler):
    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return Tensor
        if (module, name) in STORAGES:
            return STORAGES[module, name]
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which no tensor needs")

    def persistent_load(self, pid):
        kind, dtype, key, _device, size, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"the file holds {pid!r}, which is not understood")
        return self.storages.setdefault(key, Storage(dtype, size))


def read(file):
    """Returns the tensors of an open file as a dict of name → array."""
    if Unpickler(file).load() != MAGIC or Unpickler(file).load() != FORMAT:
        raise ValueError("this is not a PyTorch file of the format before 1.6")
    if not Unpickler(file).load()["little_endian"]:
        raise ValueError("the file was written by a big-endian machine")
    unpickler = Unpickler(file)
    tensors = unpickler.load()
    for key in Unpickler(file).load():
        storage = unpickler.storages[key]
        (size,) = struct.unpack("<q", file.read(8))
        if size != storage.size:
            raise ValueError(f"storage {key} has {size} elements instead of {storage.size}")
        storage.data = file.read(size * storage.dtype.itemsize)
    return {name: tensor.array() for name, tensor in tensors.items()}
