"""Prediction: time of a window, frames a second from a video to its maps, memory, share of the matrix-product rate."""

import tempfile

import numpy as np
import tensorflow as tf

from hd2s_tf.benchmark import measure, runtimes
from hd2s_tf.data import frame_source, synthetic
from hd2s_tf.inference import to_folder
from hd2s_tf.inference.output import OutputFolder
from hd2s_tf.inference.predict_fn import ModelPredictFn, PredictFn
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import FRAME_SIZE

PRESETS = ("hd2s", "hd2s_tiny")
PRECISIONS = ("float32", "bfloat16")
BATCHES = (1, 4)
_VIDEO_FRAMES, _VIDEO_SIZE = 600, (360, 640)


def run() -> dict:
    """Measures every preset, precision and other runtime, each in a process of its own with its matrix products.

    bfloat16 is left out where it is computed in software.
    """
    precisions = PRECISIONS if measure.bfloat16_pays() else PRECISIONS[:1]
    results = {
        f"{preset}, {precision}": measure.alone(_one, preset, precision)
        for preset in PRESETS
        for precision in precisions
    }
    for preset in PRESETS:
        results[f"{preset}, ms a window, batch {BATCHES[0]}"] = runtimes.run(preset, BATCHES[0])
    return results


def _one(preset: str, precision: str) -> dict:
    predict_fn = ModelPredictFn(HD2S.from_preset(preset, weights=None), precision=precision)
    generator = np.random.default_rng(0)
    result: dict = {}
    for batch in BATCHES:
        clips = generator.integers(0, 256, (batch, predict_fn.info.clip_frames, *FRAME_SIZE, 3), np.uint8)
        work = measure.gflop(_clips_graph(predict_fn, batch))
        speed = measure.speed(lambda clips=clips: predict_fn(clips), work, precision)
        result |= {
            f"ms_a_window_batch{batch}": round(1000 * speed.seconds / batch, 1),
            f"gflops_batch{batch}": round(work / speed.seconds, 1),
            f"share_of_matrix_products_batch{batch}": round(speed.share, 3),
            "gflop_a_window": round(work / batch, 2),
            "matrix_product_gflops": round(speed.matrix_product_gflops, 1),
        }
    frames = generator.integers(0, 256, (DEFAULT_BATCH_SIZE, *FRAME_SIZE, 3), np.uint8)
    stream = predict_fn.open_stream(
        generator.integers(0, 256, (predict_fn.info.clip_frames - 1, *FRAME_SIZE, 3), np.uint8)
    )
    # Before and after the video, since machines drift.
    before = measure.seconds(lambda: stream(frames))
    end_to_end = _end_to_end(predict_fn)
    taken = (before + measure.seconds(lambda: stream(frames))) / 2 / DEFAULT_BATCH_SIZE
    work = measure.gflop(_stream_graph(predict_fn, DEFAULT_BATCH_SIZE)) / DEFAULT_BATCH_SIZE
    return result | {
        "ms_a_frame_of_a_video": round(1000 * taken, 1),
        "gflop_a_frame_of_a_video": round(work, 2),
        "frames_a_second_end_to_end": round(end_to_end, 2),
        "share_of_the_network_alone": round(end_to_end * taken, 3),
    }


def _clips_graph(predict_fn: ModelPredictFn, batch_size: int) -> tf.types.experimental.ConcreteFunction:
    """The graph that a batch of clips runs through."""
    clips = tf.TensorSpec((batch_size, predict_fn.info.clip_frames, *FRAME_SIZE, 3), tf.uint8)
    return _traced(predict_fn.graph.maps, clips, tf.TensorSpec((batch_size,), tf.int32))


def _stream_graph(predict_fn: ModelPredictFn, batch_size: int) -> tf.types.experimental.ConcreteFunction:
    """The graph that a batch of a stream's frames runs through."""
    graph, context = predict_fn.graph, predict_fn.info.clip_frames - 1
    before, frames = (tf.TensorSpec((count, *FRAME_SIZE, 3), tf.uint8) for count in (context, batch_size))
    state = graph.start.get_concrete_function(before).structured_outputs
    return _traced(graph.advance, state, frames, tf.TensorSpec((batch_size,), tf.int32))


def _traced(
    function: tf.types.experimental.PolymorphicFunction, *inputs: object
) -> tf.types.experimental.ConcreteFunction:
    """A graph of its own with every shape known; those of the function itself are for batches of any size."""
    return tf.function(function.python_function).get_concrete_function(*inputs)


def _end_to_end(predict_fn: PredictFn) -> float:
    """Frames a second of a 640x360 video to maps and overlay on disk."""
    with tempfile.TemporaryDirectory() as folder:
        synthetic.write_videos(folder, videos=1, frames=_VIDEO_FRAMES, size=_VIDEO_SIZE)
        source = frame_source.open_frames(f"{folder}/video/001.AVI")
        summary = to_folder.predict_source(predict_fn, source, OutputFolder(f"{folder}/out", overwrite=False))
    return summary["frames"] / summary["seconds"]
