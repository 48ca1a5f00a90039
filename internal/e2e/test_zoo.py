"""Every test model through the real server, against tf.GradientTape's numbers, and the article's figure."""

import subprocess

import numpy as np
import pytest
from PIL import Image

from photos import FOLDER
from references import Reference, heatmap, tensor

ARTICLE = ("article_cam", "article_grad_cam", "article_grad_cam_plus_plus")
METHODS = (  # those of one run at a layer; the others are in test_methods.py
    *("cam", "grad_cam", "grad_cam_plus_plus", "hires_cam", "xgrad_cam", "layer_cam", "eigen_cam", "eigen_grad_cam"),
    *ARTICLE,
)


def names(zoo):
    return sorted(p.name for p in zoo.iterdir() if (p / "reference" / "complete").exists())


@pytest.fixture(scope="module")
def zoo_server(start_server, zoo):
    return start_server("--models", zoo)


@pytest.fixture(scope="module")
def zoo_client(zoo_server, stubs):
    return stubs.Client(zoo_server.channel)


def explain(client, stubs, model, image, case, row, methods, rendering):
    """The explanations of one image, one per method."""
    t = stubs.types
    target = t.Target(rank=1) if case["rank"] else t.Target(class_index=case["classes"][row])
    config = t.ExplainConfig(
        methods=[getattr(t, f"METHOD_{method.upper()}") for method in methods],
        layers=[case["layer"]],
        targets=[target],
        score=t.SCORE_LOGIT if case["score"] == "logit" else t.SCORE_PROBABILITY,
        rendering=rendering,
    )
    request = stubs.service.ExplainRequest(model=model, image=image, config=config)
    return client.Explain(request, timeout=120).explanations


def test_the_zoo_is_complete(zoo_client, zoo, stubs):
    served = {
        m.name: m.versions[-1] for m in zoo_client.ListModels(stubs.service.ListModelsRequest(), timeout=10).models
    }
    assert set(names(zoo)) <= set(served) and len(served) >= 15
    failed = {n: v.status.message for n, v in served.items() if v.state != stubs.service.MODEL_STATE_READY}
    assert not failed


def test_every_method_has_references(zoo):
    """A model's reference leaves out the methods that rounding errors could decide about; no method may fall out so."""
    cases = [case for name in names(zoo) for case in Reference(zoo / name / "reference").document["cases"]]
    made = {method for case in cases for method in case["maps"]} - {f"{method}_input" for method in ARTICLE}
    assert made <= set(METHODS), f"references that no test reads: add {made - set(METHODS)} to METHODS"
    counts = {method: sum(method in case["maps"] for case in cases) for method in METHODS}
    assert all(count >= len(cases) / 3 for method, count in counts.items() if method not in ("cam", *ARTICLE)), counts
    assert all(counts[method] >= 4 for method in ("cam", *ARTICLE)), counts


def test_every_method_is_compared(zoo, stubs):
    """The methods of the protocol are those of the references: of METHODS, or of internal/zoo/asked.py."""
    asked = [p for p in zoo.glob("*/reference/asked.json") if (p.parent / "complete").exists()]
    assert asked
    methods = {name.removeprefix("METHOD_").lower() for name, _ in stubs.types.Method.items()} - {"unspecified"}
    for path in asked:
        requests = Reference(path.parent, path.name).document["requests"]
        compared = {*METHODS, *(request["method"] for request in requests)}
        missing, unknown = methods - compared, compared - methods
        assert not missing, f"{path} and METHODS have no {missing}: CONTRIBUTING.md says where references are made"
        assert not unknown, f"{unknown} are no methods of the protocol"


def test_every_model_agrees_with_tensorflow(zoo_client, zoo, stubs, subtests):
    t = stubs.types
    layer_values = t.Rendering(values=True, resolution=t.RESOLUTION_LAYER)
    for name in names(zoo):
        with subtests.test(model=name):
            reference = Reference(zoo / name / "reference")
            images, probabilities = reference["images"], reference["probabilities"]
            for case in reference.document["cases"]:
                methods = [method for method in METHODS if method in case["maps"]]
                maps = [reference.array(case["maps"][method]).astype(np.float64) for method in methods]
                for row, pixels in enumerate(images):
                    explanations = explain(
                        zoo_client, stubs, name, tensor(stubs, pixels), case, row, methods, layer_values
                    )
                    assert len(explanations) == len(methods)
                    for method, expected, explanation in zip(methods, maps, explanations):
                        where = f"{name}, {case['layer']}, {case['score']}, {method}, row {row}"
                        target, c = explanation.target, case["classes"][row]
                        assert explanation.method == getattr(t, f"METHOD_{method.upper()}"), where
                        assert target.class_index == c, where
                        assert abs(target.probability - probabilities[row, c]) <= 1e-5, where
                        check_map(heatmap(explanation), expected[row] / expected[row].max(), where)


def check_map(got, want, where):
    assert got.shape == want.shape, where
    assert np.ptp(want) > 0.1, f"{where}: the reference is flat"
    cosine = (got * want).sum() / np.sqrt((got**2).sum() * (want**2).sum())
    difference = np.abs(got - want).max() / np.ptp(want)
    assert cosine >= 0.99999 and difference <= 1e-4, (
        f"{where}: cosine {cosine:.7f}, difference {difference:.2g} of the range"
    )


def test_the_article_is_reproduced(zoo_client, zoo, stubs):
    """VGG16's block5_conv3 at 224×224 by cubic spline, against SciPy's zoom."""
    t = stubs.types
    reference = Reference(zoo / "vgg16" / "reference")
    compared = 0
    for case in reference.document["cases"]:
        for method in ARTICLE:
            if f"{method}_input" not in case["maps"]:
                continue
            expected = reference.array(case["maps"][f"{method}_input"])
            assert expected.shape[1:] == (224, 224) and case["layer"] == "block5_conv3"
            for row, pixels in enumerate(reference["images"]):
                rendering = t.Rendering(values=True, interpolation=t.INTERPOLATION_CUBIC_SPLINE)
                (e,) = explain(zoo_client, stubs, "vgg16", tensor(stubs, pixels), case, row, [method], rendering)
                assert np.abs(heatmap(e) - expected[row]).max() <= 1e-3
                compared += 1
    assert compared >= 9


def test_compare_draws_the_articles_figure(binary, zoo, zoo_server, tmp_path):
    photo, figure = FOLDER / "chelsea.png", tmp_path / "figure.png"
    command = [
        binary,
        "compare",
        photo,
        "--model",
        "vgg16",
        "--server",
        zoo_server.address,
        "--article",
        "--out",
        figure,
    ]
    subprocess.run([str(c) for c in command], check=True, timeout=120)
    picture = np.asarray(Image.open(figure).convert("RGB"))
    height, width, _ = picture.shape
    assert width > 3 * height / 2, "the original and three maps stand side by side"
    quarters = np.array_split(picture[height // 4 : -height // 4], 4, axis=1)
    assert all(q.std() > 5 for q in quarters) and not np.array_equal(
        quarters[0], quarters[1][:, : quarters[0].shape[1]]
    )
