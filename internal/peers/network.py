"""The models of models.py once more, in NumPy and float64: what every map here is computed from."""

import numpy as np

import models


class Network:
    def __init__(self, name):
        self.steps = models.MODELS[name]
        self.weights = {layer: [a.astype(np.float64) for a in arrays] for layer, arrays in models.weights(name).items()}

    def predict(self, x, start=None):
        """Logits [N, classes] of inputs [N, H, W, C], or of activations of the layer start."""
        return self.forward(x, start)[-1][1]

    def probabilities(self, x, start=None):
        return softmax(self.predict(x, start))

    def activations(self, x, layer):
        return next(after for step, after in self.forward(x) if step[1:2] == (layer,))

    def forward(self, x, start=None):
        """[(step, its output)] of all steps behind start."""
        names = [step[1] if len(step) > 1 else None for step in self.steps]
        outputs = []
        for step in self.steps[names.index(start) + 1 if start else 0 :]:
            kind = step[0]
            if kind == "conv":
                x = relu(convolve(x, self.weights[step[1]][0]) + self.weights[step[1]][1])
            elif kind == "dense":
                x = x @ self.weights[step[1]][0] + self.weights[step[1]][1]
                x = x if step[1] == "logits" else relu(x)
            elif kind == "pool":
                x = windows(x).max(axis=3)
            elif kind == "flatten":
                x = x.reshape(len(x), -1)
            else:
                x = x.mean(axis=(1, 2))
            outputs.append((step, x))
        return outputs

    def gradient(self, x, cotangent, layer=None, guided=False):
        """The gradient of Σ cotangent·logits [N, classes] at the activations of a layer, or at the input x [N, H, W, C].
        Guided, every ReLU passes positive gradients only."""
        outputs = self.forward(x)
        befores = [x] + [after for _, after in outputs[:-1]]
        g = np.asarray(cotangent, np.float64)
        for (step, after), before in zip(reversed(outputs), reversed(befores)):
            kind = step[0]
            if step[1:2] == (layer,):
                return g
            if kind in ("conv", "dense") and step[1] != "logits":
                g = np.where(after > 0, relu(g) if guided else g, 0.0)
            if kind == "conv":
                kernel = self.weights[step[1]][0]
                g = convolve(g, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
            elif kind == "dense":
                g = g @ self.weights[step[1]][0].T
            elif kind == "pool":
                tiles = windows(before)
                first = tiles.argmax(axis=3)  # of equals the first gets all, as in TensorFlow and PyTorch
                g = unwindow(np.where(np.arange(4)[:, None] == first[:, :, :, None], g[:, :, :, None], 0.0))
            elif kind == "flatten":
                g = g.reshape(before.shape)
            else:
                g = np.broadcast_to(g[:, None, None], before.shape) / (before.shape[1] * before.shape[2])
        return g


def relu(x):
    return np.maximum(x, 0.0)


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def convolve(x, kernel):
    """A 3×3 convolution with zero padding."""
    patches = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), axis=(1, 2))
    return np.tensordot(patches, kernel, ((4, 5, 3), (0, 1, 2)))


def windows(x):
    """[N, H, W, C] as tiles of 2×2: [N, H/2, W/2, 4, C]."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4, c)


def unwindow(tiles):
    n, h, w, _, c = tiles.shape
    return tiles.reshape(n, h, w, 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, c)
