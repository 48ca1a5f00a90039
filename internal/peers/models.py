"""Two small classifiers whose weights come from a seed, for Keras and for PyTorch, and two pictures to explain.

Keras' layouts are the reference: pictures [H, W, C], kernels [height, width, in, out], dense kernels [in, out], and a
flattened map is read row by row with the channels innermost. The PyTorch models take [C, H, W] and give the same logits.

    python internal/peers/models.py DIR

writes the Keras models as SavedModels, DIR/NAME/1.
"""

import pathlib
import sys

import numpy as np

SIZE = 32
CLASSES = 10

# One line per layer: its kind, and for those with weights its name, channels in and out. Behind every convolution (3×3,
# zero padding) and behind a dense layer, unless it is the last, comes a ReLU.
MODELS = {
    "peer_vgg": [
        ("conv", "block1_conv1", 3, 8),
        ("conv", "block1_conv2", 8, 8),
        ("pool",),
        ("conv", "block2_conv1", 8, 16),
        ("conv", "block2_conv2", 16, 16),
        ("pool",),
        ("conv", "block3_conv1", 16, 16),
        ("conv", "block3_conv2", 16, 16),
        ("pool",),
        ("flatten",),
        ("dense", "hidden", 256, 32),
        ("dense", "logits", 32, CLASSES),
    ],
    "peer_gap": [
        ("conv", "conv1", 3, 8),
        ("conv", "conv2", 8, 16),
        ("pool",),
        ("conv", "conv3", 16, 16),
        ("conv", "conv4", 16, 16),
        ("gap",),
        ("dense", "logits", 16, CLASSES),
    ],
}

# The kernel of the last layer is scaled so that the probabilities of the pictures' best classes are neither 0 nor 1.
HEAD = {"peer_vgg": 3.0, "peer_gap": 8.0}
SEED = {"peer_vgg": 44, "peer_gap": 68}


def weights(name):
    """{layer: (kernel, bias)} in float32."""
    rng = np.random.default_rng(SEED[name])
    made = {}
    for kind, *rest in MODELS[name]:
        if kind not in ("conv", "dense"):
            continue
        layer, inputs, outputs = rest
        shape = (3, 3, inputs, outputs) if kind == "conv" else (inputs, outputs)
        size = np.sqrt(2 / np.prod(shape[:-1])) * (HEAD[name] if layer == "logits" else 1.0)
        made[layer] = (rng.normal(0, size, shape).astype(np.float32), rng.normal(-0.1, 0.1, outputs).astype(np.float32))
    return made


def pictures():
    """Two pictures [2, H, W, 3], float32 in −1…1: a smooth ground, three discs and a bar, and a little noise."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    made = []
    for _ in range(2):
        slope = rng.normal(0, 0.5, (2, 3))
        picture = y[..., None] * slope[0] + x[..., None] * slope[1] + rng.uniform(-0.5, 0.5, 3)
        for _ in range(3):
            cy, cx, radius = *rng.uniform(0.15, 0.85, 2), rng.uniform(0.08, 0.25)
            picture[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = rng.uniform(-1, 1, 3)
        top = rng.integers(4, SIZE - 8)
        picture[top : top + 3, 4:-4] = rng.uniform(-1, 1, 3)
        made.append(np.clip(picture + rng.normal(0, 0.05, picture.shape), -1, 1))
    return np.stack(made).astype(np.float32)


def keras_model(name, logits=False):
    """The Keras model. It ends in a layer of its own for the softmax, or with logits before that."""
    import keras

    x = inputs = keras.Input((SIZE, SIZE, 3), name="pictures")
    for kind, *rest in MODELS[name]:
        if kind == "conv":
            x = keras.layers.Conv2D(rest[2], 3, padding="same", activation="relu", name=rest[0])(x)
        elif kind == "dense":
            x = keras.layers.Dense(rest[2], None if rest[0] == "logits" else "relu", name=rest[0])(x)
        elif kind == "pool":
            x = keras.layers.MaxPooling2D()(x)
        elif kind == "flatten":
            x = keras.layers.Flatten()(x)
        else:
            x = keras.layers.GlobalAveragePooling2D()(x)
    if not logits:
        x = keras.layers.Activation("softmax", name="probabilities")(x)
    model = keras.Model(inputs, x, name=name)
    for layer, arrays in weights(name).items():
        model.get_layer(layer).set_weights(arrays)
    return model


def torch_model(name):
    """The PyTorch model, which ends in the logits. What Keras calls LAYER is the output of the module LAYER_relu."""
    import torch

    modules, made, flattened = {}, weights(name), None
    for index, (kind, *rest) in enumerate(MODELS[name]):
        if kind in ("conv", "dense"):
            layer, inputs, outputs = rest
            kernel, bias = (torch.from_numpy(a) for a in made[layer])
            if kind == "conv":
                module = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
                kernel, flattened = kernel.permute(3, 2, 0, 1), outputs
            else:
                module = torch.nn.Linear(inputs, outputs)
                if layer == "hidden":  # rows of [H, W, C] become rows of [C, H, W]
                    side = round((inputs / flattened) ** 0.5)
                    kernel = kernel.reshape(side, side, flattened, outputs).permute(2, 0, 1, 3).reshape(inputs, outputs)
                kernel = kernel.T
            with torch.no_grad():
                module.weight.copy_(kernel)
                module.bias.copy_(bias)
            modules[layer] = module
            if layer != "logits":
                modules[f"{layer}_relu"] = torch.nn.ReLU()
        elif kind == "pool":
            modules[f"pool{index}"] = torch.nn.MaxPool2d(2)
        elif kind == "flatten":
            modules["flatten"] = torch.nn.Flatten()
        else:
            modules["gap"] = torch.nn.AdaptiveAvgPool2d(1)
            modules["flatten"] = torch.nn.Flatten()
    model = torch.nn.Sequential()
    for layer, module in modules.items():
        model.add_module(layer, module)
    return model.eval()


if __name__ == "__main__":
    for each in MODELS:
        keras_model(each).export(str(pathlib.Path(sys.argv[1]) / each / "1"), verbose=False)
