"""Serving over loopback: frames a second, latency and errors of clients, memory, bytes, share of local speed."""

import pathlib
import statistics
import tempfile
import threading
import time

import numpy as np
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.benchmark import measure
from hd2s_tf.data import preprocessing, synthetic, video
from hd2s_tf.models.hd2s import CLIP_FRAMES, FRAME_SIZE

PRESET = "hd2s_tiny"
CLIENTS = (1, 4, 16)
_SECONDS, _FRAMES = 20.0, 32
_FLOAT32_WINDOW = CLIP_FRAMES * FRAME_SIZE[0] * FRAME_SIZE[1] * 3 * 4


def run() -> dict[str, dict]:
    """All client counts against one server, and local prediction, in a process of its own."""
    return measure.alone(_all)["results"]


def _all() -> dict:
    from hd2s_tf.export import saved_model
    from hd2s_tf.inference import predictor
    from hd2s_tf.models.hd2s import HD2S
    from hd2s_tf.serving.server import Server

    model = HD2S.from_preset(PRESET, weights=None)
    with tempfile.TemporaryDirectory() as folder:
        saved_model.export(model, f"{folder}/m", 1)
        synthetic.write_videos(f"{folder}/video", videos=1, frames=_FRAMES, size=(360, 640))
        frames = list(video.open_frames(f"{folder}/video/video/001.AVI"))
        predict_fn = predictor.ModelPredictFn(model)
        local = _FRAMES / measure.seconds(lambda: list(predictor.predict_video(predict_fn, frames)), 3, 1)
        server = Server([model_server_config_pb2.ModelConfig(name="m", base_path=f"{folder}/m")])
        try:
            results = {f"{count} clients": _load(server.port, frames, count, local) for count in CLIENTS}
        finally:
            server.stop()
    png = statistics.mean(len(video.png_bytes(preprocessing.resize(frame, FRAME_SIZE))) for frame in frames)
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


def _load(port: int, frames: list[np.ndarray], clients: int, local: float) -> dict:
    """Clients that send a video again and again until the time is over."""
    from hd2s_tf.inference import remote

    latencies: list[float] = []
    errors: list[str] = []
    frame_counts = [0] * clients
    started = time.perf_counter()
    before = _resident_mb()

    def client(number: int) -> None:
        try:
            with remote.ServedModel(f"127.0.0.1:{port}/m", remote.Connection(deadline=300.0)) as model:
                while time.perf_counter() - started < _SECONDS:
                    asked = time.perf_counter()
                    frame_counts[number] += sum(1 for _ in remote.predict_frames(model, frames))
                    latencies.append(time.perf_counter() - asked)
        except Exception as error:  # Every kind of failure counts as an error of the run.
            errors.append(str(error))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(frame_counts) / (time.perf_counter() - started)
    return {
        "frames_a_second": round(rate, 2),
        "share_of_in_process": round(rate / local, 3),
        f"p50_seconds_of_{_FRAMES}_frames": round(float(np.percentile(latencies, 50)), 3),
        f"p99_seconds_of_{_FRAMES}_frames": round(float(np.percentile(latencies, 99)), 3),
        "errors": len(errors),
        "memory_growth_mb": round(_resident_mb() - before),
    }


def _resident_mb() -> float:
    """Memory of this process, server and clients together; 0 where the system does not tell."""
    status = pathlib.Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
