"""Models without Keras: variables and operations of TensorFlow alone."""

import numpy as np
import tensorflow as tf

from pictures import pictures
from subject import Subject
from weights import spread_logits

v1 = tf.compat.v1

SIZE = 48
CLASSES = 6
LAYERS = ["conv3", "conv2", "conv1"]  # the default one first
CONVOLUTIONS = {"conv1": (3, 16, 2), "conv2": (16, 24, 1), "conv3": (24, 32, 2)}  # name → channels in, out, stride


def random_weights(rng):
    """Weights by name; those of the head get their spread from a Network."""
    weights = {}
    for name, (inputs, outputs, _) in CONVOLUTIONS.items():
        weights[f"{name}/weights"] = rng.normal(0, np.sqrt(2 / (9 * inputs)), (3, 3, inputs, outputs))
        weights[f"{name}/biases"] = rng.normal(0, 0.1, outputs)
    weights["logits/weights"] = rng.normal(0, 1, (1, 1, 32, CLASSES))
    weights["logits/biases"] = np.zeros(CLASSES)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def network(images, weight, dropout=lambda x: x):
    """{layer: activations} and the logits, as people wrote networks before Keras: name scopes around operations, and
    a head of average pooling and a 1×1 convolution. weight(name) is a variable."""
    maps, x = {}, images
    for name, (_, _, stride) in CONVOLUTIONS.items():
        with tf.name_scope(name):
            x = tf.nn.conv2d(x, weight(f"{name}/weights"), stride, "SAME")
            x = maps[name] = tf.nn.relu(tf.nn.bias_add(x, weight(f"{name}/biases")))
    with tf.name_scope("logits"):
        x = dropout(tf.nn.avg_pool2d(x, x.shape[1:3], 1, "VALID"))
        x = tf.nn.conv2d(x, weight("logits/weights"), 1, "SAME")
        return maps, tf.squeeze(tf.nn.bias_add(x, weight("logits/biases")), (1, 2))


class Network(tf.Module):
    """The network with variables of TensorFlow 2, and a signature of its own."""

    def __init__(self, rng):
        super().__init__()
        self.weights = {name: tf.Variable(value, name=name) for name, value in random_weights(rng).items()}
        maps, _ = self.run(pictures(rng, 24, SIZE, SIZE))
        features = tf.reduce_mean(maps["conv3"], (1, 2))
        spread_logits(self.weights["logits/weights"], self.weights["logits/biases"], features, rng)

    def run(self, images):
        return network(images, self.weights.__getitem__)

    @tf.function(input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="picture")])
    def classify(self, picture):
        return {"classification": tf.nn.softmax(self.run(picture)[1])}

    def subject(self, export, **options):
        def forward(images):
            maps, logits = self.run(images)
            return maps, logits, tf.nn.softmax(logits)

        return Subject(
            shape=(SIZE, SIZE, 3),
            layers=LAYERS,
            forward=forward,
            export=export,
            class_weights=self.weights["logits/weights"].numpy()[0, 0],
            kernels={"conv3": self.weights["conv3/weights"].numpy()},
            **options,
        )


def module():
    """A tf.Module, saved with one signature that is not called serving_default."""
    model = Network(np.random.default_rng(5))
    return model.subject(
        lambda folder: tf.saved_model.save(model, folder, signatures={"classify": model.classify}), signature="classify"
    )


def tf1():
    """A graph of TensorFlow 1, written by its own builder: reference variables, no functions, int64 classes beside the
    scores."""
    return tf1_subject(tf.identity)


def tf1_training():
    """A graph of TensorFlow 1 that was built to be trained: dropout behind a flag that is off by default."""

    def dropout(x):
        is_training = v1.placeholder_with_default(False, (), name="is_training")
        return v1.cond(is_training, lambda: tf.nn.dropout(x, rate=0.5), lambda: x)

    return tf1_subject(dropout)


def tf1_subject(dropout):
    model = Network(np.random.default_rng(6))
    values = {name: variable.numpy() for name, variable in model.weights.items()}
    return model.subject(lambda folder: export_tf1(values, dropout, folder), output="scores")


def export_tf1(values, dropout, folder):
    def weight(name):
        return v1.get_variable(name, initializer=values[name], use_resource=False)

    v1.disable_control_flow_v2()
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3), name="images")
        scores = tf.nn.softmax(network(images, weight, dropout)[1], name="scores")
        classes = tf.argmax(scores, 1, name="classes")
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"images": images}, {"scores": scores, "classes": classes})
        builder = v1.saved_model.Builder(folder)
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    v1.enable_control_flow_v2()
