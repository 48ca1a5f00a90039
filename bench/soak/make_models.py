"""Makes the tiny models that the soak swaps, and writes beside them what each of them must answer.

    python bench/soak/make_models.py --out DIR

DIR/0, DIR/1, … are SavedModels of one network with different weights; DIR/golden.json holds one picture and, for each
of them, the probabilities and the Grad-CAM map that Keras computes for it.
"""

import argparse
import base64
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

SIDE = 32
CLASSES = 3
VARIANTS = 4


def network(seed):
    """Two convolutions, their global average and one dense layer; the weights of the head spread the classes."""
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((SIDE, SIDE, 3), name="picture")
    x = keras.layers.Rescaling(1 / 255, name="rescale")(x)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first")(x)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="features")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(CLASSES, activation="softmax", name="classes")(x)
    model = keras.Model(inputs, x)
    kernel, bias = model.get_layer("classes").get_weights()
    model.get_layer("classes").set_weights([kernel * 8, bias])
    return model


def answer(model, picture):
    """The probabilities and the Grad-CAM map of the most probable class, 0…1, at the size of the feature map."""
    kernel, bias = model.get_layer("classes").get_weights()
    features = keras.Model(model.input, model.get_layer("features").output)(picture[None].astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = tf.reduce_mean(features, (1, 2)) @ kernel + bias
        best = int(tf.argmax(logits[0]))
        score = logits[0, best]
    weights = tf.reduce_mean(tape.gradient(score, features), (1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * features, -1))[0].numpy()
    return {
        "probabilities": tf.nn.softmax(logits)[0].numpy().tolist(),
        "heat": (heat / heat.max()).ravel().tolist() if heat.max() > 0 else None,
    }


def main():
    parser = argparse.ArgumentParser(description="Makes the tiny models that the soak swaps.")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    out = parser.parse_args().out
    picture = np.random.default_rng(11).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    golden, seed = [], 0
    while len(golden) < VARIANTS:
        seed += 1
        model = network(seed)
        expected = answer(model, picture)
        apart = all(np.abs(np.subtract(expected["probabilities"], g["probabilities"])).max() > 0.05 for g in golden)
        if expected["heat"] and apart:  # a map to compare, and an answer that no other variant gives
            model.export(str(out / str(len(golden))), verbose=False)
            golden.append(expected)
    document = {
        "side": SIDE,
        "picture": base64.b64encode(picture.tobytes()).decode(),
        "variants": golden,
    }
    (out / "golden.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
