"""Writes goldens.json: small evidence and the maps that each method makes of it.

The formulas are written here a second time, in NumPy float64 and in the papers' own form (with squares and cubes), so
that the two sides share no code and no algebra. Run: python explain/testdata/make_goldens.py
"""

import json
import pathlib

import numpy as np

SEED = 9  # no map of this seed is flat or all zero
LEAST_DENOMINATOR = 1e-3  # as gradcamplusplus.go documents it
XGRAD_EPSILON = 1e-6  # of the authors' code
CLASSES = 5  # of the softmax heads


def relu(x):
    return np.maximum(x, 0.0)


def combine(weights, a):
    return np.einsum("k,ijk->ij", weights, a)


def cam(a, class_weights):
    return combine(class_weights, a)


def grad_cam(a, g):
    return relu(combine(g.mean(axis=(0, 1)), a))


def eq_19(a, g):
    numerator = g**2
    denominator = 2 * g**2 + a.sum(axis=(0, 1)) * g**3
    # per g²: the guard is on 2 + ΣA·g
    usable = (g > 0) & (denominator >= LEAST_DENOMINATOR * g**2)
    return np.where(usable, numerator / np.where(usable, denominator, 1.0), 0.0)


def grad_cam_plus_plus(a, g):
    return relu(combine((eq_19(a, g) * relu(g)).sum(axis=(0, 1)), a))


def article_cam(a, kernel):
    return combine(kernel[0].mean(axis=(0, 1)), a)


def article_grad_cam_plus_plus(a, g, probability):
    first = np.exp(probability) * g
    second = np.exp(probability) * g**2
    third = np.exp(probability) * g**3
    denominator = 2.0 * second + third * a.sum(axis=(0, 1))
    denominator = np.where(denominator != 0.0, denominator, 1.0)
    alpha = second / denominator
    total = alpha.sum(axis=(0, 1))
    zero = total == 0
    alpha = alpha / np.where(zero, 1.0, total)
    weights = (np.maximum(first, 0.0) * alpha).sum(axis=(0, 1))
    weights = np.where(zero, 0.0, weights)
    return relu(combine(weights, a)), bool(zero.any())


def hires_cam(a, g):
    return (g * a).sum(axis=2)


def xgrad_cam(a, g):
    return relu(combine(xgrad_weights(a, g), a))


def xgrad_weights(a, g):
    total = a.sum(axis=(0, 1))
    assert (abs(total) > 0.01 * abs(a).sum(axis=(0, 1))).all() or not (a < 0).any(), "a channel sum is near its pole"
    return (g * a).sum(axis=(0, 1)) / (total + XGRAD_EPSILON)


def layer_cam(a, g):
    return relu((relu(g) * a).sum(axis=2))


def eigen_cam(a, g):
    return first_component(a, centred=False)


def eigen_grad_cam(a, g):
    return first_component(g * a, centred=True)


def first_component(stack, centred):
    """The projection of the positions of stack [H, W, C] on the first right singular vector, flipped if the largest
    value by size is negative."""
    o = stack.reshape(-1, stack.shape[2])
    if centred:
        o = o - o.mean(axis=0)
    _, s, vt = np.linalg.svd(o, full_matrices=False)
    assert s[1] < 0.99 * s[0], "two components are nearly as large: any mix of them would be right"
    m = o @ vt[0]
    low, high = abs(m.min()), abs(m.max())
    assert abs(low - high) > 0.02 * max(low, high), "both ends are nearly as far from zero: either sign would be right"
    return (-m if low > high else m).reshape(stack.shape[:2])


def eigen_smooth(a, g):
    """{method: map} of the methods that can take the first component in place of the sum over the channels."""
    plus_plus = (eq_19(a, g) * relu(g)).sum(axis=(0, 1))
    return {
        "grad_cam": relu(first_component(g.mean(axis=(0, 1)) * a, centred=True)),
        "grad_cam_plus_plus": relu(first_component(plus_plus * a, centred=True)),
        "hires_cam": first_component(g * a, centred=True),
        "xgrad_cam": relu(first_component(xgrad_weights(a, g) * a, centred=True)),
        "layer_cam": relu(first_component(relu(g) * a, centred=True)),
    }


def authors_code(a, g):
    """Grad-CAM++ as its authors' code has it: the α of a channel are divided by their sum over the positions with a
    positive gradient."""
    alpha = eq_19(a, g)
    total = np.where(g > 0, alpha, 0.0).sum(axis=(0, 1))
    alpha = np.where(total > 0, alpha / np.where(total > 0, total, 1.0), 0.0)
    return relu(combine((alpha * relu(g)).sum(axis=(0, 1)), a))


def softmax_form(a, head_kernel, probabilities, c):
    """Grad-CAM++ of the softmax: eq. 22 to 24, each a recursion over all classes m, for a head that is global average
    pooling and one dense layer, so that ∂S^m/∂A_ij is head_kernel[k, m] over the number of positions."""
    positions = a.shape[0] * a.shape[1]
    y, weights = probabilities, []
    for k, total in enumerate(a.sum(axis=(0, 1))):
        g = head_kernel[k] / positions
        first = y * (g - y @ g)  # 22
        second = first * (g - y @ g) - y * (first @ g)  # 23
        third = second * (g - y @ g) - 2 * first * (first @ g) - y * (second @ g)  # 24
        denominator = 2 * second[c] + total * third[c]
        against = abs(denominator) / (2 * abs(second[c]) + abs(total * third[c]))
        assert against > 1e-3 and abs(denominator) > 2 * LEAST_DENOMINATOR * abs(second[c]), "α is near its pole"
        weights.append(positions * second[c] / denominator * max(first[c], 0.0))  # 5
    return relu(combine(np.array(weights), a))


def softmax_head(rng, class_weights, probability):
    """A head of five classes in which the explained one has the weights and the probability that the case has."""
    c = int(rng.integers(CLASSES))
    kernel = rng.normal(0, 1, (len(class_weights), CLASSES)).astype(np.float32)
    kernel[:, c] = class_weights
    others = rng.dirichlet(np.ones(CLASSES - 2)) * 0.95 * (1 - float(probability))
    others = np.round(others * 2**24) / 2**24  # so that the last, a small one, has a float32 too: the sum is 1, exactly
    others = np.append(others, 1 - float(probability) - others.sum())
    probabilities = np.insert(others, c, probability).astype(np.float32)
    assert probabilities.astype(np.float64).sum() == 1
    return kernel, probabilities, c


def case(name, rng, shape, activation, scale, kernel_shape, dead_channel=False):
    h, w, c = shape
    z = rng.normal(0.3, 1.0, shape)
    a = {"relu": relu(z), "swish": z / (1 + np.exp(-3 * z)) - 0.1, "linear": z - 0.6}[activation].astype(np.float32)
    g = (scale * rng.normal(0.1, 1.0, shape)).astype(np.float32)
    if dead_channel:
        g[:, :, 1] = 0
    class_weights = rng.normal(0, 1, c).astype(np.float32)
    kernel = rng.normal(0, 0.1, (*kernel_shape, c)).astype(np.float32)
    probability = np.float32(rng.uniform(0.05, 0.95))

    a64, g64, w64, k64 = (x.astype(np.float64) for x in (a, g, class_weights, kernel))
    plus, zero_alpha = article_grad_cam_plus_plus(a64, g64, np.float64(probability))
    maps = {
        "cam": cam(a64, w64),
        "grad_cam": grad_cam(a64, g64),
        "grad_cam_plus_plus": grad_cam_plus_plus(a64, g64),
        "article_cam": article_cam(a64, k64),
        "article_grad_cam": grad_cam(a64, g64),
        "article_grad_cam_plus_plus": plus,
        "hires_cam": hires_cam(a64, g64),
        "xgrad_cam": xgrad_cam(a64, g64),
        "layer_cam": layer_cam(a64, g64),
    }
    smooth = {}
    if h * w > 1:  # a single position has no principal component
        maps["eigen_cam"] = eigen_cam(a64, g64)
        maps["eigen_grad_cam"] = eigen_grad_cam(a64, g64)
        smooth = eigen_smooth(a64, g64)
    # random numbers of their own, so that those above stay what they were
    head_kernel, probabilities, target = softmax_head(
        np.random.default_rng([SEED + 1, *shape]), class_weights, probability
    )
    forms = {
        "authors_code": authors_code(a64, g64),
        "softmax": softmax_form(a64, head_kernel.astype(np.float64), probabilities.astype(np.float64), target),
    }
    for method, m in [*maps.items(), *smooth.items(), *forms.items()]:
        assert m.max() > 0 and (m.size == 1 or np.ptp(m) > 0), (name, method, "degenerate map")
    return {
        "name": name,
        "shape": shape,
        "activations": floats(a),
        "gradients": floats(g),
        "class_weights": floats(class_weights),
        "kernel_shape": [*kernel_shape, c],
        "kernel": floats(kernel),
        "probability": float(probability),
        "zero_alpha_channel": zero_alpha,
        "head_kernel_shape": list(head_kernel.shape),
        "head_kernel": floats(head_kernel),
        "probabilities": floats(probabilities),
        "class": target,
        "maps": digits(maps),
        "forms": digits(forms),
        "eigen_smooth": digits(smooth),
    }


def digits(maps):
    return {method: [float(f"{v:.10g}") for v in m.ravel()] for method, m in maps.items()}


def floats(x):
    """Shortest decimals that give the same float32 back."""
    return [float(str(v)) for v in x.ravel()]


def main():
    rng = np.random.default_rng(SEED)
    cases = [
        case("relu activations, logit-sized gradients", rng, (5, 4, 6), "relu", 0.05, (3, 3, 2)),
        case("tiny gradients, as of a saturated probability", rng, (4, 4, 5), "relu", 1e-12, (3, 3, 2)),
        case("a channel without gradient", rng, (3, 5, 7), "relu", 0.2, (1, 1, 4), dead_channel=True),
        case("swish activations", rng, (4, 5, 9), "swish", 0.3, (3, 2, 2)),
        case("negative sums, poles of alpha", rng, (5, 5, 8), "linear", 0.5, (3, 3, 1)),
        case("one position", rng, (1, 1, 13), "relu", 1.0, (5, 5, 1)),
    ]
    lines = ",\n".join(json.dumps(c) for c in cases)
    pathlib.Path(__file__).with_name("goldens.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
