"""explaind beside the libraries that people use today, on the same weights.

internal/peers/goldens holds what each library gave (make peers renews it). Where a library agrees, the server's map has to
be its map; where it differs for a reason in docs/divergences.md, the distance has to be the one that was measured. And the
server's map has to be that of internal/peers/ours.py, which the libraries were compared with.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from google.protobuf import json_format

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "internal/peers"))

import golden  # noqa: E402
import table  # noqa: E402
from ours import METHODS, explain  # noqa: E402
from question import PICTURES, Question  # noqa: E402

# Of a map's range: what float32 may be away from float64. Most is 1e-5; a ReLU that opens in one of them only costs more.
FLOAT32 = 2e-4
CASES = [(library, case) for library, document in golden.load() for case in document["cases"]]
NUMBERS = [(library, number) for library, document in golden.load() for number in document["numbers"]]


def names(entries):
    return [f"{library}: {entry['name']}" for library, entry in entries]


@pytest.fixture(scope="module")
def peers_client(start_server, stubs, tmp_path_factory):
    """A server of the models of internal/peers."""
    folder = tmp_path_factory.mktemp("peers")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, ROOT / "internal/peers/models.py", folder / "models"]
    subprocess.run([str(c) for c in command], check=True, env=environment, timeout=120)
    server = start_server("--models", folder / "models", "--cache", folder / "compiled")
    return stubs.Client(server.channel)


def question(entry):
    return Question(*(entry[key] for key in ("model", "picture", "layer", "class", "versus", "score")))


def ask(client, stubs, entry, **config):
    t = stubs.types
    x = PICTURES[entry["picture"]]
    tensor = t.Tensor(shape=x.shape, dtype=t.DATA_TYPE_FLOAT32, data=x.astype("<f4").tobytes())
    target = t.Target(class_index=entry["class"], versus_class_index=entry["versus"])
    config = t.ExplainConfig(
        methods=[getattr(t, f"METHOD_{entry['method'].upper()}")],
        layers=entry.get("layers", [entry["layer"]]),
        targets=[target],
        score=t.SCORE_LOGIT if entry["score"] == "logit" else t.SCORE_PROBABILITY,
        options=json_format.ParseDict(entry["options"], t.MethodOptions()),
        **config,
    )
    request = stubs.service.ExplainRequest(model=entry["model"], image=t.Image(tensor=tensor), config=config)
    (explanation,) = client.Explain(request, timeout=120).explanations
    return explanation


def served(client, stubs, case):
    """The server's map, as the case's form has it."""
    t = stubs.types
    resolution = t.RESOLUTION_INPUT if case["shape"] == list(PICTURES.shape[1:3]) else t.RESOLUTION_LAYER
    h = ask(client, stubs, case, rendering=t.Rendering(values=True, resolution=resolution)).heatmap
    values = np.frombuffer(h.values, "<f4").reshape(h.height, h.width).astype(np.float64)
    if case["form"] == golden.RAW:
        return values * h.raw_max
    return np.maximum(values, 0) if case["form"] == golden.SHOWN else values


@pytest.mark.parametrize(("library", "case"), CASES, ids=names(CASES))
def test_map(peers_client, stubs, library, case):
    got, theirs = served(peers_client, stubs, case), golden.unpacked(case)
    ours = golden.comparable(explain(question(case), case["method"], case["options"], case.get("layers")), case["form"])
    assert golden.difference(ours, got) <= FLOAT32, "not what internal/peers/ours.py gives"

    difference = golden.difference(theirs, got)
    if "tolerance" in case:
        assert difference <= max(case["tolerance"], FLOAT32), f"{library} agreed when the golden was made"
        assert golden.cosine(theirs, got) >= min(case["cosine"], 1 - 1e-6) - 1e-4
    else:
        expected = pytest.approx(case["difference"], rel=0.05, abs=FLOAT32)
        assert difference == expected, f"{library} differed otherwise when the golden was made: {case['because']}"


@pytest.mark.parametrize(("library", "number"), NUMBERS, ids=names(NUMBERS))
def test_measure(peers_client, stubs, library, number):
    got = float(getattr(ask(peers_client, stubs, number, faithfulness=True).faithfulness, number["measure"]))
    # explaind adds noise of a hundredth of the picture's deviation to the pixels that ROAD fills in
    slack = 0.01 if number["measure"] == "road" else 1e-3
    if "tolerance" in number:
        assert got == pytest.approx(number["value"], abs=number["tolerance"] + slack), f"{library} agreed"
    else:
        assert abs(got - number["value"]) == pytest.approx(number["difference"], abs=slack), number["because"]


def test_every_method_is_compared(stubs):
    """But those that no library has."""
    compared = {case["method"] for _, case in CASES}
    methods = {name.removeprefix("METHOD_").lower() for name, _ in stubs.types.Method.items()} - {"unspecified"}
    alone = {"guided_grad_cam_plus_plus", "article_cam", "article_grad_cam", "article_grad_cam_plus_plus"}
    assert methods - compared == alone and compared == set(METHODS)


def test_the_documentation_has_these_numbers():
    page = (ROOT / "docs/divergences.md").read_text()
    for part in (table.agreeing(), table.differing(), table.measured()):
        assert part in page, f"docs/divergences.md should have this table:\n{part}"
