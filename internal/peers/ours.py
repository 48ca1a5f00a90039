"""explaind's methods as docs/methods has them, in NumPy: what the peers' maps are compared with.

explain(question, method, options) gives the raw map: after the formula's ReLU, before normalising, at the layer's size or,
for methods that explain the input, at the input's. What no library has is left out: Guided Grad-CAM++, the softmax form of
Grad-CAM++, and the article's forms. options are those of MethodOptions, as proto3 writes them in JSON.
"""

import dataclasses

import numpy as np

import many_runs
from arithmetic import LEAST_DENOMINATOR, map_of, principal, resize
from network import relu


def explain(question, method, options=None, layers=None):
    """With layers, the options' fusion of their maps."""
    options = options or {}
    if layers:
        questions = [dataclasses.replace(question, layer=layer) for layer in layers]
        return fuse([explain(q, method, options) for q in questions], options["fusion"], method == "layer_cam")
    if options.get("aug_smooth"):
        plain = {**options, "aug_smooth": False}
        return aug_smooth(question, lambda q: explain(q, method, plain))
    return METHODS[method](question, options)


def cam(q, options):
    return map_of(q.class_weights * q.a, {}, rectified=False)


def grad_cam(q, options):
    return map_of(q.g.mean(axis=(0, 1)) * q.a, options)


def grad_cam_plus_plus(q, options):
    a, g = q.a, q.g
    denominator = 2 + a.sum(axis=(0, 1)) * g
    usable = (g > 0) & (denominator >= LEAST_DENOMINATOR)
    alpha = np.where(usable, 1 / np.where(usable, denominator, 1), 0)
    if options.get("grad_cam_plus_plus_form") == "GRAD_CAM_PLUS_PLUS_FORM_AUTHORS_CODE":
        total = alpha.sum(axis=(0, 1))
        alpha = np.divide(alpha, total, out=np.zeros_like(alpha), where=total != 0)
    return map_of((alpha * relu(g)).sum(axis=(0, 1)) * a, options)


def hires_cam(q, options):
    return map_of(q.g * q.a, options, rectified=False)


def xgrad_cam(q, options):
    return map_of((q.g * q.a).sum(axis=(0, 1)) / (q.a.sum(axis=(0, 1)) + 1e-6) * q.a, options)


def layer_cam(q, options):
    return map_of(relu(q.g) * q.a, options)


def eigen_cam(q, options):
    return principal(q.a.reshape(-1, q.a.shape[2])).reshape(q.a.shape[:2])


def eigen_grad_cam(q, options):
    return map_of(q.g * q.a, {"eigen_smooth": True}, rectified=False)


def saliency(q, options):
    return abs(q.gradients(q.x[None])[0]).max(axis=2)


def gradient_x_input(q, options):
    return (q.x * q.gradients(q.x[None])[0]).sum(axis=2)


def guided_backprop(q, options):
    return abs(q.gradients(q.x[None], guided=True)[0]).max(axis=2)


def guided_grad_cam(q, options):
    return guided_backprop(q, options) * resize(grad_cam(q, options), *q.x.shape[:2])


def aug_smooth(q, plain):
    total = 0
    for flipped in (False, True):
        for factor in (1, 0.9, 1.1):
            made = plain(Varied(q, flipped, factor))
            made = made / made.max() if made.max() > 0 else np.zeros_like(made)
            total = total + (made[:, ::-1] if flipped else made)
    return total / 6


class Varied:
    """A Question about a variant of its picture, with the same class."""

    def __init__(self, question, flipped, factor):
        self.question, self.flipped, self.factor = question, flipped, factor

    @property
    def x(self):
        x = self.question.x * self.factor
        return x[:, ::-1] if self.flipped else x

    @property
    def a(self):
        return self.network.activations(self.x[None], self.layer)[0]

    @property
    def g(self):
        return self.gradients(self.x[None], self.layer)[0]

    def __getattr__(self, name):
        return getattr(self.question, name)


def fuse(maps, how, scaled):
    """The mean, maximum or product of raw maps, at the size of the largest; those of LayerCAM are scaled by tanh before."""
    maps = [m / m.max() if m.max() > 0 else np.zeros_like(m) for m in maps]
    maps = [np.tanh(2 * m) if scaled else m for m in maps]
    size = max(m.shape for m in maps)
    of = {"FUSION_MEAN": np.mean, "FUSION_MAX": np.max, "FUSION_PRODUCT": np.prod}[how]
    return of([resize(m, *size) for m in maps], axis=0)


METHODS = {
    f.__name__: f
    for f in (
        cam,
        grad_cam,
        grad_cam_plus_plus,
        hires_cam,
        xgrad_cam,
        layer_cam,
        eigen_cam,
        eigen_grad_cam,
        many_runs.score_cam,
        many_runs.ablation_cam,
        saliency,
        gradient_x_input,
        many_runs.smooth_grad,
        many_runs.integrated_gradients,
        guided_backprop,
        guided_grad_cam,
        many_runs.smooth_grad_cam_plus_plus,
        many_runs.occlusion,
        many_runs.rise,
    )
}
