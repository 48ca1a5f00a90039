"""Runs torch-cam and writes goldens/torchcam.json. In an environment of its own: see scripts/peers.sh."""

import contextlib

import numpy as np
import torch
from torchcam import methods, metrics

import models
from arithmetic import blur, resize
from golden import FACTOR, Golden, input_map
from many_runs import noise
from measures import curve, order, stretched
from network import relu
from peer_torch import tensor
from question import ask

NEAR = 2e-5


def run(kind, q, layers=None, normalized=False, **arguments):
    model = models.torch_model(q.model)
    layers = [model.get_submodule(f"{layer}_relu") for layer in layers or [q.layer]]
    with kind(model, layers, **arguments) as extractor:
        maps = extractor(q.target, model(tensor(q.x)), normalized=normalized)
        return extractor.fuse_cams(maps)[0].numpy()


def cam(q):
    model = models.torch_model(q.model)
    with methods.CAM(model, f"{q.layer}_relu", fc_layer="logits") as extractor:
        model(tensor(q.x))
        return extractor(q.target, normalized=False)[0][0].numpy()


def smooth(q, options):
    """SmoothGradCAMpp with explaind's noise."""
    model, draws = models.torch_model(q.model), iter(tensor(noise(q, options)))
    with methods.SmoothGradCAMpp(model, f"{q.layer}_relu", num_samples=options["noise"]["samples"]) as extractor:
        extractor._distrib.sample = lambda size: next(draws)[None]
        model(tensor(q.x))
        return extractor(q.target, normalized=False)[0][0].detach().numpy()


def undivided(q):
    """Grad-CAM++ whose α is g², undivided."""
    return relu(((q.g**2 * relu(q.g)).sum(axis=(0, 1)) * q.a).sum(axis=2))


def last_gradient(q, options):
    """Smooth Grad-CAM++ with Σ(A·D³) for (ΣA)·D³, and gradient and activations of the last noisy picture at the end."""
    disturbed = q.x + noise(q, options)
    gradients = q.gradients(disturbed, q.layer)
    d2, d3 = (gradients**2).mean(axis=0), (gradients**3).mean(axis=0)
    alpha = d2 / (2 * d2 + (d3 * q.a).sum(axis=(0, 1)) + 1e-8)
    a = q.network.activations(disturbed[-1:], q.layer)[0]
    return relu(((alpha * relu(gradients[-1])).sum(axis=(0, 1)) * a).sum(axis=2))


def early_masks(q):
    """Score-CAM whose masks are stretched before they are enlarged, with channels that are off in the softmax."""
    masks = (q.a - q.a.min(axis=(0, 1))) / (np.ptp(q.a, axis=(0, 1)) + 1e-8)
    scores = np.exp(q.scores(q.x * resize(masks, 32, 32).transpose(2, 0, 1)[..., None]))
    return relu((scores / scores.sum() * q.a).sum(axis=2))


class Given:
    """Stands in for an extractor, so that a metric measures the map that is given."""

    def __init__(self, q, values):
        self.model, self.values = models.torch_model(q.model), torch.from_numpy(values.astype(np.float32))[None]

    def __call__(self, *arguments, **named):
        return [self.values]

    def fuse_cams(self, maps):
        return maps[0]

    def _hooks_off(self):
        return contextlib.nullcontext()


def measured(kind, q, values, **arguments):
    metric = kind(Given(q, values), lambda logits: torch.softmax(logits, dim=-1), **arguments)
    metric.update(tensor(q.x), q.target)
    return metric.summary()


def longer_steps(q, values, before, after):
    """20 steps of 52 pixels each, so that the last is shorter."""
    counts = [*range(0, 1024, 52), 1024]
    y = curve(q, order(values), before, after, counts)
    return np.trapezoid(y, np.array(counts) / 1024)


def main():
    golden = Golden("torchcam", "torch", "numpy")
    vgg, early, gap, first = (
        ask("peer_vgg"),
        ask("peer_vgg", "block2_conv2"),
        ask("peer_gap"),
        ask("peer_vgg", "block1_conv2"),
    )
    second = ask("peer_vgg", picture=1, rank=2)
    golden.case("cam, gap", gap, "cam", cam(gap), "CAM(normalized=False)", agrees=NEAR)
    for name, q in (("vgg", vgg), ("vgg early", early), ("gap", gap), ("vgg, 2nd class", second)):
        for method, kind in (
            ("grad_cam", methods.GradCAM),
            ("xgrad_cam", methods.XGradCAM),
            ("layer_cam", methods.LayerCAM),
        ):
            golden.case(f"{method}, {name}", q, method, run(kind, q), f"{kind.__name__}(normalized=False)", agrees=NEAR)
        golden.case(
            f"grad_cam_plus_plus, {name}",
            q,
            "grad_cam_plus_plus",
            run(methods.GradCAMpp, q),
            "GradCAMpp(normalized=False)",
            FACTOR,
            differs="α is g²: its division by the denominator is lost",
            by=undivided(q),
        )
    options = {"seed": 11, "noise": {"samples": 6, "level": 0.125}}
    for name, q in (("vgg", vgg), ("vgg early", early)):
        golden.case(
            f"smooth_grad_cam_plus_plus, {name}",
            q,
            "smooth_grad_cam_plus_plus",
            smooth(q, options),
            "SmoothGradCAMpp(num_samples=6, normalized=False) with explaind's noise",
            FACTOR,
            options,
            differs="Σ(A·D³) for (ΣA)·D³; gradient and activations at the end are those of the last noisy picture",
            by=last_gradient(q, options),
        )
    golden.case(
        "score_cam, layer of the input's size",
        first,
        "score_cam",
        run(methods.ScoreCAM, first),
        "ScoreCAM(normalized=False)",
        agrees=NEAR,
    )
    golden.case(
        "score_cam, vgg",
        vgg,
        "score_cam",
        run(methods.ScoreCAM, vgg),
        "ScoreCAM(normalized=False)",
        FACTOR,
        differs="masks are stretched to 0…1 before they are enlarged",
        by=early_masks(vgg),
    )
    layers, options = ["block1_conv2", "block3_conv2"], {"fusion": "FUSION_MAX"}
    for method, kind in (("grad_cam", methods.GradCAM), ("layer_cam", methods.LayerCAM)):
        values = run(kind, first, layers, normalized=True)
        golden.case(
            f"{method}, two layers",
            first,
            method,
            values,
            f"{kind.__name__}.fuse_cams",
            FACTOR,
            options,
            layers=layers,
            agrees=NEAR,
        )
    for name, q, method in (("vgg", vgg, "gradient_x_input"), ("gap", gap, "integrated_gradients")):
        values = input_map(q, method)
        found = measured(metrics.ClassificationMetric, q, stretched(values))
        golden.number(
            f"average_drop, {name}", q, method, "average_drop", found["avg_drop"], "ClassificationMetric", agrees=1e-5
        )
        golden.number(
            f"increase, {name}", q, method, "increase", found["conf_increase"], "ClassificationMetric", agrees=0
        )
        why = "20 steps of 52 pixels, the last one shorter, for steps that differ by one pixel"
        for measure, before, after, named in (
            ("deletion_auc", q.x, 0 * q.x, {}),
            ("insertion_auc", blur(q.x), q.x, {"baseline": tensor(blur(q.x))}),
        ):
            value = measured(metrics.DeletionInsertionMetric, q, values, **named)[measure]
            golden.number(
                f"{measure}, {name}",
                q,
                method,
                measure,
                value,
                "DeletionInsertionMetric(steps=20)",
                differs=why,
                by=longer_steps(q, values, before, after),
            )
    golden.write()


if __name__ == "__main__":
    main()
