"""From frames to a data set's score, every choice written down.

A prediction is resized to the ground truth's size (pixel areas averaged where it shrinks, bilinear where it grows) and
rounded to 8 bits, as the benchmark's PNG files are. Each metric is computed for each frame; its mean over the frames
of a video where it is defined is the video's score. Reported are both the mean over videos and over all frames. Frames
without fixations have no NSS and AUC; they are left out of these means and counted. The other fixations of shuffled AUC
come from `other_frames` frames of other videos, drawn for each frame from a pool of at most `pool_frames` frames, all
by the seed.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hd2s_tf.data import fixations, preprocessing
from hd2s_tf.evaluation import metrics
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo

METRICS = ("auc_judd", "sim", "s_auc", "cc", "nss", "kl_divergence")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The choices.

    Attributes:
      round_to_8_bits: whether predictions are rounded to integers of 0..255.
      splits: draws over which shuffled AUC is averaged.
      other_frames: frames of other videos whose fixations shuffled AUC is measured against.
      pool_frames: at most so many frames they are drawn from.
      seed: of all draws.
      every: only every n-th frame of a video is scored.
    """

    round_to_8_bits: bool = True
    splits: int = metrics.SPLITS
    other_frames: int = 10
    pool_frames: int = 1000
    seed: int = 0
    every: int = 1

    def describe(self) -> dict[str, str]:
        """The choices in words, as reports give them."""
        rounded = "rounded to 8 bits" if self.round_to_8_bits else "not rounded"
        return {
            "prediction": f"resized to the ground truth's size (area average to shrink, bilinear to grow), {rounded}",
            "auc_judd": "thresholds at the fixations, no jitter",
            "s_auc": f"mean of {self.splits} draws from the fixations of {self.other_frames} frames of other videos "
            f"(drawn anew for each frame from a pool of at most {self.pool_frames} frames, seed {self.seed}), "
            f"thresholds {metrics.STEP} apart",
            "frames": "all" if self.every == 1 else f"every {self.every}th of a video, from its first",
            "means": "over a video's frames where the metric is defined, then over videos; and over all such frames",
            "undefined": "no fixations (NSS, AUC-Judd, s-AUC) or a constant map (SIM, CC): left out and counted",
        }


class OtherFixations:
    """Fixations of other videos, for shuffled AUC.

    Args:
      videos: of the set.
      protocol: says how many are drawn.

    Attributes:
      pool_size: number of frames to draw from; frames without fixations are none of them.
    """

    def __init__(self, videos: Sequence[ScoredVideo], protocol: Protocol) -> None:
        self._protocol = protocol
        generator = np.random.default_rng(protocol.seed)
        candidates = [(number, frame) for number, video in enumerate(videos) for frame in range(len(video.frame_names))]
        chosen = generator.permutation(len(candidates))[: protocol.pool_frames]
        pool = [(videos[candidates[index][0]], candidates[index][1]) for index in np.sort(chosen)]
        points = [(video.name, video.read_points(frame)) for video, frame in pool]
        self._pool = [(name, fixated) for name, fixated in points if len(fixated)]
        self.pool_size = len(self._pool)

    def draw(self, video: str, generator: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """The other fixations of a frame of a video: bool [H,W]."""
        others = [points for name, points in self._pool if name != video]
        chosen = generator.permutation(len(others))[: self._protocol.other_frames]
        points = [others[index] for index in chosen]
        return fixations.to_map(np.concatenate(points) if points else np.zeros((0, 2), np.float32), size)


def score_frame(
    prediction: np.ndarray,
    truth: FrameTruth,
    other_fixation_map: np.ndarray,
    generator: np.random.Generator,
    protocol: Protocol,
) -> dict[str, float]:
    """All `METRICS` of a frame.

    Args:
      prediction: real [h,w] in 0..255, of any size.
      truth: of the frame.
      other_fixation_map: bool [H,W], of the truth's size.
      generator: for shuffled AUC.
      protocol: whether to round.
    """
    saliency_map = preprocessing.resize(prediction, truth.saliency_map.shape)
    if protocol.round_to_8_bits and saliency_map.dtype != np.uint8:
        saliency_map = np.clip(np.rint(saliency_map), 0, 255).astype(np.uint8)
    return {
        "auc_judd": metrics.auc_judd(saliency_map, truth.fixation_map),
        "sim": metrics.sim(saliency_map, truth.saliency_map),
        "s_auc": metrics.s_auc(saliency_map, truth.fixation_map, other_fixation_map, generator, protocol.splits),
        "cc": metrics.cc(saliency_map, truth.saliency_map),
        "nss": metrics.nss(saliency_map, truth.fixation_map),
        "kl_divergence": metrics.kl_divergence(saliency_map, truth.saliency_map),
    }


def frame_generator(protocol: Protocol, video_index: int, frame: int) -> np.random.Generator:
    """The generator of a frame's draws: whatever is scored before or beside it, they are the same."""
    return np.random.default_rng((protocol.seed, video_index, frame))


def summarise(frames_of_videos: dict[str, list[dict[str, float]]]) -> dict:
    """The set's scores from the frames of each video.

    Returns:
      mean_over_videos and mean_over_frames (metric to float), videos (name to metric to float), undefined (metric to
      the number of frames where it is), frames (their number).
    """
    videos = {name: {metric: _mean(rows, metric) for metric in METRICS} for name, rows in frames_of_videos.items()}
    everything = [row for rows in frames_of_videos.values() for row in rows]
    return {
        "frames": len(everything),
        "mean_over_videos": {metric: _mean(list(videos.values()), metric) for metric in METRICS},
        "mean_over_frames": {metric: _mean(everything, metric) for metric in METRICS},
        "undefined": {metric: int(sum(np.isnan(row[metric]) for row in everything)) for metric in METRICS},
        "videos": videos,
    }


def _mean(rows: Sequence[dict[str, float]], metric: str) -> float:
    values = np.array([row[metric] for row in rows], float)
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")
