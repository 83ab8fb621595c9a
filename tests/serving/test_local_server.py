"""The server as a program: killed, started again, told to stop."""

import contextlib
import pathlib
import signal
import subprocess
import sys
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from hd2s_tf.data import images
from hd2s_tf.inference import remote
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection

ROOT = pathlib.Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def _started(base, port=0):
    """A server's process and, once it serves, its port."""
    command = [sys.executable, str(ROOT / "serving" / "local_server.py"), f"--model_base_path={base}"]
    process = subprocess.Popen(
        [*command, "--model_name=m", f"--port={port}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process, lambda: int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        process.kill()
        process.wait()


def test_a_server_killed_and_started_again_and_told_to_stop(exported, cold):
    maps = []
    with contextlib.ExitStack() as servers:
        first, port = servers.enter_context(_started(cold))
        port = port()
        with ServedModel(f"127.0.0.1:{port}/m", Connection(deadline=60)) as model:
            for _, found in remote.predict_frames(model, exported.frames):
                maps.append(found)
                if len(maps) == 1:
                    # The second chunk is on its way.
                    first.kill()
                    second, serves = servers.enter_context(_started(cold, port))
        assert first.wait() == -signal.SIGKILL
        assert serves() == port
        np.testing.assert_array_equal(maps, exported.maps)
        _stop_during_a_request(second, port, exported.frames)


def _stop_during_a_request(process, port, frames):
    """A request that runs is answered, then the process ends by itself."""
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_receive_message_length", -1)])
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = predict_pb2.PredictRequest(output_filter=["saliency_map"])
    request.model_spec.name, request.model_spec.signature_name = "m", "predict_frames"
    encoded = np.array([[images.png(frames[0])] * 300], object)
    request.inputs["frames"].CopyFrom(tf.make_tensor_proto(encoded))
    request.inputs["skip"].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.int32)))
    answer = stub.Predict.future(request, timeout=60)
    time.sleep(0.5)
    assert not answer.done()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert answer.result().outputs["saliency_map"].tensor_shape.dim[1].size == 300
