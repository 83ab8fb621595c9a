"""Metrics: milliseconds a frame, compared with the benchmark's own computation and with predicting the frame.

The reference is `literal_metrics`.
"""

import cv2
import numpy as np

from hd2s_tf.benchmark import literal_metrics, measure
from hd2s_tf.evaluation import metrics
from hd2s_tf.models.presets import FRAME_SIZE

# As a frame of DHF1K has them: its size, fixations of 17 observers or so, and those of ten other frames.
_SIZE, _FIXATIONS, _OTHER_FIXATIONS = (360, 640), 34, 310
_SMOOTHNESS = 15
_PRESET, _BATCH = "hd2s", 4


def run() -> dict[str, dict]:
    """Times each metric, all five together, and `hd2s` on a frame."""
    generator = np.random.default_rng(0)
    saliency_map, truth = (_blurred_noise(generator) for _ in range(2))
    fixations, others = (_scattered(generator, count) for count in (_FIXATIONS, _OTHER_FIXATIONS))
    results = {}
    for name, arguments in {
        "auc_judd": (saliency_map, fixations),
        "sim": (saliency_map, truth),
        "s_auc": (saliency_map, fixations, others, generator),
        "cc": (saliency_map, truth),
        "nss": (saliency_map, fixations),
    }.items():
        ours = 1000 * measure.seconds(lambda name=name, call=arguments: getattr(metrics, name)(*call), repeats=51)
        literal = 1000 * measure.seconds(
            lambda name=name, call=arguments: literal_metrics.METRICS[name](*call), repeats=11
        )
        results[name] = {
            "ms_a_frame": round(ours, 3),
            "literal_ms_a_frame": round(literal, 2),
            "times_faster": round(literal / ours, 1),
        }
    five = sum(result["ms_a_frame"] for result in results.values())
    predicting = _milliseconds_to_predict(generator)
    results["all five"] = {
        "ms_a_frame": round(five, 2),
        "literal_ms_a_frame": round(sum(result["literal_ms_a_frame"] for result in results.values()), 1),
        "hd2s_ms_a_window": round(predicting, 1),
        "share_of_predicting": round(five / predicting, 4),
    }
    return results


def _milliseconds_to_predict(generator: np.random.Generator) -> float:
    """A window of `hd2s` in batches, float32, normalisation folded into the convolutions."""
    from hd2s_tf.inference.predict_fn import ModelPredictFn
    from hd2s_tf.models.hd2s import HD2S

    predict_fn = ModelPredictFn(HD2S.from_preset(_PRESET, weights=None), precision="float32")
    clips = generator.integers(0, 256, (_BATCH, predict_fn.info.clip_frames, *FRAME_SIZE, 3), np.uint8)
    return 1000 * measure.seconds(lambda: predict_fn(clips), repeats=5) / _BATCH


def _blurred_noise(generator: np.random.Generator) -> np.ndarray:
    noise = cv2.GaussianBlur(generator.random(_SIZE), (0, 0), _SMOOTHNESS)
    return np.uint8(np.rint(255 * (noise - noise.min()) / np.ptp(noise)))


def _scattered(generator: np.random.Generator, count: int) -> np.ndarray:
    fixation_map = np.zeros(_SIZE, bool)
    fixation_map.flat[generator.permutation(fixation_map.size)[:count]] = True
    return fixation_map
