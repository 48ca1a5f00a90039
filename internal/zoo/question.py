"""A Question is one request for one map, with the protocol's names and defaults for the options."""

import dataclasses

import numpy as np

from draws import normals
from network import Network, Target


@dataclasses.dataclass(frozen=True)
class Question:
    network: Network
    image: np.ndarray  # [H, W, C] float32, in the model's units
    method: str
    layer: str
    target: Target
    options: dict  # MethodOptions, as JSON with the fields' own names

    def option(self, group, name, default=0):
        return self.options.get(group, {}).get(name) or default

    @property
    def seed(self):
        return self.options.get("seed", 0)

    def score(self, images):
        return self.network.scores(images, self.target)

    def evidence(self):
        """(A, g) of the image, both [h, w, K]."""
        a, g = self.network.evidence(self.image[None], self.layer, self.target)
        return a[0], g[0]

    def noisy(self):
        """The disturbed images [n, H, W, C]."""
        x = self.image
        deviation = self.option("noise", "level", 0.15) * (float(x.max()) - float(x.min()))
        noise = [normals(self.seed, i, x.shape) for i in range(self.option("noise", "samples", 50))]
        return x + (deviation * np.stack(noise)).astype(np.float32)
