"""The references of the test models, and how they meet the wire."""

import json

import numpy as np


class Reference:
    """One JSON document of a model's reference folder, with the arrays that it names."""

    def __init__(self, folder, name="reference.json"):
        self.folder = folder
        self.document = json.loads((folder / name).read_text())

    def array(self, entry):
        return np.fromfile(self.folder / entry["file"], "<f4").reshape(entry["shape"])

    def __getitem__(self, key):
        return self.array(self.document[key])


def tensor(stubs, pixels):
    """An Image of the model's own input."""
    return stubs.types.Image(
        tensor=stubs.types.Tensor(
            shape=pixels.shape, dtype=stubs.types.DATA_TYPE_FLOAT32, data=pixels.astype("<f4").tobytes()
        )
    )


def heatmap(explanation):
    """The values [height, width] of an explanation's map."""
    h = explanation.heatmap
    return np.frombuffer(h.values, "<f4").reshape(h.height, h.width).astype(np.float64)


def raw_map(explanation):
    return heatmap(explanation) * explanation.heatmap.raw_max
