"""The growth of `hd2s_tiny`'s cost with a video's frames, the size of the network's input and the number of clients."""

import itertools

import numpy as np

from hd2s_tf import files, plotting
from hd2s_tf.benchmark import measure, serving
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.inference.predictor import predict_video

PRESET = "hd2s_tiny"
FRAME_COUNTS = (100, 1000, 10000)
SIZES = ((128, 192), (256, 384), (384, 640))
CLIENTS = (1, 4, 16)
_SIZE, _BATCH = (360, 640), 4
_SECONDS = 30.0
_SERVED_FRAMES = 160


def run() -> dict[str, dict]:
    """Measures each number of frames, size and number of clients; the values for clients are those of `serving`."""
    results = {f"{count} frames": measure.alone(_frames, count) for count in FRAME_COUNTS}
    results |= {f"{height}x{width}": measure.alone(_window, (height, width)) for height, width in SIZES}
    served = measure.alone(serving.measured, {}, _SERVED_FRAMES, CLIENTS, _SECONDS)["results"]
    return results | {f"{count} clients": served[f"{count} clients"] for count in CLIENTS}


def _frames(count: int) -> dict:
    predict_fn = load_predict_fn("auto", PRESET)
    some = np.random.default_rng(0).integers(0, 256, (16, *_SIZE, 3), np.uint8)

    def predict() -> int:
        frames = itertools.islice(itertools.cycle(some), count)
        return sum(1 for _ in predict_video(predict_fn, frames, batch_size=_BATCH))

    return {"seconds": round(measure.seconds(predict, 1, 0), 1)}


def _window(size: tuple[int, int]) -> dict:
    predict_fn = load_predict_fn("auto", PRESET)
    clips = np.random.default_rng(0).integers(0, 256, (_BATCH, predict_fn.info.clip_frames, *size, 3), np.uint8)
    return {"ms_a_window": round(1000 * measure.seconds(lambda: predict_fn(clips), 5, 1) / _BATCH, 1)}


def draw(path: str, results: dict[str, dict]) -> None:
    """Draws what `run` returned as one picture, PNG."""
    figure = plotting.new_figure(13, 3.6)
    length, memory, area, clients = figure.subplots(1, 4)
    by_count = [results[f"{count} frames"] for count in FRAME_COUNTS]
    length.loglog(FRAME_COUNTS, [values["seconds"] for values in by_count], marker="o")
    length.set(xlabel="frames of 640x360", ylabel="seconds")
    memory.semilogx(FRAME_COUNTS, [values["peak_memory_mb"] for values in by_count], marker="o")
    memory.set(xlabel="frames of 640x360", ylabel="peak memory, MB")
    pixels = [height * width / 1000 for height, width in SIZES]
    area.plot(pixels, [results[f"{height}x{width}"]["ms_a_window"] for height, width in SIZES], marker="o")
    area.set(xlabel="thousand pixels of the network's input", ylabel="ms a window", xlim=(0, None))
    rates = [results[f"{count} clients"]["frames_a_second"] for count in CLIENTS]
    clients.semilogx(CLIENTS, rates, marker="o", base=2)
    clients.set(xlabel="clients", ylabel="frames a second, all together")
    clients.set_xticks(CLIENTS, CLIENTS)
    for axes in (memory, area, clients):
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    files.write_bytes(path, plotting.png_bytes(figure))
