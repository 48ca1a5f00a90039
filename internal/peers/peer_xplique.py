"""Runs Xplique and writes goldens/xplique.json. In an environment of its own: see scripts/peers.sh."""

import keras
import numpy as np
import tensorflow as tf
from xplique import attributions, metrics
from xplique.attributions.gradient_statistics.gradient_statistic import GradientStatistic

import models
from arithmetic import blur
from golden import FACTOR, Golden, input_map
from many_runs import noise, rise_masks
from measures import curve, order, stretched
from network import relu
from ours import explain
from question import ask

NEAR = 2e-5


def model_of(q):
    return models.keras_model(q.model, logits=q.score == "logit")


def batch(q):
    return q.x[None].astype(np.float32), np.eye(models.CLASSES, dtype=np.float32)[[q.target]]


def attribute(kind, q, model=None, **arguments):
    return np.asarray(kind(model or model_of(q), **arguments).explain(*batch(q)))[0]


def layer_map(kind, q, model=None, **arguments):
    """The map at the layer's size: the steps of explain, without the enlargement."""
    explainer = kind(model or model_of(q), conv_layer=q.layer, **arguments)
    a, g = explainer._gradient(*(tf.constant(part) for part in batch(q)))
    return explainer._apply_weights(explainer._compute_weights(g, a), a)[0]


def disturbed(kind, q, options):
    """kind with explaind's noise, [H, W, C]."""
    draws, perturb = noise(q, options), GradientStatistic._perturb_samples
    GradientStatistic._perturb_samples = staticmethod(lambda inputs, count, level: inputs + draws)
    try:
        return attribute(kind, q, reducer=None, nb_samples=len(draws), batch_size=None)
    finally:
        GradientStatistic._perturb_samples = perturb


def masked(q, options):
    """RISE with explaind's masks."""
    masks, apply = rise_masks(q, options)[..., None].astype(np.float32), attributions.Rise._apply_masks
    given = iter(np.array_split(masks, len(masks) // 50))
    attributions.Rise._apply_masks = staticmethod(
        lambda x, binary, value: (lambda m: (m * x[None], m))(tf.constant(next(given)))
    )
    try:
        return attribute(attributions.Rise, q, nb_samples=len(masks), batch_size=50)
    finally:
        attributions.Rise._apply_masks = apply


def means_for_sums(q):
    """Grad-CAM++ with the mean of A for its sum."""
    denominator = 2 * q.g**2 + q.g**3 * q.a.mean(axis=(0, 1))
    alpha = q.g**2 / np.where(denominator == 0, 1e-4, denominator)
    return relu(((alpha * relu(q.g)).mean(axis=(0, 1)) * q.a).sum(axis=2))


def summed(q, patch, stride):
    """Occlusion whose overlaps are added up, and that leaves a rest at the border uncovered."""
    side = q.x.shape[0]
    total = np.zeros((side, side))
    for y in range(0, side - patch + 1, stride):
        for x in range(0, side - patch + 1, stride):
            covered = q.x.copy()
            covered[y : y + patch, x : x + patch] = 0
            total[y : y + patch, x : x + patch] += (q.scores(q.x[None]) - q.scores(covered[None]))[0]
    return total


def measured(kind, q, values, **arguments):
    images, targets = batch(q)
    metric = kind(models.keras_model(q.model), images, targets, **arguments)
    return float(metric.evaluate(values[None].astype(np.float32)))


def truncated(q, values, before, after, steps):
    y = curve(q, order(values), before, after, np.linspace(0, values.size, steps + 1, dtype=np.int32).tolist())
    return ((y[1:] + y[:-1]) / 2).mean()


def main():
    golden = Golden("xplique", "tensorflow-cpu", "keras", "numpy")
    vgg, early, gap = ask("peer_vgg"), ask("peer_vgg", "block2_conv2"), ask("peer_gap")
    first, likely = ask("peer_vgg", "block1_conv2"), ask("peer_vgg", score="probability")
    second = ask("peer_vgg", picture=1, rank=2)
    for name, q in (
        ("vgg", vgg),
        ("vgg early", early),
        ("gap", gap),
        ("vgg, 2nd class", second),
        ("vgg, probability", likely),
    ):
        golden.case(
            f"grad_cam, {name}",
            q,
            "grad_cam",
            layer_map(attributions.GradCAM, q),
            "GradCAM before it is enlarged",
            agrees=NEAR,
        )
    golden.case(
        "grad_cam, layer of the input's size",
        first,
        "grad_cam",
        attribute(attributions.GradCAM, first, conv_layer=first.layer),
        "GradCAM",
        agrees=NEAR,
    )
    for name, q in (("vgg", vgg), ("vgg early", early), ("gap", gap)):
        golden.case(
            f"grad_cam_plus_plus, {name}",
            q,
            "grad_cam_plus_plus",
            layer_map(attributions.GradCAMPP, q),
            "GradCAMPP before it is enlarged",
            FACTOR,
            differs="means of A and of α·ReLU(g) for sums",
            by=means_for_sums(q),
        )
    without_effect(golden, vgg, likely)

    for name, q in (("vgg", vgg), ("gap", gap), ("vgg, probability", likely)):
        golden.case(f"saliency, {name}", q, "saliency", attribute(attributions.Saliency, q), "Saliency", agrees=NEAR)
        golden.case(
            f"gradient_x_input, {name}",
            q,
            "gradient_x_input",
            attribute(attributions.GradientInput, q),
            "GradientInput",
            FACTOR,
            agrees=NEAR,
        )
        golden.case(
            f"integrated_gradients, {name}",
            q,
            "integrated_gradients",
            attribute(attributions.IntegratedGradients, q, steps=51),
            "IntegratedGradients(steps=51)",
            FACTOR,
            agrees=NEAR,
        )
        values = abs(attribute(attributions.GuidedBackprop, q, reducer=None)).max(axis=2)
        golden.case(
            f"guided_backprop, {name}",
            q,
            "guided_backprop",
            values,
            "GuidedBackprop(reducer=None), largest magnitude of the channels",
            agrees=NEAR,
        )
    channels = vgg.x * (vgg.gradients(vgg.x[None])[0])
    golden.case(
        "gradient_x_input as it comes",
        vgg,
        "gradient_x_input",
        attribute(attributions.GradientInput, vgg),
        "GradientInput",
        differs="the mean of the channels for their sum",
        by=channels.mean(axis=2),
    )
    golden.case(
        "integrated_gradients as it comes",
        vgg,
        "integrated_gradients",
        3 * attribute(attributions.IntegratedGradients, vgg),
        "IntegratedGradients, times 3",
        differs="steps=50 are 50 points and 49 steps",
        by=explain(vgg, "integrated_gradients", {"integrated_gradients": {"steps": 49}}),
    )
    smoothed(golden, vgg, gap)
    covered(golden, vgg, gap)
    for name, q, method in (
        ("vgg", vgg, "gradient_x_input"),
        ("gap", gap, "integrated_gradients"),
        ("vgg, last class", ask("peer_vgg", rank=10), "gradient_x_input"),
    ):
        faithful(golden, name, q, method)
    golden.write()


def without_effect(golden, vgg, likely):
    """output_layer, which is meant to skip the softmax."""
    whole = models.keras_model("peer_vgg")
    values = layer_map(attributions.GradCAM, vgg, whole, output_layer="logits")
    call = "GradCAM(output_layer='logits') of the model with softmax"
    golden.case("grad_cam, output_layer", likely, "grad_cam", values, call, agrees=NEAR)
    why = "output_layer has no effect: the score stays the probability"
    golden.case(
        "grad_cam, output_layer, against the logit",
        vgg,
        "grad_cam",
        values,
        call,
        differs=why,
        by=explain(likely, "grad_cam"),
    )
    values = attribute(attributions.Saliency, vgg, whole, output_layer="logits")
    call = call.replace("GradCAM", "Saliency")
    golden.case("saliency, output_layer", likely, "saliency", values, call, agrees=NEAR)
    golden.case(
        "saliency, output_layer, against the logit",
        vgg,
        "saliency",
        values,
        call,
        differs=why,
        by=explain(likely, "saliency"),
    )


def smoothed(golden, vgg, gap):
    options = {"seed": 11, "noise": {"samples": 10, "level": 0.125}}
    gradients = vgg.gradients(vgg.x + noise(vgg, options))
    kinds = {"MEAN": attributions.SmoothGrad, "VARIANCE": attributions.VarGrad, "SQUARE": attributions.SquareGrad}
    for statistic, kind in kinds.items():
        options["noise"]["statistic"] = f"NOISE_STATISTIC_{statistic}"
        values = abs(disturbed(kind, vgg, options)).max(axis=2)
        call = f"{kind.__name__}(reducer=None) with explaind's noise, largest magnitude of the channels"
        claim = {"agrees": 1e-4}
        if statistic == "VARIANCE":
            claim = {"differs": "divides by n − 1, not by n", "by": gradients.var(axis=0, ddof=1).max(axis=2)}
        golden.case(
            f"{kind.__name__}, vgg",
            vgg,
            "smooth_grad",
            values,
            call,
            options={**options, "noise": dict(options["noise"])},
            **claim,
        )


def covered(golden, vgg, gap):
    for name, q, patch, stride in (("vgg", vgg, 8, 8), ("gap", gap, 4, 4)):
        options = {"occlusion": {"patch": patch, "stride": stride}}
        values = attribute(attributions.Occlusion, q, patch_size=patch, patch_stride=stride)
        call = f"Occlusion(patch_size={patch}, patch_stride={stride})"
        golden.case(f"occlusion, {name}", q, "occlusion", values, call, options=options, agrees=NEAR)
    for patch, stride, why in (
        (8, 4, "overlaps are added up, not averaged"),
        (5, 5, "the rest at the border is never covered"),
    ):
        options = {"occlusion": {"patch": patch, "stride": stride}}
        values = attribute(attributions.Occlusion, vgg, patch_size=patch, patch_stride=stride)
        golden.case(
            f"occlusion, patch {patch}, stride {stride}",
            vgg,
            "occlusion",
            values,
            f"Occlusion(patch_size={patch}, patch_stride={stride})",
            options=options,
            differs=why,
            by=summed(vgg, patch, stride),
        )
    options = {"seed": 11, "rise": {"masks": 500}}
    likely = ask("peer_vgg", score="probability")
    masks = rise_masks(likely, options)
    golden.case(
        "rise, explaind's masks",
        likely,
        "rise",
        masked(likely, options),
        "Rise(nb_samples=500) with explaind's masks",
        options=options,
        differs="divides by the masks' own sum at each pixel, not by N·p",
        by=np.tensordot(likely.probabilities(likely.x * masks[..., None]), masks, 1) / (masks.sum(axis=0) + 1e-4),
    )


def faithful(golden, name, q, method):
    values = input_map(q, method)
    for kind, measure, before, after, start in (
        (metrics.Deletion, "deletion_auc", q.x, 0 * q.x, 0.0),
        (metrics.Insertion, "insertion_auc", blur(q.x), q.x, lambda x: blur(q.x)[None].astype(np.float32)),
    ):
        value = measured(kind, q, values, steps=20, baseline_mode=start)
        golden.number(
            f"{measure}, {name}",
            q,
            method,
            measure,
            value,
            f"{kind.__name__}(steps=20)",
            differs="steps are cut to whole pixels instead of rounded",
            by=truncated(q, values, before, after, 20),
        )
    kinds = {
        "average_drop": "AverageDropMetric",
        "increase": "AverageIncreaseMetric",
        "average_gain": "AverageGainMetric",
    }
    for measure, kind in kinds.items():
        value = measured(getattr(metrics, kind), q, stretched(values))
        golden.number(
            f"{measure}, {name}", q, method, measure, value, f"{kind} of the map stretched to 0…1", agrees=1e-5
        )


if __name__ == "__main__":
    keras.utils.disable_interactive_logging()
    main()
