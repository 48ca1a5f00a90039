"""Beginning and end: broken models beside good ones, and a stop in the middle of the work."""

import queue
import shutil
import time

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tensorflow.core.protobuf import saved_model_pb2


def image(stubs, size=96):
    pixels = np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)
    return stubs.types.Image(
        tensor=stubs.types.Tensor(shape=pixels.shape, dtype=stubs.types.DATA_TYPE_UINT8, data=pixels.tobytes())
    )


# --- broken models ----------------------------------------------------------------------------------------------------


def without_variables(folder):
    shutil.rmtree(folder / "variables")


def truncated(folder):
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:1000])


def truncated_weights(folder):
    (file,) = (folder / "variables").glob("variables.data-*")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def empty_file(folder):
    (folder / "saved_model.pb").write_bytes(b"")


def wrong_tag(folder):
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    del model.meta_graphs[0].meta_info_def.tags[:]
    model.meta_graphs[0].meta_info_def.tags.append("train")
    file.write_bytes(model.SerializeToString())


BREAKAGES = [without_variables, truncated, truncated_weights, empty, empty_file, wrong_tag]


@pytest.fixture(scope="module")
def broken_and_good(start_server, zoo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(zoo / "subclassed" / "1", folder / "good" / "1")
    for breakage in BREAKAGES:
        target = folder / breakage.__name__ / "1"
        shutil.copytree(zoo / "subclassed" / "1", target)
        breakage(target)
    return start_server("--models", folder)


def test_broken_models_are_reported_and_the_others_serve(broken_and_good, stubs):
    client = stubs.Client(broken_and_good.channel)
    states = {m.name: m.versions[-1] for m in client.ListModels(stubs.service.ListModelsRequest(), timeout=10).models}
    assert set(states) == {"good"} | {b.__name__ for b in BREAKAGES}
    assert states["good"].state == stubs.service.MODEL_STATE_READY
    for breakage in BREAKAGES:
        version = states[breakage.__name__]
        assert version.state == stubs.service.MODEL_STATE_FAILED
        assert version.status.message, "a failed version says why"
        assert broken_and_good.health(f"models/{breakage.__name__}") == "NOT_SERVING"
        with pytest.raises(grpc.RpcError) as caught:
            client.Predict(stubs.service.PredictRequest(model=breakage.__name__, image=image(stubs)), timeout=10)
        status = rpc_status.from_call(caught.value)
        info = error_details_pb2.ErrorInfo()
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert status.details[0].Unpack(info) and info.reason == "MODEL_FAILED"
    answer = client.Predict(stubs.service.PredictRequest(model="good", image=image(stubs)), timeout=30)
    assert np.isclose(sum(p.probability for p in answer.predictions), 1, atol=0.5)
    assert broken_and_good.health("models/good") == "SERVING" and broken_and_good.health() == "SERVING"


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_calls_in_flight_are_finished_on_sigterm(start_server, models, stubs):
    server = start_server("--models", models)
    client = stubs.Client(server.channel)
    request = stubs.service.ExplainRequest(image=image(stubs, 500))
    client.Explain(request, timeout=60)
    # more than are worked on at once, so that some still wait for their turn when the signal comes
    calls = [client.Explain.future(request, timeout=60) for _ in range(16)]
    time.sleep(0.1)
    server.process.terminate()
    answers = [call.result() for call in calls]
    assert all(a.explanations[0].heatmap.values for a in answers)
    assert server.process.wait(30) == 0
    with pytest.raises(grpc.RpcError) as caught:
        client.Explain(request, timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_streams_in_flight_are_drained_on_sigterm(start_server, models, stubs):
    server = start_server("--models", models)
    s = stubs.service
    to_send, sent = queue.Queue(), []

    def requests():
        yield s.ExplainStreamRequest(config=s.ExplainStreamConfig())
        while (n := to_send.get()) is not None:
            sent.append(n)
            yield s.ExplainStreamRequest(item=s.ImageItem(sequence=n, image=image(stubs, 500)))

    stream = stubs.Client(server.channel).ExplainStream(requests(), timeout=120)
    for n in range(40):
        to_send.put(n)
    answered, drained = [], False
    with pytest.raises(grpc.RpcError) as caught:
        for answer in stream:
            kind = answer.WhichOneof("message")
            assert kind in ("started", "result", "draining"), answer
            drained |= kind == "draining"
            if kind == "result":
                answered.append(answer.result.sequence)
            if len(answered) == 5 and server.process.poll() is None and not drained:
                server.process.terminate()
    to_send.put(None)
    assert drained, "the client is told to send the rest elsewhere"
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(info) and info.reason == "SERVER_DRAINING"
    assert len(answered) == len(set(answered)) >= 5
    assert set(answered) <= set(sent)
    assert server.process.wait(30) == 0


def test_health_turns_before_the_end(start_server, models):
    server = start_server("--models", models)
    assert server.health() == "SERVING"
    server.process.terminate()
    assert server.process.wait(30) == 0
    assert server.health() in ("NOT_SERVING", "UNAVAILABLE")
