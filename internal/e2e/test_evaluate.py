"""`explaind evaluate` over the demo's photos: numbers against what NumPy and TensorFlow in Python make of the same maps,
which come from activations and the dense layer's weights; exit statuses; the check with random weights."""

import csv
import json
import os
import pathlib
import pty
import subprocess

import numpy as np
import pytest
from PIL import Image

from photos import FOLDER as PHOTOS
from test_demo_model import demo, last_activations

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = ["grad_cam", "grad_cam_plus_plus", "eigen_cam"]
COUNT = len([p for p in PHOTOS.iterdir() if p.suffix in (".jpg", ".png")])
STEPS = 20


@pytest.fixture(scope="module")
def explaind(binary, models):
    """explaind(command, *arguments) runs a command on the demo model."""

    def run(command, *arguments, model=models / demo.NAME, **options):
        words = [binary, command, *arguments, "--model", model, "--cache", ROOT / ".cache/compiled"]
        return subprocess.run([str(w) for w in words], cwd=ROOT, capture_output=True, text=True, timeout=300, **options)

    return run


@pytest.fixture(scope="module")
def scores(explaind, tmp_path_factory):
    """One evaluation of all photos: its lines of JSON, the records of its CSV and the path of its chart."""
    folder = tmp_path_factory.mktemp("scores")
    files = ["--csv", folder / "scores.csv", "--plot", folder / "scores.png"]
    done = explaind("evaluate", PHOTOS, "--method", ",".join(METHODS), *files, "--json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines, read(folder / "scores.csv"), folder / "scores.png"


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def probability(models):
    """(images, class) → probabilities, by TensorFlow in Python."""
    import tensorflow as tf

    signature = tf.saved_model.load(str(models / demo.NAME / "1")).signatures["serving_default"]

    def of(images, index):
        parts = [images[i : i + 8].astype(np.float32) for i in range(0, len(images), 8)]
        return np.concatenate([signature(image=tf.constant(p))["probabilities"].numpy()[:, index] for p in parts])

    return of


def model_input(path):
    """As explaind.yaml says: the central square of 0.875, bicubic, (x − 127) / 128."""
    import tensorflow as tf

    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32)
    height, width, _ = pixels.shape
    side = int(0.875 * min(height, width))
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    square = pixels[None, top : top + side, left : left + side]
    return (tf.image.resize(square, (224, 224), "bicubic").numpy()[0] - 127) / 128


def grad_cam(models, x, index):
    """At the last layer the gradient is the dense layer's weight over 49. Grown to the input, by TensorFlow."""
    import tensorflow as tf

    activations, kernel = last_activations(models, x[None])
    raw = np.maximum(activations @ (kernel[:, index] / 49), 0)
    return tf.image.resize(raw[..., None], x.shape[:2], "bilinear").numpy()[..., 0].astype(np.float64)


def blurred(x):
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(x, [(5, 5) if a == axis else (0, 0) for a in range(3)], "edge")
        x = sum(w * np.take(padded, np.arange(x.shape[axis]) + k, axis) for k, w in enumerate(kernel))
    return x


@pytest.mark.parametrize("name", ["chelsea.png", "camera.png"])
def test_numbers_of_one_image(scores, models, probability, name):
    (record,) = (r for r in scores[1] if r["image"].endswith(name) and r["method"] == "grad_cam")
    index = int(record["class_index"])
    assert index == max(demo.EXPECTED[name], key=demo.EXPECTED[name].get)  # known of the network before anything ran it
    x = model_input(PHOTOS / name)
    relevance = grad_cam(models, x, index)
    mask = (relevance - relevance.min()) / (relevance.max() - relevance.min())
    y, o = probability(np.stack([x, x * mask[..., None]]), index)
    assert float(record["probability"]) == pytest.approx(y, abs=1e-5)
    assert float(record["masked_probability"]) == pytest.approx(o, abs=1e-4)
    assert float(record["average_drop"]) == pytest.approx(max(0, y - o) / y, abs=1e-4)
    assert float(record["average_gain"]) == pytest.approx(max(0, o - y) / (1 - y), abs=1e-4)
    assert record["increase"] == str(int(o > y))
    assert record["increase"] == {"chelsea.png": "1", "camera.png": "0"}[name]  # both kinds were looked at

    # Pixels whose relevance differs by less than rounding may come in either order.
    order = np.argsort(-relevance.ravel(), kind="stable")
    ranks = np.empty_like(order)
    ranks[order] = np.arange(order.size)
    removed = [(ranks < round(i * order.size / STEPS)).reshape(mask.shape)[..., None] for i in range(STEPS + 1)]
    for column, pictures in {
        "deletion_auc": [np.where(r, 0, x) for r in removed],
        "insertion_auc": [np.where(r, x, blurred(x)) for r in removed],
    }.items():
        curve = probability(np.stack(pictures), index).astype(np.float64)
        area = (curve[1:] + curve[:-1]).sum() / 2 / STEPS
        assert float(record[column]) == pytest.approx(area, abs=1e-3), column


def test_averages_are_those_of_the_records(scores):
    lines, records, _ = scores
    assert len(records) == len(METHODS) * COUNT
    drops = np.array([[float(r["average_drop"]) for r in records if r["method"] == m] for m in METHODS])
    assert [line["method"] for line in lines] == METHODS
    for i, line in enumerate(lines):
        own = [r for r in records if r["method"] == line["method"]]
        assert line["images"] == len(own) == COUNT
        for name, column, scale in (
            ("average_drop_percent", "average_drop", 100),
            ("increase_percent", "increase", 100),
            ("average_gain_percent", "average_gain", 100),
            ("deletion_auc", "deletion_auc", 1),
            ("insertion_auc", "insertion_auc", 1),
            ("road", "road", 1),
        ):
            assert line[name] == pytest.approx(scale * np.mean([float(r[column]) for r in own]), rel=1e-5, abs=1e-6), (
                name
            )
        others = np.delete(drops, i, axis=0)
        assert line["win_percent"] == pytest.approx(100 * (drops[i] < others.min(axis=0)).mean())
        if i > 0:
            assert line["beats_first_percent"] == pytest.approx(100 * (drops[i] < drops[0]).mean())


def test_chart(scores):
    pixels = np.asarray(Image.open(scores[2]).convert("RGB"))
    height, width, _ = pixels.shape
    assert width > 1000 and height > 300
    blue = (pixels == (0x35, 0x6F, 0xA3)).all(axis=2)
    assert 0.01 < blue.mean() < 0.5


def test_explain_measures_the_same(explaind, scores):
    photo = PHOTOS / "coffee.jpg"
    done = explaind("explain", photo, "--method", "grad_cam", "--faithfulness", "--out", "", "--json")
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)["explanations"][0]["faithfulness"]
    (record,) = (r for r in scores[1] if r["image"].endswith(photo.name) and r["method"] == "grad_cam")
    for name, value in measured.items():
        assert float(record[name]) == pytest.approx(float(value), abs=1e-6), name


def test_exit_statuses(explaind, server, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = PHOTOS / "coffee.jpg"
    (folder / "a.jpg").write_bytes(photo.read_bytes())
    (folder / "b.jpg").write_bytes(photo.read_bytes()[:1000])
    file = tmp_path / "scores.csv"
    some = explaind("evaluate", folder, "--method", "grad_cam", "--csv", file)
    assert some.returncode == 1 and "b.jpg: " in some.stderr and "1 of 2 images failed" in some.stderr
    assert "images: 1;" in some.stdout and len(read(file)) == 1
    assert explaind("evaluate", photo, model=tmp_path / "gone").returncode == 2
    far = explaind("evaluate", photo, "--server", server.address, "--sanity", model=demo.NAME)
    assert far.returncode == 2 and "--sanity" in far.stderr
    far = explaind("evaluate", photo, "--server", server.address, "--method", "grad_cam", model=demo.NAME)
    near = explaind("evaluate", photo, "--method", "grad_cam")
    assert far.returncode == near.returncode == 0 and far.stdout == near.stdout


def test_sanity(explaind, tmp_path):
    """The weights of the head decide which channels Grad-CAM shows. Guided backpropagation shows the edges that the layers
    below have found, whatever the head makes of them."""
    file = tmp_path / "scores.csv"
    done = explaind("evaluate", PHOTOS, "--method", "grad_cam,guided_backprop", "--sanity", "--csv", file)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    records = read(file)

    def mean(method, which):
        return np.mean([float(r[f"rank_correlation_random_{which}"]) for r in records if r["method"] == method])

    assert len(records) == 2 * COUNT
    assert mean("grad_cam", "head") < 0.5 and mean("guided_backprop", "head") > 0.9
    assert mean("grad_cam", "weights") < 0.5 and mean("guided_backprop", "weights") < 0.5
    cam, guided = (line for line in done.stdout.split("random order")[1].splitlines() if "_" in line)
    assert cam.startswith("grad_cam ") and f"{mean('grad_cam', 'head'):.3f}" in cam and "alike" not in cam
    assert guided.startswith("guided_backprop ") and "alike although the head changed (" in guided


def test_progress_is_for_terminals(binary, models):
    """The passes of a method that takes its time stand on the terminal, and nowhere if there is none."""
    photo = PHOTOS / "coffee.jpg"
    words = [binary, "explain", photo, "--model", models / demo.NAME, "--cache", ROOT / ".cache/compiled", "--out", ""]
    words = [str(w) for w in [*words, "--method", "rise", "--rise-masks", "160"]]
    quiet = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert quiet.returncode == 0 and quiet.stderr == "" and "rise" in quiet.stdout
    terminal, other_side = pty.openpty()
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=other_side)
    os.close(other_side)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the process has ended
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    assert process.stdout.read().decode() == quiet.stdout and process.wait() == 0
    assert b"coffee.jpg rise " in shown and b"/160" in shown
