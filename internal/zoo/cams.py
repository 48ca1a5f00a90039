"""The methods that weigh the activations of a layer. Each returns the stack [h, w, K] whose sum over the channels is the
map, before the formula's ReLU: question → stack. The sum may be replaced by the first principal component."""

import numpy as np

import formulas
from network import Target, softmax
from pixels import stretch, upscale


def layer_map(q):
    stack = WEIGHTED[q.method](q)
    smooth = q.options.get("eigen_smooth", False)
    m = formulas.first_component(formulas.centred(stack)) if smooth else stack.sum(axis=2)
    return m if q.method in SIGNED else formulas.relu(m)


def cam(q):
    a, _ = q.evidence()
    weights = q.network.head.kernel.numpy().astype(np.float64) @ q.target.weights(q.network.classes)
    return weights * a


def grad_cam(q):
    a, g = q.evidence()
    return g.mean(axis=(0, 1)) * a


def hires_cam(q):
    a, g = q.evidence()
    return g * a


def xgrad_cam(q):
    a, g = q.evidence()
    return formulas.xgrad_weights(a, g) * a


def layer_cam(q):
    a, g = q.evidence()
    return formulas.relu(g) * a


def grad_cam_plus_plus(q):
    """Chattopadhay et al. 2018."""
    form = q.options.get("grad_cam_plus_plus_form", "GRAD_CAM_PLUS_PLUS_FORM_EXPONENTIAL")
    if form == "GRAD_CAM_PLUS_PLUS_FORM_SOFTMAX":
        return softmax_weights(q) * q.evidence()[0]
    a, g = q.evidence()
    denominator = 2 * g**2 + a.sum(axis=(0, 1)) * g**3
    alpha = quotient(g**2, denominator, denominator)  # 19
    if form == "GRAD_CAM_PLUS_PLUS_FORM_AUTHORS_CODE":
        total = np.where(g > 0, alpha, 0).sum(axis=(0, 1))
        alpha = alpha / np.where(total > 0, total, 1)
    return (alpha * formulas.relu(g)).sum(axis=(0, 1)) * a  # 5


def softmax_weights(q):
    """Eq. 22 to 24: the derivatives of the softmax at every position, from the gradients of all logits."""
    a, _ = q.evidence()
    classes = range(q.network.classes)
    g = np.stack([q.network.evidence(q.image[None], q.layer, Target(m))[1][0] for m in classes])
    y = q.network.probabilities(q.image[None])[0][:, None, None, None]

    def mean(values):
        return (values * g).sum(axis=0)

    first = y * (g - mean(y))  # 22
    second = first * (g - mean(y)) - y * mean(first)  # 23
    third = second * (g - mean(y)) - 2 * first * mean(first) - y * mean(second)  # 24
    c = q.target.index
    denominator = 2 * second[c] + a.sum(axis=(0, 1)) * third[c]
    alpha = quotient(second[c], denominator, np.abs(denominator))
    return (alpha * formulas.relu(first[c])).sum(axis=(0, 1))


def smooth_grad_cam_plus_plus(q):
    """Omeiza et al. 2019, the derivatives averaged over disturbed images."""
    a, _ = q.evidence()
    _, g = q.network.evidence(q.noisy(), q.layer, q.target)
    first, second, third = (np.mean(g**power, axis=0) for power in (1, 2, 3))
    denominator = 2 * second + a.sum(axis=(0, 1)) * third
    alpha = quotient(second, denominator, denominator)
    return (alpha * formulas.relu(first)).sum(axis=(0, 1)) * a


def quotient(numerator, denominator, size):
    """α, with 0 where the numerator vanishes or the denominator, of which size is what counts, is at a pole."""
    usable = (numerator != 0) & (size >= formulas.LEAST_DENOMINATOR * np.abs(numerator))
    return np.where(usable, numerator / np.where(usable, denominator, 1), 0)


def score_cam(q):
    """Wang et al. 2020: Algorithm 1, or the authors' code."""
    a, _ = q.evidence()
    x, weights = q.image, np.zeros(a.shape[2])
    kept = np.flatnonzero(np.ptp(a, axis=(0, 1)) > 0)
    if most := q.option("score_cam", "max_channels"):
        spread = a[:, :, kept].std(axis=(0, 1))
        kept = kept[np.argsort(-spread, kind="stable")[:most]]
    masks = np.stack([stretch(upscale(a[:, :, k], *x.shape[:2])) for k in kept])
    masked = x * masks[..., None]
    if q.option("score_cam", "form") == "SCORE_CAM_FORM_OFFICIAL_CODE":
        weights[kept] = q.network.scores(masked, q.target.of_probability())
    else:
        weights[kept] = softmax(q.score(masked))
    return weights * a


def ablation_cam(q):
    """Desai and Ramaswamy 2020."""
    a, _ = q.evidence()
    ablated = np.repeat(a[None], a.shape[2], axis=0)
    for k in range(a.shape[2]):
        ablated[k, :, :, k] = 0
    whole = q.score(q.image[None])
    return (whole - q.network.scores_from(q.layer, q.image, ablated, q.target)) / np.abs(whole) * a


WEIGHTED = {
    f.__name__: f
    for f in (
        cam,
        grad_cam,
        grad_cam_plus_plus,
        hires_cam,
        xgrad_cam,
        layer_cam,
        smooth_grad_cam_plus_plus,
        score_cam,
        ablation_cam,
    )
}
SIGNED = ("cam", "hires_cam")
