"""The demo model, served: what explaind answers is what TensorFlow in Python answers, and what was known of the network
before either of them ran it."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "demo_model"))
import make_demo_model as demo  # noqa: E402

PHOTOS = sorted(demo.EXPECTED)
METHODS = ["CAM", "GRAD_CAM", "GRAD_CAM_PLUS_PLUS"]


@pytest.fixture(scope="module")
def tensorflow(models):
    """model input → probabilities, by TensorFlow in Python."""
    import tensorflow as tf

    signature = tf.saved_model.load(str(models / demo.NAME / "1")).signatures["serving_default"]
    return lambda tensor: signature(image=tf.constant(tensor))["probabilities"].numpy()[0]


def probabilities(client, stubs, image):
    """All probabilities, by class index."""
    response = client.Predict(stubs.service.PredictRequest(model=demo.NAME, image=image, top_k=1000))
    assert len(response.predictions) == 1000
    found = np.full(1000, np.nan, np.float32)
    for p in response.predictions:
        found[p.class_index] = p.probability
    return found


def tensor_image(stubs, tensor):
    data = np.ascontiguousarray(tensor, "<f4")
    return stubs.types.Image(
        tensor=stubs.types.Tensor(shape=data.shape, dtype=stubs.types.DATA_TYPE_FLOAT32, data=data.tobytes())
    )


@pytest.mark.parametrize("name", PHOTOS)
def test_known_probabilities(client, stubs, name):
    found = probabilities(client, stubs, tensor_image(stubs, demo.model_input(demo.photos() / name)))
    expected = demo.EXPECTED[name]
    assert found.argmax() == max(expected, key=expected.get)
    for index, probability in expected.items():
        assert found[index] == pytest.approx(probability, abs=demo.TOLERANCE), f"class {index}"


@pytest.mark.parametrize("name", PHOTOS)
def test_same_tensor_same_answer_as_tensorflow(client, stubs, tensorflow, name):
    tensor = demo.model_input(demo.photos() / name)
    np.testing.assert_allclose(
        probabilities(client, stubs, tensor_image(stubs, tensor)), tensorflow(tensor), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("name", PHOTOS)
def test_same_file_same_answer_as_tensorflow(client, stubs, tensorflow, name):
    """explaind.yaml says bicubic, which means tf.image.resize; the crop is EfficientNet's own."""
    import tensorflow as tf

    file = demo.photos() / name
    pixels = np.asarray(Image.open(file).convert("RGB"), np.float32)
    height, width, _ = pixels.shape
    side = int(0.875 * min(height, width))
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    square = pixels[None, top : top + side, left : left + side]
    tensor = (tf.image.resize(square, (224, 224), "bicubic").numpy() - 127) / 128
    found = probabilities(client, stubs, stubs.types.Image(encoded=file.read_bytes()))
    np.testing.assert_allclose(found, tensorflow(tensor), rtol=0, atol=1e-5)


def test_labels_and_layers(client, stubs):
    from efficientnet_lite0 import STAGES

    model = client.GetModel(stubs.service.GetModelRequest(model=demo.NAME))
    assert len(model.labels) == 1000
    known = {281: "tabby", 282: "tiger cat", 285: "Egyptian cat", 872: "tripod", 967: "espresso"}
    assert {i: model.labels[i] for i in known} == known
    blocks = [f"block{stage}_{i}" for stage, (count, *_) in enumerate(STAGES, 1) for i in range(1, count + 1)]
    assert [layer.name for layer in model.layers] == ["stem", *blocks, "head_conv"]
    assert model.default_layer == model.head.pooled_layer == "head_conv"
    last = model.layers[-1]
    assert (last.height, last.width, last.channels, last.op) == (7, 7, 1280, "Relu6")


def test_maps_by_hand(client, stubs, models):
    """CAM, Grad-CAM and Grad-CAM++ at the last layer, computed here from the activations and the dense layer's weights:
    behind it there is only a mean and one matrix, so that the gradient is a constant per channel."""
    tensor = demo.model_input(demo.photos() / "chelsea.png")
    activations, kernel = last_activations(models, tensor)
    weights = kernel[:, 285].astype(np.float64)
    gradient = weights / 49
    plus_plus = np.where(gradient > 0, 49 * gradient / (2 + activations.sum((0, 1)) * gradient), 0)
    expected = {
        "CAM": activations @ weights,
        "GRAD_CAM": np.maximum(activations @ gradient, 0),
        "GRAD_CAM_PLUS_PLUS": np.maximum(activations @ plus_plus, 0),
    }
    response = client.Explain(
        stubs.service.ExplainRequest(
            model=demo.NAME,
            image=tensor_image(stubs, tensor),
            config=stubs.types.ExplainConfig(
                methods=[f"METHOD_{m}" for m in METHODS],
                targets=[stubs.types.Target(class_index=285)],
                rendering=stubs.types.Rendering(values=True, resolution=stubs.types.RESOLUTION_LAYER),
            ),
        )
    )
    assert [stubs.types.Method.Name(x.method) for x in response.explanations] == [f"METHOD_{m}" for m in METHODS]
    for method, x in zip(METHODS, response.explanations):
        assert x.target.class_index == 285 and x.layer == "head_conv"
        values = np.frombuffer(x.heatmap.values, "<f4").reshape(x.heatmap.height, x.heatmap.width)
        raw = expected[method]
        np.testing.assert_allclose(values, raw / raw.max(), atol=1e-5, err_msg=method)
        assert x.heatmap.raw_max == pytest.approx(raw.max(), rel=1e-5), method


def last_activations(models, tensor):
    """The last feature map [7, 7, 1280] and the dense kernel [1280, 1000], by TensorFlow in Python."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(models / demo.NAME / "1"))
    flat = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
    (node,) = (n for n in flat.graph.as_graph_def().node if n.name.endswith("head_conv/relu6"))
    features = flat.prune(flat.inputs[0].name, f"{node.name}:0")
    return features(tf.constant(tensor)).numpy()[0], loaded.dense[0].numpy()


def test_compare_draws_a_figure(binary, server, tmp_path):
    photo = demo.photos() / "chelsea.png"
    figure = tmp_path / "figure.png"
    methods = "cam,grad_cam,grad_cam_plus_plus"
    command = [binary, "compare", photo, "--server", server.address, "--method", methods, "--out", figure]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tiger cat 0.415" in done.stdout
    pixels = np.asarray(Image.open(figure).convert("RGB"), np.int32)
    height, width, _ = pixels.shape
    assert width > 4 * 224 and height > 224
    # Four panels: the photo as it is, then three over which a map lies.
    panels = [pixels[:, i * (width // 4) : (i + 1) * (width // 4)] for i in range(4)]
    photo_panel, *overlays = panels
    assert photo_panel.std() > 20
    for overlay in overlays:
        assert np.abs(overlay - photo_panel).mean() > 5
