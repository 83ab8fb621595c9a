"""The server as clients see it: labels, limits, health, encryption, shut-down."""

import shutil
import subprocess
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import remote
from hd2s_tf.serving import models
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection
from hd2s_tf.serving.server import tls


def _channel(server):
    return grpc.insecure_channel(f"127.0.0.1:{server.port}")


def _describe(server, version=None, label=""):
    """What kind of model it is; the answer's version."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "describe"
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    request.inputs["request"].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.int32)))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(_channel(server))
    return stub.Predict(request, timeout=20).model_spec.version.value


def test_a_label_is_a_version(cold, serve, tmp_path):
    for version in ("1", "2"):
        shutil.copytree(cold / "1", tmp_path / version)
    policy = model_server_config_pb2.ModelConfig().model_version_policy
    policy.all.SetInParent()
    server = serve(tmp_path, policy, {"stable": 1, "canary": 2, "old": 7})
    assert [_describe(server, label=label) for label in ("stable", "canary")] == [1, 2]
    assert _describe(server) == 2
    for label, code, details in (
        ("other", "INVALID_ARGUMENT", "Unrecognized servable version label: other"),
        ("old", "NOT_FOUND", "Servable not found for request: Specific(m, 7)"),
    ):
        with pytest.raises(grpc.RpcError) as error:
            _describe(server, label=label)
        assert (error.value.code().name, error.value.details()) == (code, details)


@pytest.fixture
def held(monkeypatch):
    """Requests that reach the network wait until they are let go; `entered` says that one is there."""
    entered, go = threading.Event(), threading.Event()
    run = models.Servable.run

    def wait(self, signature, inputs, outputs):
        if signature != "describe":
            entered.set()
            assert go.wait(20)
        return run(self, signature, inputs, outputs)

    def hold():
        monkeypatch.setattr(models.Servable, "run", wait)
        return entered, go

    yield hold
    go.set()


def test_a_full_queue_refuses_and_the_client_tries_again(exported, serve, held):
    server = serve(queue=1, workers=1)
    entered, go = held()
    answers = []

    def ask():
        with ServedModel(f"127.0.0.1:{server.port}/m") as model:
            answers.append(next(iter(remote.predict_frames(model, exported.frames[:1])))[1])

    first = threading.Thread(target=ask)
    first.start()
    assert entered.wait(20)
    with pytest.raises(grpc.RpcError) as error:
        _describe(server)
    assert (error.value.code().name, error.value.details()) == ("RESOURCE_EXHAUSTED", "The server's queue is full")
    second = threading.Thread(target=ask)
    second.start()
    # The second client is refused meanwhile, again and again.
    second.join(0.5)
    assert second.is_alive()
    go.set()
    for thread in (first, second):
        thread.join(20)
    np.testing.assert_array_equal(*answers)


def test_a_request_that_is_too_large_is_refused_at_once(exported, serve):
    server = serve(max_request_bytes=50_000)
    assert _describe(server) == 1
    with (
        ServedModel(f"127.0.0.1:{server.port}/m") as model,
        pytest.raises(RunError, match="RESOURCE_EXHAUSTED: .* larger than max"),
    ):
        list(remote.predict_frames(model, exported.frames[:4]))


def test_the_standard_health_service(serve):
    server = serve()
    stub = health_pb2_grpc.HealthStub(_channel(server))
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ("", "ModelService", "PredictionService"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == serving
    with pytest.raises(grpc.RpcError) as error:
        stub.Check(health_pb2.HealthCheckRequest(service="x"))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    watched = stub.Watch(health_pb2.HealthCheckRequest(service=""))
    assert next(watched).status == serving
    server.stop(0.5)
    assert next(watched).status == not_serving


def test_a_server_that_stops_answers_what_it_has_begun(exported, serve, held):
    server = serve()
    entered, go = held()
    with ServedModel(f"127.0.0.1:{server.port}/m", Connection(deadline=60)) as model:
        answers = []
        asking = threading.Thread(target=lambda: answers.extend(remote.predict_frames(model, exported.frames[:2])))
        asking.start()
        assert entered.wait(20)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        with pytest.raises(grpc.RpcError) as error:
            # Until the server has begun to stop it still answers.
            while stopping.is_alive():
                _describe(server)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        go.set()
        for thread in (asking, stopping):
            thread.join(20)
    assert len(answers) == 2


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A throw-away authority `ca`, what it has signed for `server` and `client`, and a `stranger`, as .pem and .key."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")

    def openssl(command):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)

    new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    for name in ("ca", "stranger"):
        openssl(f"{new} -x509 -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem")
    for name in ("server", "client"):
        openssl(f"{new} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        openssl(f"x509 -req -days 2 -in {name}.csr -CA ca.pem -CAkey ca.key -extfile names -out {name}.pem")
    (folder / "broken.pem").write_text("broken")
    return folder


def _ask(server, folder, deadline=60.0, **names):
    files = {name: str(folder / file) for name, file in names.items()}
    connection = Connection(deadline=deadline, token="secret", **files)
    with ServedModel(f"127.0.0.1:{server.port}/m", connection) as model:
        return model.info.preset


def test_an_encrypted_connection(serve, certificates):
    server = serve(credentials=tls(str(certificates / "server.pem"), str(certificates / "server.key")))
    assert _ask(server, certificates, tls_ca="ca.pem") == "hd2s_tiny"
    # At once and not at the deadline: a bad certificate stays bad.
    for authority, message in (("stranger.pem", "CERTIFICATE_VERIFY_FAILED"), ("broken.pem", "security handshaker")):
        with pytest.raises(BadInputError, match=f"UNAVAILABLE: .*{message}"):
            _ask(server, certificates, tls_ca=authority)
    with pytest.raises(RunError, match="UNAVAILABLE"):
        _ask(server, certificates, deadline=1.0)
    with pytest.raises(BadInputError, match="UNAVAILABLE: .*WRONG_VERSION_NUMBER"):
        _ask(serve(), certificates, tls_ca="ca.pem")


def test_certificates_of_clients(serve, certificates):
    files = (str(certificates / name) for name in ("server.pem", "server.key", "ca.pem"))
    server = serve(credentials=tls(*files))
    pair = {"tls_certificate": "client.pem", "tls_key": "client.key"}
    assert _ask(server, certificates, tls_ca="ca.pem", **pair) == "hd2s_tiny"
    # The server closes the connection without an answer.
    for other in ({}, {"tls_certificate": "stranger.pem", "tls_key": "stranger.key"}):
        with pytest.raises(RunError, match="UNAVAILABLE"):
            _ask(server, certificates, deadline=1.0, tls_ca="ca.pem", **other)
    with pytest.raises(BadInputError, match="security handshaker"):
        _ask(server, certificates, tls_ca="ca.pem", tls_certificate="client.pem", tls_key="server.key")


def test_credentials_of_a_server_that_make_no_sense(serve, certificates):
    for files, message in (
        (("c", None), "both"),
        ((None, None, "ca"), "both"),
        (("missing.pem", "server.key"), "missing.pem"),
    ):
        with pytest.raises(BadInputError, match=message):
            tls(*(file and str(certificates / file) for file in files))
    assert tls(None, None) is None
    with pytest.raises(BadInputError, match="do not fit"):
        serve(credentials=tls(str(certificates / "broken.pem"), str(certificates / "server.key")))


def test_a_version_is_swapped_without_a_failed_request(exported, cold, serve, tmp_path):
    base = tmp_path / "m"
    shutil.copytree(cold / "1", base / "1")
    server = serve(base, poll_seconds=0.1)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{server.port}"))
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "describe"
    request.inputs["request"].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.int32)))
    versions = [stub.Predict(request).model_spec.version.value]
    shutil.copytree(exported.base / "1", base / "2.tmp")
    (base / "2.tmp").rename(base / "2")
    for _ in range(5000):
        versions.append(stub.Predict(request).model_spec.version.value)
        if versions[-1] == 2:
            break
        threading.Event().wait(0.01)
    assert versions == sorted(versions)
    assert set(versions) == {1, 2}
    status = model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(f"127.0.0.1:{server.port}"))
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "m"
    assert [found.version for found in status.GetModelStatus(asked).model_version_status] == [2, 1]


@pytest.mark.parametrize(
    "change, code, details",
    [
        ({"name": "x"}, "NOT_FOUND", "Servable not found for request: Latest(x)"),
        ({"signature_name": "x"}, "FAILED_PRECONDITION", 'Serving signature key "x" not found.'),
        ({"version_label": "x"}, "INVALID_ARGUMENT", "Unrecognized servable version label: x"),
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    ],
)
def test_statuses_word_for_word(serve, change, code, details):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(_channel(serve()))
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "describe"
    for name, value in change.items():
        setattr(request.model_spec, name, value)
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(request)
    assert (error.value.code().name, error.value.details()) == (code, details)


def _request(signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", signature
    for name, tensor in inputs.items():
        request.inputs[name].CopyFrom(tensor)
    return request


def test_a_few_bytes_that_ask_for_much_memory_are_refused(serve):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(_channel(serve()))
    tensor = tf.make_tensor_proto(np.zeros(1, np.int32))
    for side, code in ((2**34, "RESOURCE_EXHAUSTED"), (-1, "INVALID_ARGUMENT")):
        tensor.tensor_shape.dim[0].size = side
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(_request("describe", request=tensor))
        assert error.value.code().name == code


def test_long_messages_are_cut(serve):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(_channel(serve()))
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(_request(5000 * "x"))
    assert error.value.details() == 'Serving signature key "' + 1001 * "x" + "...TRUNCATED"


def test_a_cancelled_call_keeps_its_place_until_its_thread_is_free(exported, serve, held):
    server = serve(queue=1, workers=1)
    entered, go = held()
    stub = prediction_service_pb2_grpc.PredictionServiceStub(_channel(server))
    call = stub.Predict.future(_request("serving_default", clip=tf.make_tensor_proto(exported.clips[:1])))
    assert entered.wait(20)
    call.cancel()
    with pytest.raises(grpc.RpcError, match="queue is full"):
        for _ in range(20):
            _describe(server)
            threading.Event().wait(0.01)
    go.set()
    for _ in range(200):
        try:
            assert _describe(server) == 1
            return
        except grpc.RpcError:
            threading.Event().wait(0.05)
    pytest.fail("the place was never given back")


def test_slow_senders_do_not_take_all_threads(serve):
    server = serve(queue=4)
    over = threading.Event()

    def slowly():
        over.wait(60)
        yield from ()

    channel = _channel(server)
    method = channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
    calls = [method.future(slowly()) for _ in range(50)]
    for _ in range(5):
        assert _describe(server) == 1
    over.set()
    for call in calls:
        call.cancel()
    channel.close()
