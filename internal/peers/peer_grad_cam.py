"""Runs pytorch-grad-cam and writes goldens/grad-cam.json. In an environment of its own: see scripts/peers.sh."""

import numpy as np
import pytorch_grad_cam as pgc
import torch
from pytorch_grad_cam.metrics import cam_mult_image
from pytorch_grad_cam.metrics import road as pgc_road
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget, ClassifierOutputTarget

import measures as measures_of
import models
from arithmetic import corner_zoom, resize
from golden import FACTOR, SHOWN, Golden, input_map
from measures import measures
from network import relu
from ours import aug_smooth, explain
from peer_torch import tensor
from question import ask

NEAR = 2e-5


def target(q):
    return (ClassifierOutputSoftmaxTarget if q.score == "probability" else ClassifierOutputTarget)(q.target)


def run(kind, q, eigen_smooth=False, aug_smooth=False):
    """(the raw map, what the library shows for it)."""
    model = models.torch_model(q.model)
    layer = model.get_submodule(f"{q.layer}_relu")
    with kind(model, [layer]) as cam:
        shown = cam(tensor(q.x), [target(q)], aug_smooth=aug_smooth, eigen_smooth=eigen_smooth)[0]
        tapped = cam.activations_and_grads
        a, g = ([t.numpy() for t in part] for part in (tapped.activations, tapped.gradients))
        raw = cam.get_cam_image(tensor(q.x), layer, [target(q)], a[0], g[0] if g else None, eigen_smooth)[0]
    return raw, shown


def guided(q):
    model = models.torch_model(q.model)
    return pgc.GuidedBackpropReLUModel(model)(tensor(q.x), q.target)


def plus_plus_epsilon(q):
    """Equation 19 with 1e-6 in the denominator, in units of g²."""
    a, g = q.a, q.g
    alpha = np.where(g != 0, g**2 / (2 * g**2 + a.sum(axis=(0, 1)) * g**3 + 1e-6), 0)
    return relu(((relu(g) * alpha).sum(axis=(0, 1)) * a).sum(axis=2))


def centred(matrix):
    """The principal component of centred columns, turned as LAPACK likes."""
    flat = matrix.reshape(-1, matrix.shape[2])
    flat = flat - flat.mean(axis=0)
    return (flat @ np.linalg.svd(flat)[2][0]).reshape(matrix.shape[:2])


def turned(values, like):
    return values if (values * like).sum() > 0 else -values


def corner_masks(q):
    """Score-CAM with masks that are enlarged corner on corner, and with channels that are off in the softmax."""
    up = corner_zoom(q.a, *q.x.shape[:2])
    masks = (up - up.min(axis=(0, 1))) / (np.ptp(up, axis=(0, 1)) + 1e-8)
    scores = np.exp(q.scores(q.x * masks.transpose(2, 0, 1)[..., None]))
    return relu((scores / scores.sum() * q.a).sum(axis=2))


def inverted(kind, ranks):
    """How many of the library's maps have a negative value of the largest magnitude, of how many."""
    maps = [
        run(kind, ask(model, layer, picture, rank))[0]
        for model, layers in (
            ("peer_vgg", ("block1_conv2", "block2_conv2", "block3_conv2")),
            ("peer_gap", ("conv2", "conv4")),
        )
        for layer in layers
        for picture in (0, 1)
        for rank in ranks
    ]
    return sum(-values.min() > values.max() for values in maps), len(maps)


def stretched_again(q):
    """aug_smooth whose maps are enlarged and then stretched to 0…1 once more, each for itself, before the average."""
    return aug_smooth(q, lambda v: resize(explain(v, "grad_cam"), 32, 32))


def fused(kind, q, layers):
    model = models.torch_model(q.model)
    with kind(model, [model.get_submodule(f"{layer}_relu") for layer in layers]) as cam:
        return cam(tensor(q.x), [target(q)])[0]


def road(q, values):
    """ROAD without noise, of the share of pixels that explaind takes."""
    noise = torch.randn_like
    torch.randn_like = torch.zeros_like
    try:
        metric = pgc_road.ROADCombined(percentiles=[20, 40, 60, 80])
        return metric(
            tensor(q.x),
            values[None].astype(np.float32),
            [ClassifierOutputSoftmaxTarget(q.target)],
            models.torch_model(q.model),
        )[0]
    finally:
        torch.randn_like = noise


def confidence(metric, q, values):
    values = measures_of.stretched(values)[None].astype(np.float32)
    return metric(tensor(q.x), values, [ClassifierOutputSoftmaxTarget(q.target)], models.torch_model(q.model))[0]


def main():
    golden = Golden("grad-cam", "torch", "numpy")
    named = {
        "vgg": ask("peer_vgg"),
        "vgg early": ask("peer_vgg", "block2_conv2"),
        "gap": ask("peer_gap"),
        "vgg, 2nd class": ask("peer_vgg", picture=1, rank=2),
    }
    for method, kind in (("grad_cam", pgc.GradCAM), ("xgrad_cam", pgc.XGradCAM), ("layer_cam", pgc.LayerCAM)):
        for name, q in named.items():
            call = f"{kind.__name__}.get_cam_image, ReLU"
            golden.case(f"{method}, {name}", q, method, relu(run(kind, q)[0]), call, agrees=NEAR)
    for name, q in named.items():
        golden.case(
            f"hires_cam, {name}", q, "hires_cam", run(pgc.HiResCAM, q)[0], "HiResCAM.get_cam_image", agrees=NEAR
        )
        values = run(pgc.GradCAM, q)[1]
        golden.case(f"grad_cam as shown, {name}", q, "grad_cam", values, "GradCAM()", SHOWN, agrees=NEAR)
    q = ask("peer_vgg", score="probability")
    call = "GradCAM.get_cam_image for ClassifierOutputSoftmaxTarget, ReLU"
    golden.case("grad_cam of the probability", q, "grad_cam", relu(run(pgc.GradCAM, q)[0]), call, agrees=NEAR)
    for name in ("vgg", "gap"):
        values = abs(guided(named[name])).max(axis=2)
        call = "GuidedBackpropReLUModel, largest magnitude of the channels"
        golden.case(f"guided_backprop, {name}", named[name], "guided_backprop", values, call, agrees=NEAR)
    plus_plus(golden, named)
    eigen(golden, named)
    smooth(golden, named["vgg"])
    asked_again(golden, named)
    measured(golden, named)
    golden.write()


def plus_plus(golden, named):
    for name, q in {**named, "gap, probability": ask("peer_gap", score="probability")}.items():
        values, call = relu(run(pgc.GradCAMPlusPlus, q)[0]), "GradCAMPlusPlus.get_cam_image, ReLU"
        claim = {"differs": "1e-6 beside 2 g² + … in the denominator of α", "by": plus_plus_epsilon(q)}
        if name == "vgg":  # its gradients are large enough
            claim = {"agrees": 1e-4}
        golden.case(f"grad_cam_plus_plus, {name}", q, "grad_cam_plus_plus", values, call, **claim)


def eigen(golden, named):
    for name in ("vgg", "vgg early", "gap"):
        q = named[name]
        values, call = turned(run(pgc.EigenCAM, q)[0], explain(q, "eigen_cam")), "EigenCAM.get_cam_image, turned"
        by = turned(centred(q.a), values)
        golden.case(f"eigen_cam, {name}", q, "eigen_cam", values, call, differs="the columns are centred first", by=by)
        values, call = (
            turned(run(pgc.EigenGradCAM, q)[0], explain(q, "eigen_grad_cam")),
            "EigenGradCAM.get_cam_image, turned",
        )
        golden.case(f"eigen_grad_cam, {name}", q, "eigen_grad_cam", values, call, agrees=NEAR)
    for kind, ranks in ((pgc.EigenCAM, [1]), (pgc.EigenGradCAM, [1, 2, 3])):
        turns, maps = inverted(kind, ranks)
        print(f"{kind.__name__}: the largest magnitude of {turns} of {maps} maps is negative", flush=True)
    options = {"eigen_smooth": True}
    for method, kind in (("grad_cam", pgc.GradCAM), ("layer_cam", pgc.LayerCAM), ("xgrad_cam", pgc.XGradCAM)):
        q = named["vgg"]
        values = relu(turned(run(kind, q, eigen_smooth=True)[0], explain(q, method, options)))
        call = f"{kind.__name__}.get_cam_image(eigen_smooth), turned, ReLU"
        golden.case(f"{method}, eigen_smooth", q, method, values, call, options=options, agrees=NEAR)


def smooth(golden, vgg):
    first, options, call = ask("peer_vgg", "block1_conv2"), {"aug_smooth": True}, "GradCAM(aug_smooth)"
    for name, q, claim in (
        ("grad_cam, aug_smooth, layer of the input's size", first, {"agrees": NEAR}),
        (
            "grad_cam, aug_smooth",
            vgg,
            {
                "differs": "aug_smooth: each map is stretched to 0…1 again after it is enlarged",
                "by": stretched_again(vgg),
            },
        ),
    ):
        values = run(pgc.GradCAM, q, aug_smooth=True)[1]
        golden.case(name, q, "grad_cam", values / values.max(), call, SHOWN, options, **claim)
    layers, options = ["block1_conv2", "block3_conv2"], {"fusion": "FUSION_MEAN"}
    ours = explain(first, "grad_cam", options, layers)
    golden.case(
        "grad_cam, two layers",
        first,
        "grad_cam",
        fused(pgc.GradCAM, first, layers),
        "GradCAM([layer, layer])",
        SHOWN,
        options,
        layers=layers,
        differs="of two layers: the mean is stretched to 0…1, so that its least value is 0",
        by=ours - ours.min(),
    )


def asked_again(golden, named):
    q, call = ask("peer_vgg", "block1_conv2"), "ScoreCAM.get_cam_image, ReLU"
    golden.case(
        "score_cam, layer of the input's size", q, "score_cam", relu(run(pgc.ScoreCAM, q)[0]), call, agrees=NEAR
    )
    q = named["vgg"]
    values, by = relu(run(pgc.ScoreCAM, q)[0]), corner_masks(q)
    why = "masks are enlarged corner on corner, and channels that are off count in the softmax"
    golden.case("score_cam, vgg", q, "score_cam", values, call, differs=why, by=by)
    why = "masks are enlarged corner on corner"
    golden.case("score_cam, vgg, up to a factor", q, "score_cam", values, call, FACTOR, differs=why, by=by)

    call = "AblationCAM.get_cam_image, ReLU"
    for name in ("vgg", "gap", "vgg, 2nd class"):
        values = relu(run(pgc.AblationCAM, named[name])[0])
        golden.case(f"ablation_cam, {name}", named[name], "ablation_cam", values, call, agrees=NEAR)
    q = ask("peer_vgg", rank=10)
    score = q.scores(q.x[None])
    weights = (score - q.scores(q.a * (1 - np.eye(q.a.shape[2]))[:, None, None], q.layer)) / score
    why, by = (
        "divides by S, not by its magnitude: a negative logit turns the sign of the map",
        relu((weights * q.a).sum(axis=2)),
    )
    values = relu(run(pgc.AblationCAM, q)[0])
    golden.case("ablation_cam, negative logit", q, "ablation_cam", values, call, differs=why, by=by)


def measured(golden, named):
    for name, q, method in (
        ("vgg", named["vgg"], "gradient_x_input"),
        ("gap", named["gap"], "integrated_gradients"),
        ("vgg, last class", ask("peer_vgg", rank=10), "gradient_x_input"),
    ):
        values = input_map(q, method)
        call = "ROADCombined([20, 40, 60, 80]), noise taken out"
        golden.number(f"road, {name}", q, method, "road", road(q, values), call, agrees=1e-5)
        more = confidence(cam_mult_image.IncreaseInConfidence(), q, values)
        golden.number(f"increase, {name}", q, method, "increase", more, "IncreaseInConfidence", agrees=0)
        if not more:
            drop = confidence(cam_mult_image.DropInConfidence(), q, values)
            by = measures(q, values)["average_drop"] * q.probabilities(q.x[None])[0]
            why = "is not divided by the probability"
            golden.number(
                f"average_drop, {name}", q, method, "average_drop", drop, "DropInConfidence", differs=why, by=by
            )


if __name__ == "__main__":
    main()
