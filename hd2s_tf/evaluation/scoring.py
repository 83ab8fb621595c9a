"""Scores videos: frames on all cores, while the next ones are predicted."""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tqdm
from absl import logging

from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import protocol
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.predictions import BAR_DELAY, PredictedFrame, Predictor
from hd2s_tf.evaluation.progress import Progress
from hd2s_tf.evaluation.protocol import OtherFixations, Protocol
from hd2s_tf.evaluation.results import GROUND_TRUTH, PREDICTION, FrameResult, VideoResult
from hd2s_tf.evaluation.submission import Submission

# The most frames that wait to be scored while others are predicted.
_PENDING_FRAMES = 64
# A prediction that is wider or narrower than its ground truth by more than this belongs to another frame.
_ASPECT_TOLERANCE = 0.1


class _Pending(NamedTuple):
    """A frame's work; without any, the end of its video."""

    video: str
    work: concurrent.futures.Future[FrameResult] | None


@dataclasses.dataclass
class Scorer:
    """Scores videos.

    Attributes:
      predictor: of the maps.
      others: fixations for shuffled AUC.
      protocol: how to score.
      progress: where the results of finished videos lie.
      submission: where maps are written to as well; None for nowhere.
    """

    predictor: Predictor
    others: OtherFixations
    protocol: Protocol
    progress: Progress
    submission: Submission | None = None
    _results: dict[str, VideoResult] = dataclasses.field(default_factory=dict)
    # In order.
    _pending: collections.deque[_Pending] = dataclasses.field(default_factory=collections.deque)

    def run(self, videos: Sequence[ScoredVideo]) -> dict[str, VideoResult]:
        """Scores the videos and returns their results by name.

        Raises:
          BadInputError: a video cannot be read.
        """
        total = sum(len(scored.frame_names) for scored in videos)
        with (
            tqdm.tqdm(total=total, unit="frame", desc="scoring", delay=BAR_DELAY) as bar,
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            try:
                for number, scored in enumerate(videos):
                    if not self._resume(scored):
                        self._start(number, scored, pool, bar)
                    else:
                        bar.update(len(scored.frame_names))
                while self._pending:
                    self._collect()
            finally:
                pool.shutdown(cancel_futures=True)
        return self._results

    def _resume(self, scored: ScoredVideo) -> bool:
        """Takes over an interrupted evaluation's result of a video; returns whether there is one."""
        done = self.progress.read(scored.name)
        if done is None or (self.submission is not None and not self.submission.has(scored)):
            return False
        self._results[scored.name] = done
        return True

    def _start(self, number: int, scored: ScoredVideo, pool: concurrent.futures.Executor, bar: tqdm.tqdm) -> None:
        """Predicts a video and hands its frames to the pool."""
        self._results[scored.name] = VideoResult()
        count = 0
        for index, predicted in enumerate(self.predictor.frames(scored)):
            count += 1
            bar.update()
            if scored.labelled and count > len(scored.frame_names):
                continue
            if self.submission:
                self._pending.append(_Pending(scored.name, pool.submit(self._submit, scored, index, predicted)))
            if scored.labelled and index % self.protocol.every == 0:
                self._pending.append(_Pending(scored.name, pool.submit(self._score, number, scored, index, predicted)))
            while len(self._pending) > _PENDING_FRAMES:
                self._collect()
        if scored.labelled and count != len(scored.frame_names):
            expected = len(scored.frame_names)
            logging.warning("%s: %d frames for %d maps, paired by number", scored.name, count, expected)
        if self.submission:
            self.submission.expect(scored, count)
        self._pending.append(_Pending(scored.name, None))

    def _collect(self) -> None:
        """Adds the oldest frame's result, or stores the oldest video's."""
        name, work = self._pending.popleft()
        if work is None:
            self.progress.write(name, self._results[name])
        else:
            self._results[name].add(work.result())

    def _submit(self, scored: ScoredVideo, index: int, predicted: PredictedFrame) -> FrameResult:
        self.submission.write(scored, index, predicted)
        return FrameResult()

    def _score(self, number: int, scored: ScoredVideo, index: int, predicted: PredictedFrame) -> FrameResult:
        truth = scored.read_truth(index)
        if truth is None:
            return FrameResult(missing=GROUND_TRUTH)
        try:
            saliency_map = predicted.read(as_file=self.protocol.round_before_resizing)
        except BadInputError as error:
            return FrameResult(problem=str(error))
        if saliency_map is None:
            return FrameResult(missing=PREDICTION)
        problem = _problem(saliency_map, truth, predicted)
        if problem:
            return FrameResult(problem=f"{scored.name}, frame {scored.frame_names[index]}: {problem}")
        generator = protocol.frame_generator(self.protocol, number, index)
        other = self.others.draw(scored.name, generator, truth.saliency_map.shape)
        scores = protocol.score_frame(saliency_map, truth, other, generator, self.protocol)
        return FrameResult({"frame": scored.frame_names[index], **scores})


def _problem(saliency_map: np.ndarray, truth: FrameTruth, predicted: PredictedFrame) -> str:
    """Says why a map cannot be scored; empty if it can."""
    if predicted.saliency_map is not None and not np.isfinite(predicted.saliency_map).all():
        return "the map has values that are not finite"
    (height, width), (true_height, true_width) = saliency_map.shape, truth.saliency_map.shape
    if predicted.path and abs(width * true_height / (height * true_width) - 1) > _ASPECT_TOLERANCE:
        return f"a prediction of {width}x{height} for a ground truth of {true_width}x{true_height}"
    return ""
