"""The methods that look at the gradient of the image: question → map [H, W]."""

import numpy as np

from pixels import baseline


def input_gradient(q, guided=False):
    return q.network.input_gradients(q.image[None], q.target, guided)[0]


def strongest(g):
    return np.abs(g).max(axis=2)


def saliency(q):
    """Simonyan et al. 2013."""
    return strongest(input_gradient(q))


def gradient_x_input(q):
    return (q.image * input_gradient(q)).sum(axis=2)


def guided_backprop(q):
    """Springenberg et al. 2014."""
    return strongest(input_gradient(q, guided=True))


def smooth_grad(q):
    """Smilkov et al. 2017; VarGrad and SquareGrad by the statistic."""
    g = q.network.input_gradients(q.noisy(), q.target)
    statistic = q.option("noise", "statistic", "NOISE_STATISTIC_MEAN")
    if statistic == "NOISE_STATISTIC_VARIANCE":
        return g.var(axis=0).max(axis=2)
    if statistic == "NOISE_STATISTIC_SQUARE":
        return (g**2).mean(axis=0).max(axis=2)
    assert statistic == "NOISE_STATISTIC_MEAN", statistic
    return strongest(g.mean(axis=0))


def integrated_gradients(q):
    """Sundararajan et al. 2017, by the trapezoid rule."""
    x, start, steps = path(q)
    t = np.arange(steps + 1)[:, None, None, None] / steps
    g = q.network.input_gradients(start + t * (x - start), q.target)
    mean = ((g[1:] + g[:-1]) / 2).mean(axis=0)
    return ((x - start) * mean).sum(axis=2)


def completeness(q, m):
    """What the explanation of integrated_gradients says beside the map m."""
    x, start, _ = path(q)
    after, before = q.score(np.stack([x, start]))
    return {"score_change": after - before, "completeness_gap": abs(m.sum() - (after - before))}


def path(q):
    x = q.image.astype(np.float64)
    start = baseline(x, q.option("integrated_gradients", "baseline", ""))
    return x, start, q.option("integrated_gradients", "steps", 50)
