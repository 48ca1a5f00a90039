"""A Question is what a map answers: one model, one picture, one layer, one class and its score."""

import dataclasses

import numpy as np

import models
from network import Network, softmax

NETWORKS = {name: Network(name) for name in models.MODELS}
PICTURES = models.pictures()


@dataclasses.dataclass
class Question:
    model: str
    picture: int
    layer: str
    target: int
    versus: int | None = None
    score: str = "logit"  # or "probability"

    @property
    def network(self):
        return NETWORKS[self.model]

    @property
    def x(self):
        """The picture [H, W, C], in the model's own units."""
        return PICTURES[self.picture].astype(np.float64)

    @property
    def a(self):
        """The layer's activations [h, w, K]."""
        return self.network.activations(self.x[None], self.layer)[0]

    @property
    def g(self):
        """∂S/∂A [h, w, K]."""
        return self.gradients(self.x[None], self.layer)[0]

    def gradients(self, inputs, layer=None, guided=False):
        """∂S/∂A of the layer, or ∂S/∂x, at each of the inputs [N, H, W, C]."""
        logits = self.network.predict(inputs)
        direction = self.of(np.eye(logits.shape[1]))
        if self.score == "probability":
            p = softmax(logits)
            cotangent = p * (direction - (p @ direction)[:, None])
        else:
            cotangent = np.broadcast_to(direction, logits.shape)
        return self.network.gradient(inputs, cotangent, layer, guided)

    @property
    def class_weights(self):
        """The head's weights [K] for the class, where the head is one dense layer behind the pooled activations."""
        return self.of(self.network.weights["logits"][0])

    def scores(self, inputs, start=None):
        """S of each of the inputs, or of activations of the layer start."""
        logits = self.network.predict(inputs, start)
        return self.of(logits if self.score == "logit" else softmax(logits))

    def probabilities(self, inputs):
        """P of each of the inputs, whatever the score is."""
        return self.of(self.network.probabilities(inputs))

    def of(self, scores):
        """The target's column [N], less that of versus."""
        return scores[:, self.target] - (0 if self.versus is None else scores[:, self.versus])


def ask(model, layer=None, picture=0, rank=1, score="logit", versus=None):
    """The Question about the class of that rank; the default layer is the last convolution."""
    layer = layer or [step[1] for step in models.MODELS[model] if step[0] == "conv"][-1]
    order = np.argsort(-NETWORKS[model].predict(PICTURES[picture : picture + 1].astype(np.float64))[0])
    target, other = int(order[rank - 1]), None if versus is None else int(order[versus - 1])
    return Question(model, picture, layer, target, other, score)
