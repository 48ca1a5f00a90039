"""EfficientNet-Lite0 as a TensorFlow module.

EfficientNet (Tan & Le 2019) without squeeze-and-excitation and with ReLU6 instead of swish: a stem, 16 inverted residual
blocks, a 1×1 convolution, then global average pooling and one dense layer, which is the head for which CAM is exact.
"""

import numpy as np
import tensorflow as tf

# Per stage: blocks, kernel size, stride of its first block, expansion.
STAGES = [
    (1, 3, 1, 1),
    (2, 3, 2, 6),
    (2, 5, 2, 6),
    (3, 3, 2, 6),
    (3, 5, 1, 6),
    (4, 5, 2, 6),
    (1, 3, 1, 6),
]
EPSILON = 1e-3
SIZE = 224


class EfficientNetLite0(tf.Module):
    """The network with the weights of a PyTorch checkpoint.

    Each convolution takes over the batch normalisation behind it, which at inference is one factor and one offset per
    channel. Every block works in a name scope of its own, so that the graph's nodes, and with them explaind's layers, are
    called stem, block1_1, block2_1, … block7_1, head_conv.
    """

    def __init__(self, checkpoint):
        super().__init__()
        self.unused = {name for name in checkpoint if not name.endswith("num_batches_tracked")}
        self.checkpoint = checkpoint
        self.stem = self.convolution("_conv_stem", "_bn0")
        self.blocks = []
        for stage, (count, size, stride, expansion) in enumerate(STAGES, 1):
            for i in range(1, count + 1):
                self.blocks.append(
                    self.block(f"block{stage}_{i}", f"_blocks.{len(self.blocks)}.", stride if i == 1 else 1, expansion)
                )
                assert self.blocks[-1]["depthwise"][0].shape[0] == size
        self.head = self.convolution("_conv_head", "_bn1")
        self.dense = [tf.Variable(self.take("_fc.weight").T), tf.Variable(self.take("_fc.bias"))]
        assert not self.unused, f"the checkpoint holds more than the network: {sorted(self.unused)}"
        del self.checkpoint, self.unused

    def take(self, name):
        self.unused.remove(name)
        return self.checkpoint[name]

    def convolution(self, name, norm, depthwise=False):
        """Kernel and bias of a convolution with its batch normalisation folded in."""
        kernel = self.take(f"{name}.weight")  # [out, in, height, width]; depthwise: [channels, 1, height, width]
        scale = self.take(f"{norm}.weight") / np.sqrt(self.take(f"{norm}.running_var") + EPSILON)
        bias = self.take(f"{norm}.bias") - self.take(f"{norm}.running_mean") * scale
        kernel = kernel * scale[:, None, None, None]
        return [
            tf.Variable(kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)),
            tf.Variable(bias),
        ]

    def block(self, name, prefix, stride, expansion):
        parts = {"name": name, "stride": stride, "expand": None}
        if expansion > 1:
            parts["expand"] = self.convolution(f"{prefix}_expand_conv", f"{prefix}_bn0")
        parts["depthwise"] = self.convolution(f"{prefix}_depthwise_conv", f"{prefix}_bn1", depthwise=True)
        parts["project"] = self.convolution(f"{prefix}_project_conv", f"{prefix}_bn2")
        return parts

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32, "image")])
    def __call__(self, image):
        """Images [N, 224, 224, 3], RGB, (pixel − 127) / 128, to the probabilities of 1000 classes."""
        with tf.name_scope("stem"):
            x = tf.nn.relu6(conv(image, self.stem, 2, "conv"), name="relu6")
        for block in self.blocks:
            with tf.name_scope(block["name"]):
                x = run_block(x, block)
        with tf.name_scope("head_conv"):
            x = tf.nn.relu6(conv(x, self.head, 1, "conv"), name="relu6")
        with tf.name_scope("pool"):
            x = tf.reduce_mean(x, axis=[1, 2], name="mean")
        with tf.name_scope("dense"):
            kernel, bias = self.dense
            logits = tf.nn.bias_add(tf.matmul(x, kernel, name="matmul"), bias, name="logits")
        return {"probabilities": tf.nn.softmax(logits, name="probabilities")}


def run_block(x, block):
    """Widen, look at the neighbourhood channel by channel, narrow, and add what came in where the shapes allow."""
    y = x
    if block["expand"]:
        y = tf.nn.relu6(conv(y, block["expand"], 1, "expand"), name="expand_relu6")
    kernel, bias = block["depthwise"]
    strides = [1, block["stride"], block["stride"], 1]
    y = tf.nn.bias_add(
        tf.nn.depthwise_conv2d(y, kernel, strides, "SAME", name="depthwise"), bias, name="depthwise_bias"
    )
    y = conv(tf.nn.relu6(y, name="depthwise_relu6"), block["project"], 1, "project")
    return tf.add(y, x, name="add") if y.shape == x.shape else y


def conv(x, weights, stride, name):
    kernel, bias = weights
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, "SAME", name=name), bias, name=f"{name}_bias")
