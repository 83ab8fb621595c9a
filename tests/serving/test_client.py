"""The client against a service whose answers a test scripts."""

import contextlib
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import remote
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection
from tests.serving import scripted_service
from tests.serving.scripted_service import ask, frames_of, whole


def _fail(code, message="away"):
    return lambda request, context: context.abort(code, message)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_request_that_may_pass_is_sent_again(service, port, code):
    service.faults = [None, _fail(code), _fail(code), None, _fail(code)]
    assert ask(port, 100)[0] == whole(100)


def test_a_server_that_goes_and_comes_back_loses_no_frame(service):
    answers = []
    with contextlib.ExitStack() as first:
        port = first.enter_context(scripted_service.serving(service))
        with ServedModel(f"127.0.0.1:{port}/m", Connection(deadline=20)) as model:
            for frame, found in remote.predict_frames(model, frames_of(200), domain="a"):
                answers.append((frame[0, 0, 0], found[0, 0]))
                if len(answers) == 33:
                    first.close()
                    again = scripted_service.serving(service, port)
                    threading.Timer(0.5, again.__enter__).start()
    again.__exit__(None, None, None)
    assert answers == whole(200)


def test_a_version_swapped_meanwhile_is_told(service, port):
    def swap(request, context):
        service.version = 2
        context.abort(grpc.StatusCode.UNAVAILABLE, "swapping")

    service.faults = [None, swap]
    answers, versions = ask(port, 100)
    assert answers == whole(100)
    assert versions == [1, 2]


def test_a_version_that_was_asked_for_is_not_replaced(port):
    with pytest.raises(BadInputError, match=r"NOT_FOUND: .*Specific\(m, 7\)"):
        ask(port, 1, version=7)


def test_wrong_names(port):
    with pytest.raises(BadInputError, match=r"NOT_FOUND: .*Latest\(x\)"):
        ask(port, 1, name="x")
    with pytest.raises(BadInputError, match="this model has A, B"):
        ask(port, 1, domain="c")
    with pytest.raises(BadInputError, match="grpc://host:port/name"):
        ServedModel("somewhere")
    with ServedModel(f"127.0.0.1:{port}/m") as model, pytest.raises(BadInputError, match="no signature x"):
        model.require("x")


def _answer(array):
    def answer(request, context):
        response = predict_pb2.PredictResponse()
        if array is not None:
            response.outputs["saliency_map"].CopyFrom(tf.make_tensor_proto(array))
        return response

    return answer


@pytest.mark.parametrize(
    "array",
    [
        None,
        np.zeros((1, 3, 128, 192), np.float32),
        np.full((1, 4, 128, 192), np.nan, np.float32),
        np.zeros((1, 4, 128, 192), np.float64),
    ],
)
def test_garbage_stops_the_run(service, port, array):
    service.faults = [_answer(array)]
    with pytest.raises(RunError, match="makes no sense"):
        ask(port, 4)


def test_a_deadline_ends_the_waiting(service, port):
    service.faults = [_fail(grpc.StatusCode.UNAVAILABLE)] * 50
    started = time.monotonic()
    with pytest.raises(RunError, match="UNAVAILABLE"):
        ask(port, 4, deadline=1.0)
    service.faults = [lambda request, context: time.sleep(2)] * 4
    with pytest.raises(RunError, match="DEADLINE_EXCEEDED"):
        ask(port, 4, deadline=0.5)
    assert time.monotonic() - started < 4


def test_a_message_that_is_too_large_is_not_sent_again(service, port):
    service.faults = [_fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)")]
    with pytest.raises(RunError, match="larger than max"):
        ask(port, 4, deadline=30.0)


def test_the_token_is_sent(service, port):
    ask(port, 1, token="secret")
    assert {metadata["authorization"] for metadata in service.metadata} == {"Bearer secret"}


def test_certificates_that_do_not_make_sense(tmp_path):
    for arguments, message in (
        ({"tls_certificate": "c"}, "both"),
        ({"tls_certificate": "c", "tls_key": "k"}, "authority"),
        ({"tls_ca": str(tmp_path / "missing.pem")}, "missing.pem"),
    ):
        with pytest.raises(BadInputError, match=message):
            ServedModel("127.0.0.1:1/m", Connection(**arguments))


def test_a_server_that_is_lost_costs_an_attempt_and_not_the_deadline(service, port):
    service.faults = [lambda request, context: time.sleep(3)]
    started = time.monotonic()
    assert ask(port, 4, deadline=30.0, attempt=0.5)[0] == whole(4)
    assert time.monotonic() - started < 2


def test_a_run_never_goes_back_to_an_older_version(service, port):
    def older(request, context):
        return _versioned(2)

    def swap(request, context):
        service.version = 3
        context.abort(grpc.StatusCode.UNAVAILABLE, "swapping")

    service.version = 2
    # After version 3 has answered, a server that still has version 2 does, and then one that has version 3.
    service.faults = [swap, None, older]
    answers, versions = ask(port, 100)
    assert answers == whole(100)
    assert versions == [2, 3]
    service.version = 3
    service.faults = [None, *[older] * 50]
    with pytest.raises(RunError, match="version 2 answers after a newer one"):
        ask(port, 100, deadline=1.0)


def _versioned(version):
    response = _answer(np.zeros((1, 32, 128, 192), np.float32))(None, None)
    response.model_spec.version.value = version
    return response


def test_a_batch_that_a_stranger_spoiled_is_sent_again_a_few_times(service, port):
    spoiled = _fail(
        grpc.StatusCode.FAILED_PRECONDITION,
        "Tensors with name 'clip' from different tasks have different shapes and padding is turned off.",
    )
    service.faults = [spoiled] * 3
    assert ask(port, 4)[0] == whole(4)
    service.faults = [spoiled] * 50
    with pytest.raises(BadInputError, match="different tasks"):
        ask(port, 4)
    assert len(service.faults) == 45
    service.faults = [_fail(grpc.StatusCode.FAILED_PRECONDITION, "another reason")] * 2
    with pytest.raises(BadInputError, match="another reason"):
        ask(port, 4)
    assert len(service.faults) == 1


@pytest.mark.parametrize(
    "shape, values",
    [
        # A few bytes that ask for 400 GB.
        ((1, 4, 128, 192), [1.0]),
        ((1, 4, 128, 2**30), [1.0]),
        ((1, 4, -128, -192), []),
        ((1, 4, 128, 192), []),
        ((), [1.0]),
    ],
)
def test_an_answer_takes_no_more_memory_than_its_message(service, port, shape, values):
    def huge(request, context):
        response = predict_pb2.PredictResponse()
        tensor = response.outputs["saliency_map"]
        tensor.dtype = tf.float32.as_datatype_enum
        tensor.float_val.extend(values)
        for side in shape:
            tensor.tensor_shape.dim.add(size=side)
        return response

    service.faults = [huge]
    with pytest.raises(RunError, match="makes no sense: saliency_map is"):
        ask(port, 4)


@pytest.mark.parametrize("description", [b"", b"[]", b"7", b"{}", b'{"preset": 3}', b"\xff", b"null"])
def test_a_description_that_is_none(service, port, description):
    service.description = description
    with ServedModel(f"127.0.0.1:{port}/m") as model, pytest.raises(RunError, match="makes no sense"):
        assert model.info


def test_a_token_is_kept_from_eyes_and_from_open_networks():
    connection = Connection(token="secret")
    assert "secret" not in repr(connection)
    with pytest.raises(BadInputError, match="the token would be sent without encryption") as error:
        ServedModel("grpc://192.0.2.1:8500/m", connection)
    assert error.value.remedy == "plaintext_token"
    for target, settings in (("192.0.2.1:8500/m", {"plaintext_token": True}), ("localhost:8500/m", {})):
        with ServedModel(target, Connection(token="secret", **settings)):
            pass


def test_loopback_is_reached_without_a_proxy(service, port, monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert ask(port, 4, deadline=10.0)[0] == whole(4)


def test_what_was_answered_is_told(service, port):
    told = []
    with ServedModel(f"127.0.0.1:{port}/m", on_answer=lambda signature, seconds: told.append(signature)) as model:
        list(remote.predict_frames(model, frames_of(33), domain="a"))
    assert told == ["describe", "predict_frames", "predict_frames"]


def test_requests_go_to_several_servers_in_turn(service, port):
    other = scripted_service.Service()
    with (
        scripted_service.serving(other) as other_port,
        ServedModel(f"ipv4:127.0.0.1:{port},127.0.0.1:{other_port}/m") as model,
    ):
        found = [saliency_map[0, 0] for _, saliency_map in remote.predict_frames(model, frames_of(200), domain="a")]
    assert found == list(range(200))
    assert min(len(service.requests), len(other.requests)) >= 2
