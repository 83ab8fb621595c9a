"""The results of an evaluation: of a frame, of a video, of a whole set."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence

import numpy as np

from hd2s_tf.evaluation.protocol import MEAN_OVER_FRAMES, MEAN_OVER_VIDEOS, METRICS, Protocol

PREDICTION, GROUND_TRUTH = "prediction", "ground truth"


@dataclasses.dataclass(frozen=True)
class FrameResult:
    """The outcome of scoring a frame; empty if it was not to be scored.

    Attributes:
      scores: of every metric, and its name as "frame".
      problem: a line that says why its prediction cannot be used.
      missing: what is not there, `PREDICTION` or `GROUND_TRUTH`.
    """

    scores: dict | None = None
    problem: str = ""
    missing: str = ""


@dataclasses.dataclass
class VideoResult:
    """The outcome of scoring a video.

    Attributes:
      rows: the scores of each frame, and its name as "frame".
      problems: one line for each frame whose prediction cannot be used.
      missing: number of frames without a prediction.
      without_truth: number of frames without ground truth.
    """

    rows: list[dict] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    missing: int = 0
    without_truth: int = 0

    def add(self, frame: FrameResult) -> None:
        """Takes in a frame, the next in order."""
        if frame.scores:
            self.rows.append(frame.scores)
        if frame.problem:
            self.problems.append(frame.problem)
        self.missing += frame.missing == PREDICTION
        self.without_truth += frame.missing == GROUND_TRUTH

    @property
    def blind(self) -> bool:
        """Whether frames were scored, but none of them has fixations."""
        return bool(self.rows) and all(np.isnan(row["nss"]) for row in self.rows)


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is scored, on what, and how.

    Attributes:
      predictor: where the maps come from: "weights" or "predictions", and what else describes them.
      data_dir, dataset, split: the data.
      only_videos: names of the videos that were asked for; empty for all.
      protocol: how.
      full_size: whether the ground truth has the size that its data set is distributed in.
      stills: whether every video is a single picture.
      authors_split: whether the data set's authors chose the split's videos, not whoever prepared it.
    """

    predictor: dict[str, object]
    data_dir: str
    dataset: str
    split: str
    only_videos: tuple[str, ...]
    protocol: Protocol
    full_size: bool
    stills: bool
    authors_split: bool = True

    @property
    def comparable(self) -> bool:
        """Whether published scores can stand beside these."""
        return self.protocol.is_official and self.full_size and self.authors_split

    @property
    def name(self) -> str:
        """Who predicted: the preset, or the last part of where the maps come from."""
        source = self.predictor.get("preset") or self.predictor.get("weights") or self.predictor["predictions"]
        return str(source).rstrip("/").rsplit("/", 1)[-1]

    def count(self, videos: int, frames: int) -> str:
        """Numbers of videos and frames in words; of pictures, where each video is one."""
        return f"{frames} pictures" if self.stills else f"{videos} videos, {frames} frames"

    def to_json(self) -> dict[str, object]:
        """As metrics.json gives it."""
        return {
            **self.predictor,
            "data_dir": self.data_dir,
            "dataset": self.dataset,
            "split": self.split,
            "only_videos": list(self.only_videos),
            "full_size": self.full_size,
            "comparable": self.comparable,
            "protocol": {**dataclasses.asdict(self.protocol), **self.protocol.describe()},
        }


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The scores of a set.

    Attributes:
      subject: what was scored.
      rows: for each video by its name, the scores of each frame, and its name as "frame"; empty if nothing was scored.
      missing_predictions: number of frames without one.
      frames_without_ground_truth: number of them.
      problems: one line for everything that was left out for another reason.
    """

    subject: Subject
    rows: dict[str, list[dict]] = dataclasses.field(default_factory=dict)
    missing_predictions: int = 0
    frames_without_ground_truth: int = 0
    problems: tuple[str, ...] = ()

    @functools.cached_property
    def all_rows(self) -> list[dict]:
        """The scores of every frame."""
        return [row for rows in self.rows.values() for row in rows]

    @property
    def frames(self) -> int:
        """Number of scored frames."""
        return len(self.all_rows)

    @functools.cached_property
    def videos(self) -> dict[str, dict[str, float]]:
        """Each video's means over its frames, by metric."""
        return {name: means(rows) for name, rows in self.rows.items()}

    @functools.cached_property
    def mean_over_videos(self) -> dict[str, float]:
        """Means of the videos' means, by metric."""
        return means(self.videos.values())

    @functools.cached_property
    def mean_over_frames(self) -> dict[str, float]:
        """Means over all frames, by metric."""
        return means(self.all_rows)

    @property
    def score(self) -> dict[str, float]:
        """The mean that the protocol takes for the set's score, by metric."""
        return self.mean_over_frames if self.subject.protocol.headline == MEAN_OVER_FRAMES else self.mean_over_videos

    @functools.cached_property
    def undefined(self) -> dict[str, int]:
        """Number of frames where a metric is undefined, by metric."""
        return {metric: int(sum(np.isnan(row[metric]) for row in self.all_rows)) for metric in METRICS}

    def to_json(self) -> dict[str, object]:
        """As metrics.json gives it."""
        return {
            **self.subject.to_json(),
            "missing_predictions": self.missing_predictions,
            "frames_without_ground_truth": self.frames_without_ground_truth,
            "problems": list(self.problems),
            "frames": self.frames,
            MEAN_OVER_VIDEOS: self.mean_over_videos,
            MEAN_OVER_FRAMES: self.mean_over_frames,
            "undefined": self.undefined,
        }


def means(rows: Iterable[dict]) -> dict[str, float]:
    """The mean of each metric over the rows where it is defined; NaN if it is nowhere."""
    rows = list(rows)
    return {metric: _mean([row[metric] for row in rows]) for metric in METRICS}


def _mean(scores: Sequence[float]) -> float:
    values = np.array(scores, float)
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")
