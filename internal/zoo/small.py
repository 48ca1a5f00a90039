"""Small Keras models, each with one thing that sets it apart."""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from pictures import pictures
from subject import Subject, dense, export_keras, keras_subject
from weights import enliven, enliven_classifier, spread_logits

SEED = 3
SIZE = 48


def fresh():
    """Clears names and seeds, so that a model does not depend on those made before it."""
    for api in (keras, tf_keras):
        api.backend.clear_session()
        api.utils.set_random_seed(SEED)
    return np.random.default_rng(SEED)


def nested():
    """Transfer learning as in Keras' guide: augmentation, rescaling and a whole model as layers of another one."""
    rng = fresh()
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3))
    photos = 255 * pictures(rng, 16, 96, 96)
    enliven(base, photos / 127.5 - 1, rng, active=0.4)
    augmentation = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)])
    inputs = keras.Input((96, 96, 3))
    x = augmentation(inputs)
    rescale = keras.layers.Rescaling(1 / 127.5, offset=-1)
    x = base(rescale(x), training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    model = keras.Model(inputs, keras.layers.Dense(5, activation="softmax")(x))
    head = model.layers[-1]
    features = keras.Model(inputs, head.input)(photos, training=False)
    spread_logits(head.kernel, head.bias, features, rng)

    layers = ["out_relu", "block_16_depthwise_relu", "block_15_add", "block_14_add"]
    tap = keras.Model(base.input, [base.get_layer(n).output for n in layers])

    def forward(images):
        features = tap(rescale(images), training=False)
        logits = dense(head, tf.reduce_mean(features[0], (1, 2)))
        return dict(zip(layers, features)), logits, tf.nn.softmax(logits)

    return Subject(
        shape=(96, 96, 3),
        layers=layers,
        forward=forward,
        export=lambda folder: export_inference(model, inputs, folder),
        span=(0.0, 255.0),
        class_weights=np.asarray(head.kernel, np.float32),
    )


def export_inference(model, inputs, folder):
    """model.export leaves augmentation layers switched on, so that its answers would be random."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec(inputs.shape, inputs.dtype)]
    archive.add_endpoint("serve", lambda images: model(images, training=False), input_signature=signature)
    archive.write_out(folder, verbose=False)


def convolutions(x, api=keras, activation="relu"):
    """Four convolutions, one of them with a batch normalisation behind it and one around which a sum leads."""
    layers = api.layers
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation=activation, name="conv1")(x)
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="conv2")(x)
    x = layers.BatchNormalization(name="conv2_bn")(x)
    x = layers.Activation(activation, name="conv2_out")(x)
    y = layers.Conv2D(24, 3, padding="same", activation=activation, name="conv3")(x)
    x = layers.Add(name="sum")([x, y])
    x = layers.MaxPooling2D(name="pool")(x)
    return layers.Conv2D(32, 3, padding="same", activation=activation, name="conv4")(x)


LAYERS = ["conv4", "sum", "conv2_out", "conv1"]


def pooled_classifier(inputs, classes=6, activation="softmax", scale=1.0, width=SIZE, **options):
    """A Subject of the convolutions, global average pooling and one dense layer."""
    rng = np.random.default_rng(SEED)
    x = keras.layers.Rescaling(scale)(inputs) if scale != 1 else inputs
    x = keras.layers.GlobalAveragePooling2D()(convolutions(x))
    model = keras.Model(inputs, keras.layers.Dense(classes, activation=activation)(x))
    enliven_classifier(model, pictures(rng, 24, SIZE, SIZE) / scale, rng)
    return keras_subject(model, (SIZE, width, 3), LAYERS, pooled=True, kernels=["conv4", "conv1"], **options)


def sigmoid():
    """A binary classifier of one unit."""
    fresh()
    return pooled_classifier(keras.Input((SIZE, SIZE, 3)), classes=1, activation="sigmoid")


def fixed_batch():
    """Takes batches of one and nothing else."""
    fresh()
    return pooled_classifier(keras.Input(batch_shape=(1, SIZE, SIZE, 3)), one_by_one=True)


def free_size():
    """Takes pictures of any height and width."""
    fresh()
    return pooled_classifier(keras.Input((None, None, 3)), width=72)


def uint8_input():
    """Takes the bytes of the pixels."""
    fresh()
    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    return pooled_classifier(inputs, scale=1 / 255, span=(0.0, 255.0), dtype=np.uint8)


def saved():
    """Written by tf.saved_model.save instead of model.export."""
    fresh()
    return pooled_classifier(keras.Input((SIZE, SIZE, 3)), export=tf.saved_model.save)


def linear():
    """A Sequential model whose layers have no names of their own and whose output is the logits."""
    rng = fresh()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            layers.Conv2D(24, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(40, activation="relu"),
            layers.Dense(5),
        ]
    )
    enliven_classifier(model, pictures(rng, 24, SIZE, SIZE), rng)
    return keras_subject(model, (SIZE, SIZE, 3), ["conv2d_2", "conv2d_1", "conv2d"], linear=True, kernels=["conv2d_1"])


def two_outputs():
    """Returns logits and probabilities. The head is written with convolutions, as MobileNet's."""
    rng = fresh()
    layers = keras.layers
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D(keepdims=True)(convolutions(inputs))
    x = layers.Conv2D(7, 1, name="classes")(x)
    logits = layers.Reshape((7,), name="logits")(x)
    probabilities = layers.Softmax(name="probabilities")(logits)
    model = keras.Model(inputs, {"logits": logits, "probabilities": probabilities})
    enliven(model, pictures(rng, 24, SIZE, SIZE), rng)
    head = model.get_layer("classes")
    features = keras.Model(inputs, head.input)(pictures(rng, 24, SIZE, SIZE), training=False)
    spread_logits(head.kernel, head.bias, features, rng)
    tap = keras.Model(inputs, [model.get_layer(n).output for n in LAYERS] + [logits, probabilities])

    def forward(images):
        *features, logits, probabilities = tap(images, training=False)
        return dict(zip(LAYERS, features)), logits, probabilities

    return Subject(
        shape=(SIZE, SIZE, 3),
        layers=LAYERS,
        forward=forward,
        export=lambda folder: export_keras(model, folder),
        class_weights=np.asarray(head.kernel, np.float32)[0, 0],
        output="probabilities",
    )


class Subclassed(keras.Model):
    """A model written as a class: its layers have the names that Keras gives them."""

    def __init__(self):
        super().__init__()
        self.stem = keras.layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")
        self.body = [keras.layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(2)]
        self.top = keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.classify = keras.layers.Dense(6)

    def call(self, images):
        return tf.nn.softmax(self.forward(images)[1])

    def forward(self, images):
        maps = {self.stem.name: self.stem(images)}
        x = maps[self.stem.name]
        for layer in self.body:
            maps[layer.name] = layer(x)
            x = x + maps[layer.name]
        maps[self.top.name] = self.top(x)
        return maps, self.classify(self.pool(maps[self.top.name]))


def subclassed():
    """A subclass of keras.Model."""
    rng = fresh()
    model = Subclassed()
    photos = pictures(rng, 24, SIZE, SIZE)
    model(photos)
    enliven(model, photos, rng)
    features = model.pool(model.forward(photos)[0][model.top.name])
    spread_logits(model.classify.kernel, model.classify.bias, features, rng)

    def forward(images):
        maps, logits = model.forward(images)
        return maps, logits, tf.nn.softmax(logits)

    return Subject(
        shape=(SIZE, SIZE, 3),
        layers=[model.top.name, model.body[1].name, model.body[0].name, model.stem.name],
        forward=forward,
        export=lambda folder: export_keras(model, folder),
        class_weights=np.asarray(model.classify.kernel, np.float32),
    )


def keras2(export=tf_keras.Model.save):
    """Keras 2's model.save, with swish, whose gradient Keras 2 writes in Python."""
    rng = fresh()
    inputs = tf_keras.Input((SIZE, SIZE, 3))
    x = tf_keras.layers.GlobalAveragePooling2D()(convolutions(inputs, tf_keras, "swish"))
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(6, activation="softmax")(x))
    enliven_classifier(model, pictures(rng, 24, SIZE, SIZE), rng)
    return keras_subject(model, (SIZE, SIZE, 3), LAYERS, pooled=True, export=export)


def keras2_export():
    """Keras 2's model.export."""
    return keras2(tf_keras.Model.export)
