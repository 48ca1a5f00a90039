"""A Network is a Keras classifier that answers what the methods of asked.py ask: scores of many images, gradients at
the image and at a layer, and scores from a layer on. Arrays come as NumPy's and go as its float64."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from subject import dense

BATCH = 128


@dataclasses.dataclass(frozen=True)
class Target:
    """What is explained: the score of one class, less that of another one unless versus is -1."""

    index: int
    versus: int = -1
    score: str = "logit"

    def weights(self, classes):
        weights = np.zeros(classes, np.float32)
        weights[self.index] = 1
        if self.versus >= 0:
            weights[self.versus] = -1
        return weights

    def of_probability(self):
        return dataclasses.replace(self, score="probability")


class Network:
    def __init__(self, model, guided):
        self.model, self.head = model, model.layers[-1]
        self.classes = self.head.units
        self.images = tf.TensorSpec((None, *model.inputs[0].shape[1:]))
        self.answer = self.trace(self.logits_of(model))
        self.derivatives, self.evidences, self.tails = {}, {}, {}
        self.twins = {False: model, True: guided}

    def trace(self, function, *more):
        return tf.function(function, input_signature=[self.images, *more])

    def logits_of(self, model):
        tap = keras.Model(model.inputs[0], model.layers[-1].input)
        return lambda images: dense(model.layers[-1], tap(images, training=False))

    def scores(self, images, target):
        """Scores of the target [N] for images [N, H, W, C]."""
        return self.of_logits(self.logits(images), target)

    def logits(self, images):
        return np.concatenate([self.answer(b) for b in batches(images)]).astype(np.float64)

    def probabilities(self, images):
        return softmax(self.logits(images))

    def of_logits(self, logits, target):
        values = logits if target.score == "logit" else softmax(logits)
        return values @ target.weights(self.classes)

    def scores_from(self, layer, image, activations, target):
        """Scores [N] of one image, run again from activations [N, h, w, K] of the layer on."""
        if layer not in self.tails:
            output = self.model.get_layer(layer).output
            tail = keras.Model([output, self.model.inputs[0]], self.head.input)
            self.tails[layer] = tf.function(lambda a, x: dense(self.head, tail([a, x], training=False)))
        logits = []
        for batch in batches(activations):
            same = np.broadcast_to(image, (len(batch), *image.shape)).astype(np.float32)
            logits.append(self.tails[layer](batch, same))
        return self.of_logits(np.concatenate(logits).astype(np.float64), target)

    def input_gradients(self, images, target, guided=False):
        """∂S/∂x [N, H, W, C]; by guided backpropagation if asked to."""
        key = (target.score, guided)
        if key not in self.derivatives:
            logits_of = self.logits_of(self.twins[guided])

            def differentiate(images, weights):
                with tf.GradientTape() as tape:
                    tape.watch(images)
                    total = total_score(logits_of(images), weights, target.score)
                return tape.gradient(total, images)

            self.derivatives[key] = self.trace(differentiate, tf.TensorSpec((self.classes,)))
        weights = target.weights(self.classes)
        return np.concatenate([self.derivatives[key](b, weights) for b in batches(images)]).astype(np.float64)

    def evidence(self, images, layer, target):
        """The activations of the layer and ∂S/∂A there, both [N, h, w, K]."""
        key = (target.score, layer)
        if key not in self.evidences:
            tap = keras.Model(self.model.inputs[0], [self.model.get_layer(layer).output, self.head.input])

            def differentiate(images, weights):
                with tf.GradientTape() as tape:
                    tape.watch(images)
                    a, features = tap(images, training=False)
                    total = total_score(dense(self.head, features), weights, target.score)
                return a, tape.gradient(total, a)

            self.evidences[key] = self.trace(differentiate, tf.TensorSpec((self.classes,)))
        weights = target.weights(self.classes)
        parts = [self.evidences[key](b, weights) for b in batches(images)]
        return tuple(np.concatenate(p).astype(np.float64) for p in zip(*parts))


def total_score(logits, weights, score):
    # rows do not depend on each other, so the gradient of the sum holds that of every row
    return tf.reduce_sum((logits if score == "logit" else tf.nn.softmax(logits)) * weights)


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def batches(array):
    array = np.asarray(array, np.float32)
    return [array[i : i + BATCH] for i in range(0, len(array), BATCH)]
