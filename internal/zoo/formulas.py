"""The maps of the explanation methods, in NumPy float64, on evidence of one image: activations A and gradients g of
one layer, [H, W, C] each. Every function returns the raw map [H, W]: after the formula's ReLU, before normalising."""

import numpy as np

# Below it, the denominator 2 + (ΣA)·g of eq. 19 is a pole of the approximation and its α is taken as 0.
LEAST_DENOMINATOR = 1e-3
XGRAD_EPSILON = 1e-6


def combine(weights, a):
    return np.einsum("k,ijk->ij", weights, a)


def relu(x):
    return np.maximum(x, 0.0)


def cam(a, class_weights):
    """Zhou et al. 2016, eq. 2."""
    return combine(class_weights, a)


def grad_cam(a, g):
    """Selvaraju et al. 2017, eq. 1 and 2."""
    return relu(combine(g.mean(axis=(0, 1)), a))


def grad_cam_plus_plus(a, g):
    """Chattopadhay et al. 2018, eq. 5, 19 and 20; exp(S) left out, since it only scales the map."""
    denominator = 2.0 + a.sum(axis=(0, 1)) * g
    usable = (g > 0) & (denominator >= LEAST_DENOMINATOR)
    alpha = np.where(usable, 1.0 / np.where(usable, denominator, 1.0), 0.0)
    return relu(combine((alpha * relu(g)).sum(axis=(0, 1)), a))


def article_cam(a, kernel):
    """The article's CAM: the mean of the first row of the layer's own kernel [kh, kw, in, out]; no class enters."""
    return combine(kernel[0].mean(axis=(0, 1)), a)


def article_grad_cam_plus_plus(a, g, probability):
    """The article's Grad-CAM++: g of the softmax probability, α divided by its own sum over the channel."""
    first = np.exp(probability) * g
    second = np.exp(probability) * g**2
    third = np.exp(probability) * g**3
    denominator = 2.0 * second + third * a.sum(axis=(0, 1))
    alpha = second / np.where(denominator != 0.0, denominator, 1.0)
    total = alpha.sum(axis=(0, 1))
    weights = (relu(first) * alpha).sum(axis=(0, 1))
    return relu(combine(np.where(total == 0, 0.0, weights / np.where(total == 0, 1.0, total)), a))


def hires_cam(a, g):
    """Draelos and Carin 2020; signed."""
    return (g * a).sum(axis=2)


def xgrad_weights(a, g):
    """Fu et al. 2020, with the ε of the authors' code."""
    return (g * a).sum(axis=(0, 1)) / (a.sum(axis=(0, 1)) + XGRAD_EPSILON)


def xgrad_cam(a, g):
    return relu(combine(xgrad_weights(a, g), a))


def layer_cam(a, g):
    """Jiang et al. 2021."""
    return relu((relu(g) * a).sum(axis=2))


def eigen_cam(a):
    """Muhammad and Yeasin 2020; signed."""
    return first_component(a)


def eigen_grad_cam(a, g):
    """Eigen-CAM of g⊙A, centred, as pytorch-grad-cam has it; signed."""
    return first_component(centred(g * a))


def centred(stack):
    return stack - stack.mean(axis=(0, 1))


def first_component(stack):
    """The positions of stack [H, W, C], projected on its first right singular vector. Of the two signs that are as good
    as each other, the one whose largest value by size is positive."""
    o = stack.reshape(-1, stack.shape[2])
    _, _, vt = np.linalg.svd(o, full_matrices=False)
    m = (o @ vt[0]).reshape(stack.shape[:2])
    return -m if abs(m.min()) > abs(m.max()) else m
