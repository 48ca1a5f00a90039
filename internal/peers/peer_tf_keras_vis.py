"""Runs tf-keras-vis and writes goldens/tf-keras-vis.json. In an environment of its own: see scripts/peers.sh."""

import keras
import numpy as np
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation, ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

import models
from arithmetic import corner_zoom
from golden import FACTOR, SHOWN, Golden
from many_runs import noise
from network import relu, softmax
from ours import explain
from question import ask

NEAR = 2e-5
RAW = {"expand_cam": False, "normalize_cam": False}
AUTHORS = {"grad_cam_plus_plus_form": "GRAD_CAM_PLUS_PLUS_FORM_AUTHORS_CODE"}
OFFICIAL = {"score_cam": {"form": "SCORE_CAM_FORM_OFFICIAL_CODE"}}


def run(kind, q, model=None, guided=False, **arguments):
    modifiers = [ReplaceToLinear()] if q.score == "logit" and model is None else []
    modifiers += [GuidedBackpropagation()] if guided else []
    explainer = kind(model or models.keras_model(q.model), model_modifier=modifiers or None)
    if kind is not Saliency:
        arguments |= {"penultimate_layer": q.layer}
    return np.asarray(explainer(CategoricalScore(q.target), q.x[None].astype(np.float32), **arguments))[0]


def smooth(q, options, **arguments):
    """SmoothGrad with explaind's noise."""
    draws, normal = noise(q, options), np.random.normal
    np.random.normal = lambda mean, deviations, shape: draws[:, None]
    settings = options["noise"]
    try:
        return run(
            Saliency,
            q,
            smooth_samples=settings["samples"],
            smooth_noise=settings["level"],
            normalize_map=False,
            **arguments,
        )
    finally:
        np.random.normal = normal


def divided_by_all(q):
    """Grad-CAM++ whose α is divided by its sum over all positions, those with negative gradients too."""
    denominator = 2 * q.g**2 + q.a.sum(axis=(0, 1)) * q.g**3
    alpha = q.g**2 / np.where(q.g == 0, 1, denominator)
    total = alpha.sum(axis=(0, 1))
    alpha = alpha / np.where(total == 0, 1, total)
    return relu(((alpha * relu(q.g)).sum(axis=(0, 1)) * q.a).sum(axis=2))


def scored(q, of, enlarge):
    """Score-CAM whose weights are of(the model's probabilities)."""
    up = enlarge(q.a)
    masks = (up - up.min(axis=(0, 1))) / (np.ptp(up, axis=(0, 1)) + 1e-7)
    probabilities = q.network.probabilities(q.x * masks.transpose(2, 0, 1)[..., None])
    return relu((of(probabilities)[:, q.target] * q.a).sum(axis=2))


def main():
    golden = Golden("tf-keras-vis", "tensorflow-cpu", "keras", "numpy")
    vgg, early, gap, first = (
        ask("peer_vgg"),
        ask("peer_vgg", "block2_conv2"),
        ask("peer_gap"),
        ask("peer_vgg", "block1_conv2"),
    )
    named = {"vgg": vgg, "vgg early": early, "gap": gap, "vgg, probability": ask("peer_vgg", score="probability")}
    for name, q in named.items():
        golden.case(f"grad_cam, {name}", q, "grad_cam", run(Gradcam, q, **RAW), "Gradcam, raw", agrees=NEAR)
        golden.case(f"layer_cam, {name}", q, "layer_cam", run(Layercam, q, **RAW), "Layercam, raw", agrees=NEAR)
        golden.case(
            f"saliency, {name}", q, "saliency", run(Saliency, q, normalize_map=False), "Saliency, raw", agrees=NEAR
        )
        golden.case(
            f"guided_backprop, {name}",
            q,
            "guided_backprop",
            run(Saliency, q, guided=True, normalize_map=False),
            "Saliency of a model with GuidedBackpropagation, raw",
            agrees=NEAR,
        )
    shown = corner_zoom(explain(vgg, "grad_cam"), 32, 32)
    golden.case(
        "grad_cam as shown",
        vgg,
        "grad_cam",
        run(Gradcam, vgg),
        "Gradcam",
        SHOWN,
        differs="the map is enlarged with its corners on the picture's corners",
        by=shown,
    )

    method, call = "grad_cam_plus_plus", "GradcamPlusPlus, raw"
    golden.case(
        f"{method}, gap, authors' form",
        gap,
        method,
        run(GradcamPlusPlus, gap, **RAW),
        call,
        FACTOR,
        AUTHORS,
        agrees=NEAR,
    )
    for name, q in (("vgg", vgg), ("vgg early", early), ("gap", gap)):
        golden.case(
            f"{method}, {name}",
            q,
            method,
            run(GradcamPlusPlus, q, **RAW),
            call,
            FACTOR,
            differs="α is divided by its sum over all positions",
            by=divided_by_all(q),
        )
    golden.case(
        f"{method}, vgg, authors' form",
        vgg,
        method,
        run(GradcamPlusPlus, vgg, **RAW),
        call,
        FACTOR,
        AUTHORS,
        differs="the sum that α is divided by includes positions with negative gradients",
        by=divided_by_all(vgg),
    )

    method, call = "score_cam", "Scorecam, raw"
    likely = models.keras_model("peer_vgg", logits=True)
    golden.case(
        f"{method}, layer of the input's size, official form",
        first,
        method,
        run(Scorecam, first, likely, **RAW),
        "Scorecam of the model without softmax, raw",
        options=OFFICIAL,
        agrees=NEAR,
    )
    fewer = {"score_cam": {**OFFICIAL["score_cam"], "max_channels": 3}}
    golden.case(
        f"{method}, layer of the input's size, official form, 3 channels",
        first,
        method,
        run(Scorecam, first, likely, max_N=3, **RAW),
        "Scorecam(max_N=3) of the model without softmax, raw",
        options=fewer,
        agrees=NEAR,
    )
    whole = models.keras_model("peer_vgg")
    golden.case(
        f"{method}, layer of the input's size, two softmaxes",
        first,
        method,
        run(Scorecam, first, whole, **RAW),
        call,
        options=OFFICIAL,
        differs="takes the softmax of the probabilities",
        by=scored(first, softmax, lambda a: a),
    )
    golden.case(
        f"{method}, vgg, official form",
        vgg,
        method,
        run(Scorecam, vgg, likely, **RAW),
        "Scorecam of the model without softmax, raw",
        FACTOR,
        OFFICIAL,
        differs="masks are enlarged corner on corner",
        by=scored(vgg, lambda p: p, lambda a: corner_zoom(a, 32, 32)),
    )

    options = {"seed": 11, "noise": {"samples": 10, "level": 0.125}}
    gradients = vgg.gradients(vgg.x + noise(vgg, options))
    golden.case(
        "smooth_grad of magnitudes",
        vgg,
        "smooth_grad",
        smooth(vgg, options),
        "Saliency(smooth_samples) with explaind's noise, raw",
        options=options,
        differs="magnitudes are averaged instead of gradients",
        by=abs(gradients).mean(axis=0).max(axis=2),
    )
    values = abs(smooth(vgg, options, gradient_modifier=None, keepdims=True)).max(axis=2)
    golden.case(
        "smooth_grad",
        vgg,
        "smooth_grad",
        values,
        "Saliency(smooth_samples, gradient_modifier=None, keepdims=True) with explaind's noise, largest magnitude of the channels",
        options=options,
        agrees=1e-4,
    )
    golden.write()


if __name__ == "__main__":
    keras.utils.disable_interactive_logging()
    main()
