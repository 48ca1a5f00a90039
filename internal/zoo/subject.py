"""A Subject is a live model that can be asked for its activations and gradients, and exported."""

import dataclasses
import typing

import numpy as np
import tensorflow as tf


@dataclasses.dataclass
class Subject:
    """forward takes a batch and returns ({layer: activations}, logits, probabilities), all of them on the tape.

    The gradients come from tf.GradientTape over that call: the exported graph has no part in them.
    """

    shape: tuple  # (height, width, channels) of the pictures to explain
    layers: list  # names, the default layer first
    forward: typing.Callable
    export: typing.Callable  # writes a SavedModel into a folder
    span: tuple = (0.0, 1.0)  # the values of black and white in the model's input
    class_weights: np.ndarray | None = (
        None  # [C, classes], where the head is global average pooling and one dense layer
    )
    kernels: dict = dataclasses.field(default_factory=dict)  # layer → its own kernel [kh, kw, in, out]
    dtype: typing.Any = np.float32
    one_by_one: bool = False  # the model takes batches of one
    signature: str = "serving_default"
    output: str | None = None  # the signature's output with the probabilities, where it has several
    linear: bool = False  # the output is the logits
    tolerance: float = 1e-5  # between the live probabilities and those of the SavedModel
    twins: tuple | None = None  # the Keras model, and the same with guided ReLUs, where asked.py makes references

    def __post_init__(self):
        # traced, because eager gradients compute those of all weights too, which nobody reads
        self.differentiate = tf.function(self.differentiate, autograph=False)

    def images(self, pictures):
        low, high = self.span
        images = low + (high - low) * pictures
        if np.issubdtype(self.dtype, np.integer):
            images = np.round(images)
        return images.astype(self.dtype)

    def predict(self, images):
        """Logits and probabilities [N, classes]."""
        parts = [self.forward(tf.constant(batch)) for batch in self.batches(images)]
        return tuple(np.concatenate([np.asarray(p[i], np.float32) for p in parts]) for i in (1, 2))

    def evidence(self, images, classes, score):
        """{layer: (A, g)}, each [N, H, W, C] in float64, with g = ∂score[class of the row]/∂A."""
        parts = [
            self.differentiate(tf.constant(batch), tf.constant(c, tf.int32), score)
            for batch, c in zip(self.batches(images), self.batches(np.asarray(classes)))
        ]
        return {
            layer: tuple(np.concatenate([np.asarray(p[layer][i], np.float64) for p in parts]) for i in (0, 1))
            for layer in self.layers
        }

    def differentiate(self, images, classes, score):
        with tf.GradientTape() as tape:
            if images.dtype.is_floating:
                tape.watch(images)
            features, logits, probabilities = self.forward(images)
            scores = logits if score == "logit" else probabilities
            # rows do not depend on each other, so the gradient of the sum holds that of every row
            total = tf.reduce_sum(tf.gather(scores, classes, batch_dims=1))
        gradients = tape.gradient(total, {layer: features[layer] for layer in self.layers})
        return {layer: (features[layer], gradients[layer]) for layer in self.layers}

    def batches(self, array):
        return np.split(array, len(array)) if self.one_by_one else [array]


def export_keras(model, folder):
    model.export(folder, verbose=False)


def keras_subject(model, shape, layers, pooled=False, kernels=(), export=export_keras, **options):
    """A Subject of a Keras functional model (Keras 3 or tf_keras) that ends in a Dense layer."""
    head = model.layers[-1]
    api = keras_api(model)
    tap = api.Model(model.inputs[0], [operation(model, n).output for n in layers] + [head.input, model.outputs[0]])

    def forward(images):
        *features, pooled_features, output = tap(images, training=False)
        logits = dense(head, pooled_features)
        return dict(zip(layers, features)), logits, tf.nn.softmax(logits) if options.get("linear") else output

    return Subject(
        shape=shape,
        layers=layers,
        forward=forward,
        export=lambda folder: export(model, folder),
        class_weights=np.asarray(head.kernel, np.float32) if pooled else None,
        kernels={n: np.asarray(model.get_layer(n).kernel, np.float32) for n in kernels},
        **options,
    )


def dense(layer, x):
    """What a Dense layer computes before its activation."""
    return tf.matmul(x, layer.kernel) + layer.bias


def operation(model, name):
    """The layer or, for sums written with +, the operation of that name."""
    for o in getattr(model, "operations", model.layers):
        if o.name == name:
            return o
    raise KeyError(f"{model.name} has no layer {name!r}; the last are {[o.name for o in model.layers[-8:]]}")


def keras_api(model):
    if type(model).__module__.startswith("tf_keras"):
        import tf_keras

        return tf_keras
    import keras

    return keras
