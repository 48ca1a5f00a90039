"""The classifiers of keras.applications, with random weights."""

import keras
import numpy as np

from pictures import pictures
from subject import keras_subject
from weights import enliven_classifier


def build(
    factory, layers, size=224, span=(0.0, 1.0), seed=1, classes=1000, calibration=12, active=0.0, spread=1.5, **options
):
    """A Subject of factory(weights=None); layers with the default one first."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = factory(weights=None, input_shape=(size, size, 3), classes=classes)
    low, high = span
    images = low + (high - low) * pictures(rng, calibration, size, size)
    enliven_classifier(model, images, rng, active, spread)
    return keras_subject(model, (size, size, 3), layers, span=span, **options)


def vgg16():
    layers = ["block5_conv3", "block5_conv1", "block4_conv3", "block3_conv2"]
    # the spread keeps 2 + (ΣA)·g of the article's Grad-CAM++ off zero
    return build(keras.applications.VGG16, layers, span=(-1.0, 1.0), calibration=4, spread=0.8, kernels=layers)


def resnet50():
    layers = ["conv5_block3_out", "conv5_block3_2_relu", "conv5_block2_out", "conv4_block6_out"]
    return build(keras.applications.ResNet50, layers, span=(-1.0, 1.0), active=0.25, pooled=True)


def mobilenetv2():
    layers = ["out_relu", "block_16_depthwise_relu", "block_15_add", "block_14_add"]
    return build(keras.applications.MobileNetV2, layers, span=(-1.0, 1.0), active=0.4, pooled=True)


def efficientnetb0():
    layers = ["top_activation", "block5b_activation", "block4b_add", "block3a_expand_activation"]
    return build(keras.applications.EfficientNetB0, layers, span=(0.0, 255.0), pooled=True)


def densenet121():
    layers = ["relu", "conv5_block12_1_relu", "conv5_block10_1_relu", "conv5_block8_concat"]
    return build(keras.applications.DenseNet121, layers, span=(-1.0, 1.0), active=0.25, pooled=True)


def inceptionv3():
    layers = ["mixed10", "mixed9", "activation_75", "mixed8"]
    return build(keras.applications.InceptionV3, layers, size=171, span=(-1.0, 1.0), active=1.2, pooled=True)


def convnexttiny():
    layers = ["add_17", "convnext_tiny_stage_2_block_4_pointwise_conv_2", "add_8", "add_3"]
    return build(keras.applications.ConvNeXtTiny, layers, size=192, span=(0.0, 255.0), calibration=4)
