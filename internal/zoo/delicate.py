"""The methods that do not average the gradients over the positions, or that divide by something: a single unit of a ReLU
within a rounding error of zero, two components nearly as large, or a channel whose sum is nearly zero can change their
maps, whatever the image. So they have no say in the choice of images; a case leaves them out where that happens."""

import numpy as np

import formulas

METHODS = {
    "hires_cam": formulas.hires_cam,
    "xgrad_cam": formulas.xgrad_cam,
    "layer_cam": formulas.layer_cam,
    "eigen_cam": lambda a, g: formulas.eigen_cam(a),
    "eigen_grad_cam": formulas.eigen_grad_cam,
}
MOST_CHANGE = 3e-5  # of a map's range, for a change of the image by 1e-6


def nudged(images):
    """The images, changed by a relative 1e-6 in four ways; none of images that are bytes."""
    if np.issubdtype(images.dtype, np.integer):
        return []
    rng = np.random.default_rng(1)
    uneven = [1 + 1e-6 * rng.uniform(-1, 1, images.shape) for _ in range(2)]
    return [(images * factor).astype(images.dtype) for factor in (1 + 1e-6, 1 - 1e-6, *uneven)]


def delicate_maps(evidence, moved):
    """{method: [N, H, W]} for (A, g) of the images; moved holds those of the nudged images."""
    maps = {}
    for method, formula in METHODS.items():
        stack = np.stack([formula(a, g) for a, g in zip(*evidence)])
        others = (np.stack([formula(a, g) for a, g in zip(*e)]) for e in moved)
        if (
            all(shapely(m) for m in stack)
            and all(determined(method, m, a, g) for m, a, g in zip(stack, *evidence))
            and all(same(stack, other) for other in others)
        ):
            maps[method] = stack
    return maps


def shapely(m, relief=0.2):
    """Tells a map with shape, and with a maximum that it can be divided by, from a flat, empty or negative one."""
    size = np.abs(m).max()
    return bool(np.ptp(m) > relief * size and m.max() > 0.2 * size and (np.abs(m) > 0.01 * size).mean() > 0.04)


def determined(method, m, a, g):
    """Tells whether the formula has one answer."""
    if method == "xgrad_cam":
        return off_pole(m, a, g)
    if method == "eigen_cam":
        return one_component(a)
    if method == "eigen_grad_cam":
        return one_component(formulas.centred(g * a))
    return True


def off_pole(m, a, g):
    """Tells whether a relative error of 1e-6 in each activation leaves XGrad-CAM's weights, and so the map, alone."""
    error = 1e-6 * np.abs(a).sum(axis=(0, 1)) / np.abs(a.sum(axis=(0, 1)) + formulas.XGRAD_EPSILON)
    change = np.abs(formulas.xgrad_weights(a, g)) * error * np.abs(a).max(axis=(0, 1))
    return change.max() < MOST_CHANGE * np.ptp(m)


def one_component(stack):
    """Tells whether the first component of stack [H, W, C] stands out from the second, and one end of it from the other."""
    s = np.linalg.svd(stack.reshape(-1, stack.shape[2]), compute_uv=False)
    m = formulas.first_component(stack)
    return s[1] < 0.95 * s[0] and -m.min() < 0.95 * m.max()


def same(stack, others):
    return all(np.abs(m - n).max() < MOST_CHANGE * np.ptp(m) for m, n in zip(stack, others))
