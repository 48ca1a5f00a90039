"""The references of the methods that ask the model again or look at the gradient of the image, of the options, and of
faithfulness: DIR/NAME/reference/asked.json and the arrays that it names."""

import dataclasses
import json

import numpy as np

import draws
import faithfulness
import gradients
from delicate import nudged, shapely
from network import Network, Target
from question import Question
from variants import fused_map, raw_map

SEED = 5
FEW = {"samples": 6}

# Of a map's range, for a change of the image by 1e-6. Where many passes add up, so do their roundings.
MOST_CHANGE, MOST_CHANGE_OF_MANY = 3e-5, 6e-5
MOST_GAP = 0.008  # of the score's change, where integrated gradients are asked for without options
MANY_PASSES = {"smooth_grad", "smooth_grad_cam_plus_plus", "integrated_gradients", "rise"}


def ask(method, at=0, versus=False, score="logit", measured=False, **options):
    """One line of the table of requests. at is the place of the layer among the subject's, or places to fuse."""
    return {
        "method": method,
        "at": at,
        "versus": versus,
        "score": score,
        "measured": measured,
        "options": options,
    }


def noise(statistic=None, **more):
    return FEW | more | ({"statistic": f"NOISE_STATISTIC_{statistic}"} if statistic else {})


def path(steps, kind):
    return {"steps": steps, "baseline": f"BASELINE_{kind}"}


OFFICIAL = {"form": "SCORE_CAM_FORM_OFFICIAL_CODE"}
AUTHORS = "GRAD_CAM_PLUS_PLUS_FORM_AUTHORS_CODE"

REQUESTS = [
    ask("saliency"),
    ask("saliency", versus=True, score="probability"),
    ask("gradient_x_input"),
    ask("gradient_x_input", versus=True),
    ask("guided_backprop"),
    ask("guided_backprop", versus=True),
    ask("guided_backprop", score="probability"),
    ask("guided_grad_cam"),
    ask("guided_grad_cam", at=1, versus=True),
    ask("guided_grad_cam_plus_plus"),
    ask("smooth_grad"),
    ask("smooth_grad", seed=SEED, noise=noise("MEAN", level=0.1)),
    ask("smooth_grad", seed=SEED, noise=noise("VARIANCE")),
    ask("smooth_grad", seed=SEED, noise=noise("SQUARE", level=0.3), versus=True),
    ask("smooth_grad_cam_plus_plus"),
    ask("smooth_grad_cam_plus_plus", seed=SEED, noise=noise(level=0.05), versus=True),
    ask("smooth_grad_cam_plus_plus", at=2, seed=SEED, noise=noise()),
    ask("integrated_gradients"),
    ask("integrated_gradients", integrated_gradients=path(20, "ZERO"), score="probability"),
    ask("integrated_gradients", integrated_gradients=path(20, "MEAN"), versus=True),
    ask("integrated_gradients", integrated_gradients=path(21, "BLUR")),
    ask("score_cam"),
    ask("score_cam", at=2, versus=True),
    ask("score_cam", score="probability", score_cam={"max_channels": 5}),
    ask("score_cam", score_cam=OFFICIAL | {"max_channels": 7}, versus=True),
    ask("score_cam", at=1, score_cam=OFFICIAL),
    ask("ablation_cam"),
    ask("ablation_cam", versus=True, score="probability"),
    ask("ablation_cam", at=2),
    ask("occlusion"),
    ask("occlusion", occlusion={"patch": 10, "stride": 7, "baseline": "BASELINE_BLUR"}, versus=True),
    ask("occlusion", occlusion={"patch": 9, "baseline": "BASELINE_MEAN"}, score="probability"),
    ask("rise", seed=SEED, rise={"masks": 60}),
    ask("rise", seed=SEED, rise={"masks": 60, "grid": 5, "keep": 0.3}, versus=True),
    ask("grad_cam_plus_plus", grad_cam_plus_plus_form=AUTHORS),
    ask("grad_cam_plus_plus", at=1, grad_cam_plus_plus_form=AUTHORS, versus=True),
    ask("grad_cam", eigen_smooth=True),
    ask("grad_cam_plus_plus", at=1, eigen_smooth=True),
    ask("hires_cam", eigen_smooth=True, versus=True),
    ask("xgrad_cam", eigen_smooth=True),
    ask("layer_cam", at=2, eigen_smooth=True),
    ask("smooth_grad_cam_plus_plus", seed=SEED, noise=noise(), eigen_smooth=True),
    ask("score_cam", eigen_smooth=True),
    ask("ablation_cam", eigen_smooth=True),
    ask("grad_cam", aug_smooth=True),
    ask("hires_cam", at=1, aug_smooth=True, versus=True),
    ask("layer_cam", aug_smooth=True, eigen_smooth=True),
    ask("saliency", aug_smooth=True),
    ask("grad_cam", at=(0, 1, 2), fusion="FUSION_MEAN"),
    ask("layer_cam", at=(0, 1, 3), fusion="FUSION_MAX"),
    ask("hires_cam", at=(1, 0), fusion="FUSION_PRODUCT"),
    ask("grad_cam", measured=True),
    ask("hires_cam", at=1, measured=True),
    ask("layer_cam", versus=True, measured=True),
    ask("saliency", measured=True),
]
REQUESTS_OF_A_POOLED_HEAD = [
    ask("grad_cam_plus_plus", grad_cam_plus_plus_form="GRAD_CAM_PLUS_PLUS_FORM_SOFTMAX"),
    ask("cam", aug_smooth=True),
    ask("rise"),
]


def make_asked(name, subject, images, writer):
    """Writes asked.json beside the reference.json of the same images."""
    draws.check()
    network = Network(*subject.twins)
    document = {"model": name, "layers": subject.layers, "bias": network.head.bias.numpy().tolist(), "requests": []}
    table = REQUESTS + (REQUESTS_OF_A_POOLED_HEAD if subject.class_weights is not None else [])
    for number, line in enumerate(table):
        entry, m = answer(name, subject, network, images, number, line)
        entry["map"] = writer.write(f"asked{number:02d}_{line['method']}", m)
        document["requests"].append(entry)
    (writer.folder / "asked.json").write_text(json.dumps(document, indent=1) + "\n")


def answer(name, subject, network, images, number, line):
    """(entry, map) for the first image and class for which the map has shape and survives rounding errors."""
    layers = [subject.layers[at] for at in np.atleast_1d(line["at"])]
    for row, target in candidates(network, images, number, line):
        q = Question(network, images[row], line["method"], layers[0], target, line["options"])
        m = full_map(q, layers)
        moved = [dataclasses.replace(q, image=x) for x in nudged(q.image)]
        if not settled(q.method, m, (full_map(t, layers) for t in moved)):
            continue
        entry = {
            "method": q.method,
            "layer": "" if line["at"] == 0 or len(layers) > 1 else layers[0],
            "row": row,
            "class": target.index,
            "versus": target.versus,
            "score": target.score,
            "options": q.options,
        }
        if len(layers) > 1:
            entry["layers"] = layers
        if q.method == "integrated_gradients":
            entry["extra"] = gradients.completeness(q, m)
            if not q.options and entry["extra"]["completeness_gap"] > MOST_GAP * abs(entry["extra"]["score_change"]):
                continue
        if line["measured"]:
            entry["faithfulness"] = faithfulness.measure(q, m)
            if not faithfulness.steady(entry["faithfulness"], [faithfulness.measure(t, m) for t in moved[-2:]]):
                continue
        return entry, m
    raise RuntimeError(f"{name}: no image has a good map for {line}")


def settled(method, m, others):
    """Tells whether a map has shape and is that of the nudged images."""
    relief = 0.04 if method == "rise" else 0.2  # the mean of many masks is nearly the same everywhere
    most = MOST_CHANGE_OF_MANY if method in MANY_PASSES else MOST_CHANGE
    return shapely(m, relief) and all(np.abs(m - o).max() < most * np.ptp(m) for o in others)


def full_map(q, layers):
    return fused_map(q, layers) if len(layers) > 1 else raw_map(q)


def candidates(network, images, number, line):
    """(row, Target), other rows and classes first for every request."""
    for rank in (number % 2, 1 - number % 2, 2):
        for row in np.roll(range(len(images)), -number).tolist():
            probabilities = network.probabilities(images[row][None])[0]
            order = np.argsort(-probabilities).tolist()
            versus = order[(rank + 1) % 3] if line["versus"] else -1
            if probabilities[order[rank]] > 1e-3:
                yield row, Target(order[rank], versus, line["score"])
