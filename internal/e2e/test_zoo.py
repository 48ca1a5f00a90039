"""Every test model through the real server, against tf.GradientTape's numbers, and the article's figure."""

import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from photos import FOLDER

METHODS = ("cam", "grad_cam", "grad_cam_plus_plus", "article_cam", "article_grad_cam", "article_grad_cam_plus_plus")


class Reference:
    def __init__(self, folder):
        self.folder = folder
        self.document = json.loads((folder / "reference.json").read_text())

    def array(self, entry):
        return np.fromfile(self.folder / entry["file"], "<f4").reshape(entry["shape"])

    def __getitem__(self, key):
        return self.array(self.document[key])


def names(zoo):
    return sorted(p.name for p in zoo.iterdir() if (p / "reference" / "complete").exists())


@pytest.fixture(scope="module")
def zoo_server(start_server, zoo):
    return start_server("--models", zoo)


@pytest.fixture(scope="module")
def zoo_client(zoo_server, stubs):
    return stubs.Client(zoo_server.channel)


def tensor(stubs, pixels):
    return stubs.types.Image(
        tensor=stubs.types.Tensor(
            shape=pixels.shape, dtype=stubs.types.DATA_TYPE_FLOAT32, data=pixels.astype("<f4").tobytes()
        )
    )


def heatmap(explanation):
    h = explanation.heatmap
    return np.frombuffer(h.values, "<f4").reshape(h.height, h.width).astype(np.float64)


def explain(client, stubs, model, image, case, row, method, rendering):
    t = stubs.types
    target = t.Target(rank=1) if case["rank"] else t.Target(class_index=case["classes"][row])
    config = t.ExplainConfig(
        methods=[getattr(t, f"METHOD_{method.upper()}")],
        layers=[case["layer"]],
        targets=[target],
        score=t.SCORE_LOGIT if case["score"] == "logit" else t.SCORE_PROBABILITY,
        rendering=rendering,
    )
    return client.Explain(stubs.service.ExplainRequest(model=model, image=image, config=config), timeout=120)


def test_the_zoo_is_complete(zoo_client, zoo, stubs):
    served = {
        m.name: m.versions[-1] for m in zoo_client.ListModels(stubs.service.ListModelsRequest(), timeout=10).models
    }
    assert set(names(zoo)) <= set(served) and len(served) >= 15
    failed = {n: v.status.message for n, v in served.items() if v.state != stubs.service.MODEL_STATE_READY}
    assert not failed


def test_every_model_agrees_with_tensorflow(zoo_client, zoo, stubs, subtests):
    t = stubs.types
    layer_values = t.Rendering(values=True, resolution=t.RESOLUTION_LAYER)
    for name in names(zoo):
        with subtests.test(model=name):
            reference = Reference(zoo / name / "reference")
            images, probabilities = reference["images"], reference["probabilities"]
            for case in reference.document["cases"]:
                for method in set(METHODS) & set(case["maps"]):
                    expected = reference.array(case["maps"][method]).astype(np.float64)
                    for row, pixels in enumerate(images):
                        response = explain(
                            zoo_client, stubs, name, tensor(stubs, pixels), case, row, method, layer_values
                        )
                        (explanation,) = response.explanations
                        where = f"{name}, {case['layer']}, {case['score']}, {method}, row {row}"
                        assert explanation.target.class_index == case["classes"][row], where
                        assert abs(explanation.target.probability - probabilities[row, case["classes"][row]]) <= 1e-5, (
                            where
                        )
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
        for method in METHODS[3:]:
            if f"{method}_input" not in case["maps"]:
                continue
            expected = reference.array(case["maps"][f"{method}_input"])
            assert expected.shape[1:] == (224, 224) and case["layer"] == "block5_conv3"
            for row, pixels in enumerate(reference["images"]):
                rendering = t.Rendering(values=True, interpolation=t.INTERPOLATION_CUBIC_SPLINE)
                response = explain(zoo_client, stubs, "vgg16", tensor(stubs, pixels), case, row, method, rendering)
                assert np.abs(heatmap(response.explanations[0]) - expected[row]).max() <= 1e-3
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
