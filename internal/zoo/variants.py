"""From a question to its raw map, and what makes one map of several: variants of the image, or layers."""

import dataclasses

import numpy as np

import cams
import gradients
import masks
from pixels import upscale


def guided(method):
    """Guided backpropagation times a CAM, at the size of the image."""

    def product(q):
        m = cams.layer_map(dataclasses.replace(q, method=method))
        return gradients.guided_backprop(q) * upscale(m, *q.image.shape[:2])

    return product


PIXEL_METHODS = {
    "saliency": gradients.saliency,
    "gradient_x_input": gradients.gradient_x_input,
    "guided_backprop": gradients.guided_backprop,
    "guided_grad_cam": guided("grad_cam"),
    "guided_grad_cam_plus_plus": guided("grad_cam_plus_plus"),
    "smooth_grad": gradients.smooth_grad,
    "integrated_gradients": gradients.integrated_gradients,
    "occlusion": masks.occlusion,
    "rise": masks.rise,
}


def raw_map(q):
    """The map [h, w] of a question about one layer."""
    method = PIXEL_METHODS.get(q.method, cams.layer_map)
    return aug_smooth(q, method) if q.options.get("aug_smooth") else method(q)


def aug_smooth(q, method):
    """The mean of the maps of six variants of the image, each divided by its maximum."""
    total = 0.0
    for step in (1, -1):
        for factor in (1, 0.9, 1.1):
            image = (q.image[:, ::step] * np.float32(factor)).astype(np.float32)
            total = total + of_maximum(method(dataclasses.replace(q, image=image)))[:, ::step]
    return total / 6


def of_maximum(m):
    return m / m.max() if m.max() > 0 else np.zeros_like(m)


def fused_map(q, layers):
    """One map [H, W] of several layers, at the size of the image."""
    grown = []
    for layer in layers:
        m = of_maximum(raw_map(dataclasses.replace(q, layer=layer)))
        if q.method == "layer_cam":
            m = np.tanh(2 * m)  # as LayerCAM's paper scales layers before it fuses them
        if q.options["fusion"] == "FUSION_PRODUCT":
            m = np.maximum(m, 0)
        grown.append(upscale(m, *q.image.shape[:2]))
    fuse = {"FUSION_MEAN": np.mean, "FUSION_MAX": np.max, "FUSION_PRODUCT": np.prod}[q.options["fusion"]]
    return fuse(grown, axis=0)
