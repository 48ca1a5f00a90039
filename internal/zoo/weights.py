"""Random weights that behave like trained ones: normalised activations, logits with a spread, unequal channels."""

import numpy as np
import tensorflow as tf

from subject import keras_api


def enliven(model, images, rng, active=0.0):
    """Gives every layer of a Keras model random weights and calibrates batch normalisation on images.

    active shifts what goes into the ReLUs. A deep random network makes 1e-3 out of a rounding error of 1e-7, and does
    less so if most units are active; but then its maps are flatter.
    """
    for layer in leaves(model):
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            size, offset = size_and_offset(layer, active)
            if layer.scale:
                layer.gamma.assign(size * np.exp(rng.normal(0, 0.25, layer.gamma.shape)))
            if layer.center:
                layer.beta.assign(rng.normal(offset, 0.3, layer.beta.shape))
        elif kind == "LayerScale":
            layer.gamma.assign(rng.uniform(0.3, 0.7, layer.gamma.shape))
        elif kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense") and layer.weights:
            kernel = layer.weights[0]
            fan_in = np.prod(kernel.shape[:2]) if kind == "DepthwiseConv2D" else np.prod(kernel.shape[:-1])
            kernel.assign(rng.normal(0, np.sqrt(2 / fan_in), kernel.shape))
            if layer.use_bias:
                layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    calibrate(model, images, rng)


def calibrate(model, images, rng):
    """Sets the moving statistics to nearly those of images: nearly, since trained ones do not fit exactly either."""
    norms = [layer for layer in leaves(model) if type(layer).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        model(tf.constant(images), training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
        mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        layer.moving_mean.assign(mean + 0.1 * np.sqrt(variance) * rng.normal(size=mean.shape))
        layer.moving_variance.assign(variance * rng.uniform(0.8, 1.25, variance.shape))


def spread_logits(kernel, bias, features, rng, spread=1.5):
    """Scales a dense head so that its logits differ by spread between images and classes.

    features [N, C] is the head's input. The direction that all images share is taken out of the kernel: otherwise
    every image would get the same classes, and every map would be one sign all over.
    """
    features = np.asarray(features, np.float64).reshape(len(features), -1)
    mean = features.mean(axis=0)
    k = np.asarray(kernel, np.float64).reshape(features.shape[1], -1)
    k -= np.outer(mean, mean @ k) / (mean @ mean)
    k *= spread / (features @ k).std()
    kernel.assign(k.reshape(kernel.shape).astype(np.float32))
    bias.assign(rng.normal(0, 0.2, bias.shape))


def size_and_offset(layer, active):
    """Size and offset of a batch normalisation's output.

    A branch that is added to a shortcut is small, so that rounding errors stay small too. Before a ReLU behind such a
    sum, and before a pooling or concatenation, features have to be as sparse as those of trained networks: otherwise
    all maps are flat.
    """
    sums = [r for r in readers(layer) if type(r).__name__ == "Add"]
    if sums:
        size = 0.25 if sums[0].input[-1] is layer.output else 1.0
        rectified = any(type(r).__name__ in ("Activation", "ReLU") for r in readers(sums[0]))
        return size, size * (-0.5 if rectified else 0.3)
    after = [second for first in readers(layer) for second in readers(first)]
    shown = all(type(r).__name__ in ("GlobalAveragePooling2D", "Concatenate") for r in after)
    return 1.0, -0.5 if shown and active else active


def readers(layer):
    nodes = layer._outbound_nodes
    return [getattr(node, "operation", None) or getattr(node, "layer", None) for node in nodes]


def leaves(model):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer)
        else:
            yield layer


def enliven_classifier(model, images, rng, active=0.0, spread=1.5):
    """Gives a Keras functional model that ends in a dense head random weights, and its logits a spread."""
    enliven(model, images, rng, active)
    head = model.layers[-1]
    features = keras_api(model).Model(model.inputs[0], head.input)(images, training=False)
    spread_logits(head.kernel, head.bias, features, rng, spread)
