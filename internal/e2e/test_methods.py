"""The methods that ask the model again or look at the gradient of the image, the options of methods, and faithfulness:
through the real server, against numbers that TensorFlow and NumPy made (internal/zoo/asked.py)."""

import numpy as np
import pytest
from google.protobuf import json_format

from references import Reference, heatmap, raw_map, tensor

MODELS = ("vgg_like", "gap_like")

# Of a map's range. Where dozens of passes add up, and cancel in part, so do their rounding errors; and a unit of a ReLU
# that is within one of zero in any of the passes may take either gradient.
MOST_DIFFERENCE = 1e-4
MOST_DIFFERENCE_OF_MANY = 2e-4
MANY_PASSES = {"smooth_grad", "smooth_grad_cam_plus_plus", "integrated_gradients", "rise"}

MOST_AREA_DIFFERENCE = 5e-4  # two pixels that are equal but for rounding may be deleted in either order


@pytest.fixture(scope="module")
def ask(start_server, stubs, zoo):
    """ask(model, pixels, methods, …) returns the explanations of one image."""
    server = start_server(*(flag for name in MODELS for flag in ("--model", f"{name}={zoo / name}")))
    client, t = stubs.Client(server.channel), stubs.types

    def ask(model, pixels, methods, resolution="LAYER", **config):
        rendering = t.Rendering(values=True, resolution=getattr(t, f"RESOLUTION_{resolution}"))
        methods = [getattr(t, f"METHOD_{m.upper()}") for m in methods]
        config = t.ExplainConfig(methods=methods, rendering=rendering, **config)
        request = stubs.service.ExplainRequest(model=model, image=tensor(stubs, pixels), config=config)
        return client.Explain(request, timeout=120).explanations

    return ask


@pytest.fixture(scope="module")
def asked(zoo):
    return {name: Reference(zoo / name / "reference", "asked.json") for name in MODELS}


@pytest.fixture(scope="module")
def images(zoo):
    return {name: Reference(zoo / name / "reference")["images"] for name in MODELS}


def options(stubs, given):
    return json_format.ParseDict(given, stubs.types.MethodOptions())


def config_of(stubs, request):
    """ExplainConfig's fields for one request of asked.json."""
    t = stubs.types
    target = t.Target(class_index=request["class"])
    if request["versus"] >= 0:
        target.versus_class_index = request["versus"]
    layer = request["layer"]
    return {
        "layers": request.get("layers", [layer] if layer else []),
        "targets": [target],
        "score": t.SCORE_LOGIT if request["score"] == "logit" else t.SCORE_PROBABILITY,
        "options": options(stubs, request["options"]),
        "faithfulness": "faithfulness" in request,
        # layers differ in size, so that what is made of several has the size of the input
        "resolution": "INPUT" if "layers" in request else "LAYER",
    }


@pytest.mark.parametrize("model", MODELS)
def test_every_request_agrees_with_the_reference(ask, asked, images, stubs, subtests, model):
    requests = asked[model].document["requests"]
    assert len(requests) >= 50
    for number, request in enumerate(requests):
        with subtests.test(number=number, **{k: v for k, v in request.items() if k not in ("map", "faithfulness")}):
            pixels = images[model][request["row"]]
            (explanation,) = ask(model, pixels, [request["method"]], **config_of(stubs, request))
            assert stubs.types.Method.Name(explanation.method) == f"METHOD_{request['method'].upper()}"
            assert explanation.target.class_index == request["class"]
            check_map(request, raw_map(explanation), asked[model].array(request["map"]).astype(np.float64))
            check_completeness(request.get("extra"), explanation)
            assert explanation.HasField("faithfulness") == ("faithfulness" in request)
            if "faithfulness" in request:
                check_faithfulness(request["faithfulness"], explanation.faithfulness)


def check_map(request, got, want):
    assert got.shape == want.shape
    difference = np.abs(got - want).max() / np.ptp(want)
    most = MOST_DIFFERENCE_OF_MANY if request["method"] in MANY_PASSES else MOST_DIFFERENCE
    assert difference <= most, f"off by {difference:.2g} of the map's range"


def check_completeness(want, explanation):
    for name in ("score_change", "completeness_gap"):
        assert explanation.HasField(name) == (want is not None)
    if want:
        most = 1e-4 * abs(want["score_change"])
        assert abs(explanation.score_change - want["score_change"]) <= most
        assert abs(explanation.completeness_gap - want["completeness_gap"]) <= most


def check_faithfulness(want, got):
    for name in ("average_drop", "average_gain", "masked_probability"):
        assert abs(getattr(got, name) - want[name]) <= 1e-4, name
    assert got.increase == want["increase"]
    for name in ("deletion_auc", "insertion_auc"):
        assert abs(getattr(got, name) - want[name]) <= MOST_AREA_DIFFERENCE, name
    # the noise is drawn elsewhere: what its draws differ by is in the reference
    assert abs(got.road - want["road"]) <= 6 * want["road_spread"] + 1e-4


def test_four_methods_agree_on_a_pooled_layer(ask, images, stubs):
    """Where global average pooling and one dense layer follow, g is the same everywhere, and these are one formula."""
    methods = ["cam", "grad_cam", "hires_cam", "xgrad_cam"]
    targets = [stubs.types.Target(rank=rank) for rank in (1, 2)]
    compared = 0
    for pixels in images["gap_like"]:
        explanations = ask("gap_like", pixels, methods, targets=targets)
        assert len(explanations) == len(methods) * len(targets)
        for target in {e.target.class_index for e in explanations}:
            maps = [np.maximum(heatmap(e), 0) for e in explanations if e.target.class_index == target]
            assert len(maps) == len(methods) and maps[0].max() == 1 and maps[0].std() > 0.05
            for m in maps[1:]:
                assert np.abs(m - maps[0]).max() <= 1e-5
            compared += 1
    assert compared == 2 * len(images["gap_like"])


def test_hires_cam_adds_up_to_the_logit(ask, asked, images, stubs):
    bias = asked["gap_like"].document["bias"]
    for pixels in images["gap_like"]:
        for e in ask("gap_like", pixels, ["hires_cam"], targets=[stubs.types.Target(rank=r) for r in (1, 2, 3)]):
            assert abs(raw_map(e).sum() - (e.target.logit - bias[e.target.class_index])) <= 1e-4


@pytest.mark.parametrize("model", MODELS)
def test_integrated_gradients_are_complete(ask, asked, images, stubs, model):
    defaults = [
        r for r in asked[model].document["requests"] if r["method"] == "integrated_gradients" and not r["options"]
    ]
    assert defaults
    for request in defaults:
        (e,) = ask(model, images[model][request["row"]], ["integrated_gradients"], **config_of(stubs, request))
        assert e.completeness_gap <= 0.01 * abs(e.score_change)
        assert abs(abs(raw_map(e).sum() - e.score_change) - e.completeness_gap) <= 1e-4 * abs(e.score_change)


@pytest.mark.parametrize("model", MODELS)
def test_guided_maps_are_not_negative(ask, images, stubs, model):
    methods = ["guided_backprop", "guided_grad_cam", "guided_grad_cam_plus_plus"]
    targets = [stubs.types.Target(rank=1), stubs.types.Target(class_index=2, versus_class_index=1)]
    for pixels in images[model]:
        for e in ask(model, pixels, methods, targets=targets):
            assert e.heatmap.raw_min >= 0 and heatmap(e).min() >= 0
            assert (e.heatmap.height, e.heatmap.width) == pixels.shape[:2]


@pytest.mark.parametrize("method", ["smooth_grad", "smooth_grad_cam_plus_plus", "rise"])
def test_a_seed_gives_the_same_bytes(ask, images, stubs, method):
    def values(seed):
        few = {"seed": seed, "noise": {"samples": 6}, "rise": {"masks": 60}}
        # on the pooled layer, g does not depend on the image
        (e,) = ask("gap_like", images["gap_like"][0], [method], layers=["sum_relu"], options=options(stubs, few))
        return e.heatmap.values

    assert values(1) == values(1)
    assert len({values(seed) for seed in (0, 1, 2, -1)}) == 4


@pytest.mark.parametrize("model", MODELS)
def test_methods_of_one_request_are_those_of_single_requests(ask, asked, images, model):
    methods = ["grad_cam", "grad_cam_plus_plus", "hires_cam", "xgrad_cam", "layer_cam"]
    layers = asked[model].document["layers"][1:2]  # not a pooled one, on which some of them are the same
    for pixels in images[model]:
        together = ask(model, pixels, methods, layers=layers)
        alone = [e for method in methods for e in ask(model, pixels, [method], layers=layers)]
        assert [e.SerializeToString(deterministic=True) for e in together] == [
            e.SerializeToString(deterministic=True) for e in alone
        ]
        assert len({e.heatmap.values for e in together}) == len(methods)
