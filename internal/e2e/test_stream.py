"""A client in another language, made by grpcio-tools from proto/ alone: streams of good and bad images, and reflection."""

import io
import json

import grpc
import numpy as np
import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from PIL import Image

from photos import photos

COUNT = 200
FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "BMP"]


def photo(number):
    """A piece of a photo that differs from number to number, as a file of one of the formats."""
    rng = np.random.default_rng(number)
    source = photos()[number % 4]
    height, width = rng.integers(60, 300, 2)
    top, left = rng.integers(0, source.shape[0] - height + 1), rng.integers(0, source.shape[1] - width + 1)
    file = io.BytesIO()
    Image.fromarray(source[top : top + height, left : left + width]).save(file, FORMATS[number % len(FORMATS)])
    return file.getvalue()


def spoil(file, number):
    """The file made unreadable, in one of five ways."""
    return [b"", file[: len(file) // 8], b"GIF89a" + file[:6], bytes(reversed(file)), b"no picture at all"][number % 5]


def mixed_images():
    """{sequence: (file, is good)}: every seventh is corrupt."""
    good = {n: photo(n) for n in range(COUNT)}
    return {n: (f, True) if n % 7 else (spoil(f, n // 7), False) for n, f in good.items()}


@pytest.mark.parametrize("ordered", [False, True])
def test_200_images_have_200_answers(client, stubs, ordered):
    images = mixed_images()
    s, t = stubs.service, stubs.types

    def requests():
        config = t.ExplainConfig(
            methods=[t.METHOD_GRAD_CAM_PLUS_PLUS], rendering=t.Rendering(values=True, resolution=t.RESOLUTION_LAYER)
        )
        yield s.ExplainStreamRequest(config=s.ExplainStreamConfig(config=config, ordered=ordered))
        for n, (file, _) in images.items():
            yield s.ExplainStreamRequest(item=s.ImageItem(sequence=n, image=t.Image(encoded=file, id=f"photo {n}")))

    answers = list(client.ExplainStream(requests(), timeout=300))
    assert answers[0].WhichOneof("message") == "started" and answers[0].started.max_in_flight > 0
    summary = answers[-1].summary
    expected_failures = sum(not good for _, good in images.values())
    assert (summary.succeeded, summary.failed) == (COUNT - expected_failures, expected_failures)

    seen = [a.result.sequence if a.HasField("result") else a.error.sequence for a in answers[1:-1]]
    assert sorted(seen) == list(range(COUNT)), "each image is answered exactly once"
    if ordered:
        assert seen == list(range(COUNT))
    for answer in answers[1:-1]:
        if answer.HasField("error"):
            check_error(answer.error, images)
        else:
            check_result(answer.result, images)


def check_error(error, images):
    assert not images[error.sequence][1], f"image {error.sequence} is good, but: {error.status.message}"
    assert error.status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert error.status.details[0].Unpack(info) and info.domain == "explaind" and info.reason
    assert error.status.details[1].Unpack(request) and request.field_violations[0].field.startswith("image")


def check_result(result, images):
    assert images[result.sequence][1], f"image {result.sequence} is corrupt, but has an answer"
    response = result.response
    assert response.image_id == f"photo {result.sequence}"
    (explanation,) = response.explanations
    assert explanation.target.class_index == response.predictions[0].class_index
    values = np.frombuffer(explanation.heatmap.values, "<f4")
    assert values.size == explanation.heatmap.height * explanation.heatmap.width
    assert values.min() >= 0 and np.isclose(values.max(), 1)


def test_stream_answers_as_the_single_call_does(client, stubs):
    s, t = stubs.service, stubs.types
    image = t.Image(encoded=photo(1))
    config = t.ExplainConfig(
        methods=[t.METHOD_GRAD_CAM], targets=[t.Target(rank=2)], rendering=t.Rendering(values=True)
    )
    single = client.Explain(s.ExplainRequest(image=image, config=config), timeout=60)
    requests = [
        s.ExplainStreamRequest(config=s.ExplainStreamConfig(config=config)),
        s.ExplainStreamRequest(item=s.ImageItem(sequence=5, image=image)),
    ]
    (streamed,) = [a.result.response for a in client.ExplainStream(iter(requests), timeout=60) if a.HasField("result")]
    for response in (single, streamed):
        response.ClearField("timing")
    assert streamed == single


def test_reflection_is_enough_for_a_client(server, stubs):
    """What grpcurl does: no generated code, everything from the server's own description."""
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert {"explaind.v1.ExplainService", "grpc.health.v1.Health"} <= set(database.get_services())
    service = DescriptorPool(database).FindServiceByName("explaind.v1.ExplainService")
    assert {m.name for m in service.methods} == {
        "Predict",
        "PredictStream",
        "Explain",
        "ExplainStream",
        "ListModels",
        "GetModel",
    }

    method = service.FindMethodByName("GetModel")
    request_type, response_type = (message_factory.GetMessageClass(d) for d in (method.input_type, method.output_type))
    call = server.channel.unary_unary(
        "/explaind.v1.ExplainService/GetModel",
        request_serializer=request_type.SerializeToString,
        response_deserializer=response_type.FromString,
    )
    answer = json.loads(json_format.MessageToJson(call(request_type(), timeout=60)))
    assert answer["input"]["channels"] == 3
    assert answer["defaultLayer"] in [layer["name"] for layer in answer["layers"]]
