"""Two small networks of ReLUs with all that guided backpropagation and the methods that ask again can meet: max pooling
and dense layers behind the last convolution; batch normalisation, a sum, and a head of global average pooling."""

import keras
import numpy as np
import tensorflow as tf

from pictures import pictures
from subject import keras_subject
from weights import enliven_classifier

SEED = 11
SIZE = 48


@tf.custom_gradient
def guided_relu(x):
    """A ReLU that lets only positive gradients back."""
    y = tf.nn.relu(x)
    return y, lambda upstream: tf.where((x > 0) & (upstream > 0), upstream, 0.0)


def vgg_like():
    """Stacks of convolutions, max pooling between them, and dense layers."""

    def build(relu):
        layers = keras.layers
        x = inputs = keras.Input((SIZE, SIZE, 3))
        for block, (channels, depth) in enumerate(((6, 1), (10, 2), (16, 2)), start=1):
            for number in range(1, depth + 1):
                name = f"block{block}_conv{number}"
                x = layers.Conv2D(channels, 3, padding="same", activation=relu, name=name)(x)
            x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
        x = layers.Dense(32, activation=relu, name="fc1")(layers.Flatten()(x))
        return keras.Model(inputs, layers.Dense(5, activation="softmax", name="predictions")(x))

    return subject(build, ["block3_conv2", "block3_conv1", "block2_conv2", "block1_conv1"])


def gap_like():
    """Batch normalisation, a sum around two convolutions, global average pooling and one dense layer."""

    def build(relu):
        layers = keras.layers

        def convolution(x, channels, stride, name):
            x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False, name=name)(x)
            return layers.BatchNormalization(name=f"{name}_bn")(x)

        inputs = keras.Input((SIZE, SIZE, 3))
        x = layers.Activation(relu, name="stem_relu")(convolution(inputs, 8, 2, "stem"))
        y = layers.Activation(relu, name="branch_relu")(convolution(x, 10, 1, "branch"))
        x = layers.Add(name="sum")([x, convolution(y, 8, 1, "back")])
        x = layers.Activation(relu, name="sum_relu")(x)
        x = layers.Activation(relu, name="top_relu")(convolution(x, 24, 2, "top"))
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        return keras.Model(inputs, layers.Dense(6, activation="softmax", name="predictions")(x))

    return subject(build, ["top_relu", "sum_relu", "branch_relu", "stem_relu"], pooled=True)


def subject(build, layers, pooled=False):
    """A Subject of build("relu"), with a twin of the same weights that is differentiated by guided backpropagation."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = build("relu")
    enliven_classifier(model, 2 * pictures(rng, 24, SIZE, SIZE) - 1, rng)
    guided = build(guided_relu)
    guided.set_weights(model.get_weights())
    return keras_subject(model, (SIZE, SIZE, 3), layers, pooled=pooled, span=(-1.0, 1.0), twins=(model, guided))
