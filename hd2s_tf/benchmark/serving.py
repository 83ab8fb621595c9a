"""Serving over loopback: frames a second, latency and errors of clients, the server's memory, share of local speed.

Server and clients are processes of their own, on the same cores. Clients decode the video, resize, compress and send;
the local reference decodes and predicts the same file. The time starts when every client has its first answer. Memory
grows until as many requests have met as the server runs at a time, so what counts is its growth in the second half.
"""

import multiprocessing.connection
import pathlib
import statistics
import tempfile
import threading
import time

import numpy as np
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf import processes
from hd2s_tf.benchmark import measure
from hd2s_tf.data import frame_source, images, preprocessing, synthetic
from hd2s_tf.inference import predictor, remote
from hd2s_tf.inference.predict_fn import ModelPredictFn
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE
from hd2s_tf.serving import signatures
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection

PRESET = "hd2s_tiny"
CLIENTS = (1, 4, 16)
# Long enough for requests of one client to overlap: five of them.
_FRAMES, _SIZE = 160, (360, 640)
_SECONDS = 60.0
# Seconds that a request may take before it counts as an error.
_DEADLINE = 600.0
_FLOAT32_WINDOW = CLIP_FRAMES * FRAME_SIZE[0] * FRAME_SIZE[1] * 3 * 4


def run(seconds: float = _SECONDS) -> dict[str, dict]:
    """Measures all numbers of clients, one after the other, against one server, and local prediction.

    Args:
      seconds: how long each number of clients sends requests.
    """
    return measure.alone(measured, {}, _FRAMES, CLIENTS, seconds)["results"]


def measured(settings: dict, frame_count: int, client_counts: tuple[int, ...], seconds: float) -> dict:
    """What `run` returns, under "results"; to be called in a process of its own.

    Args:
      settings: of the model, where it is not the preset's.
      frame_count: of the video.
      client_counts: numbers of clients.
      seconds: for each.
    """
    from hd2s_tf.export import saved_model

    model = HD2S.from_preset(PRESET, weights=None, **settings)
    with tempfile.TemporaryDirectory() as folder:
        saved_model.export(model, f"{folder}/m", 1)
        synthetic.write_videos(f"{folder}/video", videos=1, frames=frame_count, size=_SIZE)
        source = frame_source.open_frames(f"{folder}/video/video/001.AVI")
        predict_fn = ModelPredictFn(model)
        local = frame_count / measure.seconds(lambda: sum(1 for _ in predictor.predict_video(predict_fn, source)), 3, 1)
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(f"{folder}/m", theirs), daemon=True)
        server.start()
        try:
            target = f"127.0.0.1:{ours.recv()}/m"
            results = {
                f"{count} clients": _load(target, source, count, seconds, server.pid, local) for count in client_counts
            }
        finally:
            server.kill()
            server.join()
        png = statistics.mean(len(images.png(preprocessing.resize(frame, FRAME_SIZE))) for frame in source)
    # 2 T frames a request bring T-1 of context, and float32 maps come back.
    sent = png * (3 * CLIP_FRAMES - 1) / (2 * CLIP_FRAMES)
    answered = FRAME_SIZE[0] * FRAME_SIZE[1] * 4
    results["bytes a frame"] = {
        "sent": round(sent),
        "answered": answered,
        "float32_window_client": _FLOAT32_WINDOW + answered,
        "times_less": round((_FLOAT32_WINDOW + answered) / (sent + answered), 1),
    }
    results["in process"] = {"frames_a_second": round(local, 2)}
    return {"results": results}


def _serve(base_path: str, port: multiprocessing.connection.Connection) -> None:
    """A server's process; tells its port."""
    from hd2s_tf.serving.server import Server

    processes.end_with_parent()
    server = Server([model_server_config_pb2.ModelConfig(name="m", base_path=base_path)])
    port.send(server.port)
    server.wait()


class _Client(threading.Thread):
    """Sends a video again and again until it is told to stop.

    Attributes:
      arrivals: when each frame's map came.
      latencies: seconds of each request.
      error: of the run, if it failed.
    """

    def __init__(self, target: str, source: frame_source.FrameSource, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._target, self._source, self._stop_asking = target, source, stop
        self.arrivals: list[float] = []
        self.latencies: list[float] = []
        self.error = ""

    def run(self) -> None:
        """Sends the video until it is told to stop or a request fails."""
        try:
            connection = Connection(deadline=_DEADLINE)
            with ServedModel(self._target, connection, on_answer=self._note) as model:
                while True:
                    for _ in remote.predict_frames(model, self._source):
                        self.arrivals.append(time.perf_counter())
                        if self._stop_asking.is_set():
                            return
        except Exception as error:  # Every kind of failure counts as an error of the run.
            self.error = str(error)

    def _note(self, signature: str, seconds: float) -> None:
        if signature == signatures.PREDICT_FRAMES:
            self.latencies.append(seconds)


def _load(target: str, source: frame_source.FrameSource, count: int, seconds: float, server: int, local: float) -> dict:
    """Lets so many clients ask at a time and measures what `run` promises of them."""
    stop = threading.Event()
    clients = [_Client(target, source, stop) for _ in range(count)]
    for client in clients:
        client.start()
    while any(client.is_alive() and not client.arrivals for client in clients):
        time.sleep(0.1)
    started = time.perf_counter()
    stop.wait(seconds / 2)
    half = _resident_mb(server)
    stop.wait(seconds / 2)
    ended, memory = time.perf_counter(), _resident_mb(server)
    stop.set()
    for client in clients:
        client.join()
    errors = [client.error for client in clients if client.error]
    if len(errors) == count:
        return {"errors": count, "error": errors[0]}
    latencies = [latency for client in clients for latency in client.latencies]
    rate = sum(started < arrival <= ended for client in clients for arrival in client.arrivals) / (ended - started)
    return {
        "frames_a_second": round(rate, 2),
        "share_of_in_process": round(rate / local, 3),
        "p50_seconds_a_request": round(float(np.percentile(latencies, 50)), 3),
        "p99_seconds_a_request": round(float(np.percentile(latencies, 99)), 3),
        "errors": len(errors),
        "server_memory_mb": round(memory),
        "server_memory_growth_mb": round(memory - half),
    }


def _resident_mb(process: int) -> float:
    """Memory of a process; 0 where the system does not tell."""
    status = pathlib.Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
