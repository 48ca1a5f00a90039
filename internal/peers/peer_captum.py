"""Runs Captum and writes goldens/captum.json. In an environment of its own: see scripts/peers.sh."""

import numpy as np
import torch
from captum import attr

from golden import FACTOR, Golden
from many_runs import baseline, noise
from ours import explain, guided_backprop
from peer_torch import Scored, picture, tensor
from question import ask

NEAR = 2e-5


def over_channels(values, how):
    return {"sum": np.sum, "max": lambda v, axis: abs(v).max(axis=axis)}[how](values, axis=2)


def attribute(kind, q, **arguments):
    """The attribution [H, W, C] by kind(model)."""
    return picture(kind(Scored(q)).attribute(tensor(q.x), target=0, **arguments))


def layer_grad_cam(q, **arguments):
    model = Scored(q)
    return picture(attr.LayerGradCam(model, model.layer).attribute(tensor(q.x), target=0, **arguments))


def guided_grad_cam(q, **arguments):
    model = Scored(q)
    return picture(attr.GuidedGradCam(model, model.layer).attribute(tensor(q.x), target=0, **arguments))


def noise_tunnel(q, options, kind="smoothgrad", drawn=None, **arguments):
    """NoiseTunnel over the gradient, with explaind's noise in place of torch.normal's, or with its own."""
    draws = noise(q, options)
    level = float(options["noise"]["level"] * np.ptp(q.x))
    normal = torch.normal
    if drawn is None:
        torch.normal = lambda mean, deviations: tensor(draws)
    try:
        tunnel = attr.NoiseTunnel(attr.Saliency(Scored(q)))
        made = tunnel.attribute(tensor(q.x), nt_type=kind, nt_samples=len(draws), stdevs=level, target=0, **arguments)
    finally:
        torch.normal = normal
    return picture(made)


def gauss_legendre(q, count):
    """Integrated Gradients from 0 by that rule, per channel."""
    points, weights = np.polynomial.legendre.leggauss(count)
    gradients = q.gradients(q.x * ((1 + points) / 2)[:, None, None, None])
    return (q.x * np.tensordot(weights / 2, gradients, 1)).sum(axis=2)


def cut_windows(q, patch, stride):
    """Occlusion whose last windows are cut off by the border instead of moved inside."""
    side = q.x.shape[0]
    places = range(0, side - patch + stride, stride)
    total, count = np.zeros((side, side)), np.zeros((side, side))
    for y in places:
        for x in places:
            covered = q.x.copy()
            covered[y : y + patch, x : x + patch] = 0
            total[y : y + patch, x : x + patch] += (q.scores(q.x[None]) - q.scores(covered[None]))[0]
            count[y : y + patch, x : x + patch] += 1
    return total / count


def nearest(values, height, width):
    return values.repeat(height // values.shape[0], axis=0).repeat(width // values.shape[1], axis=1)


def main():
    golden = Golden("captum", "torch", "numpy")
    vgg, early, gap = ask("peer_vgg"), ask("peer_vgg", "block2_conv2"), ask("peer_gap")
    named = {
        "vgg": vgg,
        "vgg early": early,
        "gap": gap,
        "vgg, probability": ask("peer_vgg", score="probability"),
        "vgg, 2nd class": ask("peer_vgg", picture=1, rank=2),
        "vgg, 1st rather than 2nd class": ask("peer_vgg", versus=2),
        "gap, 2nd rather than 1st class": ask("peer_gap", rank=2, versus=1),
    }
    for name, q in named.items():
        values = layer_grad_cam(q, relu_attributions=True)
        golden.case(f"grad_cam, {name}", q, "grad_cam", values, "LayerGradCam(relu_attributions)", agrees=NEAR)
        if q is early or q.picture:
            continue
        values = over_channels(attribute(attr.Saliency, q), "max")
        golden.case(f"saliency, {name}", q, "saliency", values, "Saliency, largest of the channels", agrees=NEAR)
        values = over_channels(attribute(attr.InputXGradient, q), "sum")
        golden.case(
            f"gradient_x_input, {name}",
            q,
            "gradient_x_input",
            values,
            "InputXGradient, sum of the channels",
            agrees=NEAR,
        )
        if q.model == "peer_gap" and q.versus is not None:
            continue
        values = over_channels(attribute(attr.GuidedBackprop, q), "max")
        call = "GuidedBackprop, largest magnitude of the channels"
        golden.case(f"guided_backprop, {name}", q, "guided_backprop", values, call, agrees=NEAR)
        values = over_channels(guided_grad_cam(q, interpolate_mode="bilinear"), "max")
        call = "GuidedGradCam(interpolate_mode='bilinear'), largest magnitude of the channels"
        golden.case(f"guided_grad_cam, {name}", q, "guided_grad_cam", values, call, agrees=NEAR)
    golden.case(
        "grad_cam without ReLU",
        vgg,
        "grad_cam",
        layer_grad_cam(vgg),
        "LayerGradCam",
        differs="has no ReLU unless asked",
        by=(vgg.g.mean(axis=(0, 1)) * vgg.a).sum(axis=2),
    )
    golden.case(
        "guided_grad_cam as it comes",
        vgg,
        "guided_grad_cam",
        over_channels(guided_grad_cam(vgg), "max"),
        "GuidedGradCam, largest magnitude of the channels",
        differs="the map is enlarged by repeating its values",
        by=guided_backprop(vgg, {}) * nearest(explain(vgg, "grad_cam"), 32, 32),
    )
    integrated(golden, vgg, gap)
    occluded(golden, vgg, gap)
    smoothed(golden, vgg, gap)
    golden.write()


def integrated(golden, vgg, gap):
    method, call = (
        "integrated_gradients",
        "IntegratedGradients(method='riemann_trapezoid', n_steps=51), sum of the channels",
    )
    trapezoid = {"method": "riemann_trapezoid", "n_steps": 51}
    for name, q in (("vgg", vgg), ("gap", gap)):
        values = over_channels(attribute(attr.IntegratedGradients, q, **trapezoid), "sum")
        golden.case(f"{method}, {name}, up to a factor", q, method, values, call, FACTOR, agrees=NEAR)
        why = "51 points have weights of 1/51, not 1/50: the map is 2 % too small"
        golden.case(f"{method}, {name}", q, method, values, call, differs=why, by=explain(q, method) * 50 / 51)
        values = over_channels(attribute(attr.IntegratedGradients, q), "sum")
        why = "50 points of Gauss and Legendre instead of 51 of the trapezoid rule"
        golden.case(
            f"{method}, {name}, as it comes",
            q,
            method,
            values,
            "IntegratedGradients, sum of the channels",
            differs=why,
            by=gauss_legendre(q, 50),
        )
    for name in ("MEAN", "BLUR"):
        options = {method: {"baseline": f"BASELINE_{name}", "steps": 20}}
        start = tensor(baseline(vgg.x, options[method]))
        values = over_channels(
            attribute(attr.IntegratedGradients, vgg, baselines=start, method="riemann_trapezoid", n_steps=21), "sum"
        )
        golden.case(
            f"{method}, from the {name.lower()}",
            vgg,
            method,
            values,
            call.replace("51", "21"),
            FACTOR,
            options,
            agrees=NEAR,
        )


def occluded(golden, vgg, gap):
    def occlusion(q, patch, stride, baselines=0):
        made = attribute(
            attr.Occlusion, q, sliding_window_shapes=(3, patch, patch), strides=(3, stride, stride), baselines=baselines
        )
        return made[:, :, 0]

    for name, q, patch, stride in (("vgg", vgg, 8, 4), ("gap", gap, 8, 8), ("vgg, single pixels", vgg, 1, 1)):
        options = {"occlusion": {"patch": patch, "stride": stride}}
        call = f"Occlusion(({3}, {patch}, {patch}), strides=({3}, {stride}, {stride}))"
        golden.case(
            f"occlusion, {name}", q, "occlusion", occlusion(q, patch, stride), call, options=options, agrees=NEAR
        )
    options = {"occlusion": {"patch": 8, "stride": 4, "baseline": "BASELINE_MEAN"}}
    values = occlusion(vgg, 8, 4, tensor(baseline(vgg.x, options["occlusion"])))
    golden.case(
        "occlusion by the mean", vgg, "occlusion", values, "Occlusion(baselines=mean)", options=options, agrees=NEAR
    )
    golden.case(
        "occlusion, windows that do not fit",
        vgg,
        "occlusion",
        occlusion(vgg, 5, 2),
        "Occlusion((3, 5, 5), strides=(3, 2, 2))",
        differs="the last windows are cut off by the border; explaind moves them inside",
        by=cut_windows(vgg, 5, 2),
    )


def smoothed(golden, vgg, gap):
    kinds = {"MEAN": "smoothgrad", "VARIANCE": "vargrad", "SQUARE": "smoothgrad_sq"}
    for statistic, kind in kinds.items():
        options = {"seed": 11, "noise": {"samples": 10, "level": 0.125, "statistic": f"NOISE_STATISTIC_{statistic}"}}
        for name, q in (("vgg", vgg), ("gap", gap)):
            values = over_channels(noise_tunnel(q, options, kind, abs=False), "max")
            call = (
                f"NoiseTunnel(Saliency, '{kind}', abs=False) with explaind's noise, largest magnitude of the channels"
            )
            golden.case(f"{kind}, {name}", q, "smooth_grad", values, call, options=options, agrees=1e-4)
    options = {"seed": 11, "noise": {"samples": 10, "level": 0.125}}
    gradients = vgg.gradients(vgg.x + noise(vgg, options))
    golden.case(
        "smoothgrad of magnitudes",
        vgg,
        "smooth_grad",
        over_channels(noise_tunnel(vgg, options), "max"),
        "NoiseTunnel(Saliency) with explaind's noise, largest of the channels",
        options=options,
        differs="Saliency takes magnitudes, so that they are averaged instead of gradients",
        by=abs(gradients).mean(axis=0).max(axis=2),
    )
    torch.manual_seed(0)
    options = {"seed": 11, "noise": {"samples": 400, "level": 0.125}}
    golden.case(
        "smoothgrad, its own noise",
        vgg,
        "smooth_grad",
        over_channels(noise_tunnel(vgg, options, drawn="its own", abs=False), "max"),
        "NoiseTunnel(Saliency, 'smoothgrad', abs=False), 400 samples, largest magnitude of the channels",
        options=options,
        agrees=0.3,
    )


if __name__ == "__main__":
    main()
