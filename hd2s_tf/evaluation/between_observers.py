"""People as predictors of each other: the ceiling to stand beside a model.

The gaze of some observers becomes a map, as ground truth does, and is scored against the gaze of others alone: random
halves, again and again, or all others against each one. Each division of the observers is a copy of a video's frames.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from hd2s_tf.data import fixations
from hd2s_tf.data.gaze import maps, observers
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.predictions import PredictedFrame, Predictor

HALVES, LEAVE_ONE_OUT = "observers", "observers_leave_one_out"
DIVISIONS = (HALVES, LEAVE_ONE_OUT)
REPEATS = 5


@dataclasses.dataclass(frozen=True)
class DividedVideo(ScoredVideo):
    """Copies of a video's frames, one for each division of its observers, with the gaze of those who are predicted.

    Attributes:
      whole: the video with all its gaze.
      divisions: for each copy, the numbers of the observers who predict, and of those who are predicted.
    """

    whole: ScoredVideo | None = None
    divisions: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @classmethod
    def of(cls, whole: ScoredVideo, division: str, seed: int) -> "DividedVideo":
        """Divides the observers of a video.

        Args:
          whole: the video.
          division: of `DIVISIONS`.
          seed: of random halves.

        Raises:
          BadInputError: it is not known who looked, or fewer than two did.
        """
        if whole.observed is None:
            raise BadInputError(f"{whole.name}: it is not known which observer looked where; gaze data tells it")
        numbers = np.array(whole.observed.observers)
        if len(numbers) < 2:
            raise BadInputError(f"{whole.name}: one observer cannot predict others")
        pairs = (
            observers.halves(len(numbers), REPEATS, seed)
            if division == HALVES
            else observers.each_from_the_others(len(numbers))
        )
        divisions = tuple((numbers[predicting], numbers[predicted]) for predicting, predicted in pairs)
        count = len(whole.frame_names)

        def points(index: int) -> np.ndarray:
            return _points(whole, index % count, divisions[index // count][1])

        def truth(index: int) -> FrameTruth | None:
            full = whole.read_truth(index % count)
            if full is None:
                return None
            seen, size = points(index), full.saliency_map.shape
            return FrameTruth(_map(whole, seen, size), fixations.to_map(seen, size))

        def frames() -> Iterator[np.ndarray]:
            for _ in divisions:
                yield from whole.frames()

        names = tuple(f"{name}, division {copy}" for copy in range(1, len(divisions) + 1) for name in whole.frame_names)
        return cls(whole.name, whole.labelled, names, frames, truth, points, whole=whole, divisions=divisions)

    def predict(self, index: int) -> np.ndarray:
        """The map of those who predict a frame, uint8 [H,W]."""
        count = len(self.whole.frame_names)
        full = self.whole.read_truth(index % count)
        size = (1, 1) if full is None else full.saliency_map.shape
        return _map(self.whole, _points(self.whole, index % count, self.divisions[index // count][0]), size)


class ObserversPredictor(Predictor):
    """The gaze of some observers as the prediction of others'; of `DividedVideo`s only."""

    def frames(self, scored: DividedVideo) -> Iterator[PredictedFrame]:
        """See `Predictor`."""
        for index in range(len(scored.frame_names)):
            yield PredictedFrame(scored.predict(index))

    def example(self, scored: DividedVideo, index: int) -> list[np.ndarray]:
        """See `Predictor`."""
        return [scored.predict(index)]


def _points(whole: ScoredVideo, index: int, numbers: Sequence[int]) -> np.ndarray:
    """The fixations of some observers in a frame."""
    return whole.read_points(index)[np.isin(whole.read_observers(index), numbers)]


def _map(whole: ScoredVideo, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    sigma = tuple(share * side for share, side in zip(whole.observed.sigma, size, strict=True))
    return maps.saliency_map(points, size, sigma)
