"""How a predicted map is scored against a frame's ground truth, with every choice written down.

There are two protocols. `videos` is this project's own: a prediction is resized to the ground truth's size (pixel areas
averaged where it shrinks, bilinear where it grows) and then rounded to 8 bits; shuffled AUC draws its other fixations
from other videos; a video's score is the mean over its frames, and the set's the mean over its videos.

`dhf1k` does what the DHF1K benchmark's evaluation function does: a prediction is what a submitted file holds, rounded
to 8 bits before it is resized bicubically; shuffled AUC draws from the frames of all videos, the scored one among
them; the set's score is the mean over all frames. Published scores are comparable with this one only.

Frames where a metric is undefined are left out of its means and counted. All draws are by the seed.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from hd2s_tf.data import fixations, preprocessing
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import metrics
from hd2s_tf.evaluation.bicubic import resize_bicubic
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo

AUTO, VIDEOS, DHF1K = "auto", "videos", "dhf1k"
MEAN_OVER_VIDEOS, MEAN_OVER_FRAMES = "mean_over_videos", "mean_over_frames"
AREA_OR_BILINEAR, BICUBIC = "area average to shrink, bilinear to grow", "bicubic"
_ROUNDED_PEAK = 255


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The choices.

    Attributes:
      name: of the protocol.
      resize: how a prediction is brought to the ground truth's size.
      round_to_8_bits: whether predictions are rounded to integers of 0..255.
      round_before_resizing: whether the map is rounded as a file holds it, and not again after it is resized.
      ties: how AUC-Judd treats equal values; see `metrics.auc_judd`.
      others_from_all_frames: whether shuffled AUC's other frames are drawn from all frames, or those of other videos.
      headline: which mean is the set's score.
      splits: draws over which shuffled AUC is averaged.
      other_frames: frames whose fixations shuffled AUC is measured against.
      pool_frames: the most frames of other videos to draw them from.
      seed: of all draws.
      every: only every n-th frame of a video is scored.
    """

    name: str = VIDEOS
    resize: str = AREA_OR_BILINEAR
    round_to_8_bits: bool = True
    round_before_resizing: bool = False
    ties: str = metrics.EXPECTED_JITTER
    others_from_all_frames: bool = False
    headline: str = MEAN_OVER_VIDEOS
    splits: int = metrics.SPLITS
    other_frames: int = 10
    pool_frames: int = 1000
    seed: int = 0
    every: int = 1

    @property
    def is_official(self) -> bool:
        """Whether scores can stand beside those that the benchmark publishes."""
        return dataclasses.replace(self, seed=0, every=1) == PROTOCOLS[DHF1K]

    def describe(self) -> dict[str, str]:
        """The choices in words, as reports give them."""
        rounded = "not rounded"
        if self.round_to_8_bits:
            rounded = f"rounded to 8 bits {'before' if self.round_before_resizing else 'after'} resizing"
        ties = {
            metrics.EXPECTED_JITTER: "equal values count as jitter orders them on average",
            metrics.NO_JITTER: "no jitter",
        }
        if self.others_from_all_frames:
            others = f"{self.other_frames} frames of all videos (drawn anew for each frame, seed {self.seed})"
        else:
            others = (
                f"{self.other_frames} frames of other videos (drawn anew for each frame from a pool of at most "
                f"{self.pool_frames} frames, seed {self.seed})"
            )
        return {
            "prediction": f"resized to the ground truth's size ({self.resize}), {rounded}",
            "auc_judd": f"thresholds at the fixations, {ties[self.ties]}",
            "s_auc": f"mean of {self.splits} draws from the fixations of {others}, thresholds {metrics.STEP} apart",
            "auc_borji": f"mean of {metrics.SPLITS} draws, thresholds {metrics.STEP} apart",
            "information_gain": "over a Gaussian at the centre, a quarter of height and width wide",
            "frames": "all" if self.every == 1 else f"every {self.every}th of a video, from its first",
            "means": "over all frames where the metric is defined"
            if self.headline == MEAN_OVER_FRAMES
            else "over a video's frames where the metric is defined, then over videos",
            "undefined": "no fixations (NSS, AUCs, gain) or a constant map (SIM unless black, CC, gain): counted",
        }


PROTOCOLS = {
    VIDEOS: Protocol(),
    DHF1K: Protocol(
        name=DHF1K,
        resize=BICUBIC,
        round_before_resizing=True,
        others_from_all_frames=True,
        headline=MEAN_OVER_FRAMES,
    ),
}


def choose(name: str, comparable: bool, **changes: object) -> Protocol:
    """A protocol by its name.

    Args:
      name: of `PROTOCOLS`; "auto" for `dhf1k` where there are published scores to compare with, else `videos`.
      comparable: whether there are.
      changes: other values of its attributes.

    Raises:
      BadInputError: no such protocol.
    """
    if name == AUTO:
        name = DHF1K if comparable else VIDEOS
    if name not in PROTOCOLS:
        raise BadInputError(f"no protocol {name!r}: the protocols are {', '.join(PROTOCOLS)} and {AUTO}")
    return dataclasses.replace(PROTOCOLS[name], **changes)


@dataclasses.dataclass(frozen=True)
class ScoredFrame:
    """What a metric may look at.

    Attributes:
      saliency_map: real [H,W], the prediction at the ground truth's size; bicubic resizing may overshoot 0..255.
      truth: of the frame, [H,W].
      other_fixation_map: bool [H,W], fixations of other frames.
      generator: of the frame's draws.
      protocol: how to score.
    """

    saliency_map: np.ndarray
    truth: FrameTruth
    other_fixation_map: np.ndarray
    generator: np.random.Generator
    protocol: Protocol


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric: how it is named, shown and computed.

    Attributes:
      name: in files.
      title: in tables and plots.
      meaning: in a line for readers of a report.
      higher_is_better: whether its best values are its largest.
      score: of a frame; NaN where it is undefined.
    """

    name: str
    title: str
    meaning: str
    higher_is_better: bool
    score: Callable[[ScoredFrame], float]


# Draws are taken from one generator in this order: a new metric that draws goes to the end.
METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "auc_judd",
            "AUC-Judd",
            "how well the map tells fixated pixels from all others; 0.5 is chance, 1 is perfect",
            True,
            lambda frame: metrics.auc_judd(frame.saliency_map, frame.truth.fixation_map, frame.protocol.ties),
        ),
        Metric(
            "sim",
            "SIM",
            "how much of the map and of the ground truth overlaps, 0 to 1",
            True,
            lambda frame: metrics.sim(frame.saliency_map, frame.truth.saliency_map),
        ),
        Metric(
            "s_auc",
            "s-AUC",
            "as AUC-Judd, but against where people look elsewhere, so that the centre alone earns nothing",
            True,
            lambda frame: metrics.s_auc(
                frame.saliency_map,
                frame.truth.fixation_map,
                frame.other_fixation_map,
                frame.generator,
                frame.protocol.splits,
            ),
        ),
        Metric(
            "cc",
            "CC",
            "correlation with the ground truth, -1 to 1",
            True,
            lambda frame: metrics.cc(frame.saliency_map, frame.truth.saliency_map),
        ),
        Metric(
            "nss",
            "NSS",
            "the map's mean height at the fixations, in standard deviations; 0 is chance",
            True,
            lambda frame: metrics.nss(frame.saliency_map, frame.truth.fixation_map),
        ),
        Metric(
            "kl_divergence",
            "KL",
            "what the map misses of the ground truth; 0 is perfect, lower is better",
            False,
            lambda frame: metrics.kl_divergence(np.maximum(frame.saliency_map, 0), frame.truth.saliency_map),
        ),
        Metric(
            "auc_borji",
            "AUC-Borji",
            "as AUC-Judd, but against pixels drawn at random, and coarser",
            True,
            lambda frame: metrics.auc_borji(frame.saliency_map, frame.truth.fixation_map, frame.generator),
        ),
        Metric(
            "information_gain",
            "IG",
            "bits a fixation that the map knows beyond a Gaussian at the centre; below 0 it knows less",
            True,
            lambda frame: metrics.information_gain(
                frame.saliency_map, frame.truth.fixation_map, centre_map(frame.saliency_map.shape)
            ),
        ),
    )
}


@functools.lru_cache(maxsize=8)
def centre_map(size: tuple[int, int]) -> np.ndarray:
    """A Gaussian at the centre, float32 [H,W] of peak 1, whose deviations are a quarter of height and width."""
    rows, columns = (np.linspace(-0.5, 0.5, side) for side in size)
    gaussian = np.exp(-8 * (rows[:, np.newaxis] ** 2 + columns**2)).astype(np.float32)
    gaussian.flags.writeable = False
    return gaussian


class OtherFixations:
    """Fixations of other frames, for shuffled AUC.

    Args:
      videos: of the set.
      protocol: says which frames are drawn, and how many.

    Attributes:
      exist: whether any frame to draw from has fixations.
    """

    def __init__(self, videos: Sequence[ScoredVideo], protocol: Protocol) -> None:
        self._protocol = protocol
        self._frames = [(video, index) for video in videos for index in range(len(video.frame_names))]
        # Points are small; threads that miss the same frame at once read it twice, which does no harm.
        self._read = functools.cache(lambda number: self._frames[number][0].read_points(self._frames[number][1]))
        if protocol.others_from_all_frames:
            self.exist = any(len(self._read(number)) for number in range(len(self._frames)))
            return
        chosen = np.random.default_rng(protocol.seed).permutation(len(self._frames))[: protocol.pool_frames]
        self._pool = [number for number in np.sort(chosen).tolist() if len(self._read(number))]
        self.exist = bool(self._pool)

    def draw(self, video: str, generator: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """The other fixations of a frame of a video: bool [H,W]."""
        count = self._protocol.other_frames
        if self._protocol.others_from_all_frames:
            chosen = generator.choice(len(self._frames), min(count, len(self._frames)), replace=False).tolist()
        else:
            others = [number for number in self._pool if self._frames[number][0].name != video]
            chosen = [others[place] for place in generator.permutation(len(others))[:count]]
        points = [self._read(number) for number in chosen]
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
      generator: of the frame's draws.
      protocol: how to resize, to round and to score.
    """
    saliency_map = _prepared(prediction, truth.saliency_map.shape, protocol)
    frame = ScoredFrame(saliency_map, truth, other_fixation_map, generator, protocol)
    return {name: metric.score(frame) for name, metric in METRICS.items()}


def _prepared(prediction: np.ndarray, size: tuple[int, int], protocol: Protocol) -> np.ndarray:
    if protocol.round_to_8_bits and protocol.round_before_resizing:
        prediction = _rounded(prediction)
    resize = resize_bicubic if protocol.resize == BICUBIC else preprocessing.resize
    resized = resize(prediction, size)
    return _rounded(resized) if protocol.round_to_8_bits and not protocol.round_before_resizing else resized


def _rounded(saliency_map: np.ndarray) -> np.ndarray:
    if saliency_map.dtype == np.uint8:
        return saliency_map
    return np.clip(np.rint(saliency_map), 0, _ROUNDED_PEAK).astype(np.uint8)


def frame_generator(protocol: Protocol, video_index: int, frame: int) -> np.random.Generator:
    """The generator of a frame's draws: whatever is scored before or beside it, they are the same."""
    return np.random.default_rng((protocol.seed, video_index, frame))
