"""From maps and ground truth to a folder of scores: the job of `tools/evaluate.py`."""

import collections
import concurrent.futures
import dataclasses
import json
import os
from collections.abc import Sequence

import numpy as np
import tqdm
from absl import logging

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import protocol, report, tables
from hd2s_tf.evaluation.ground_truth import ScoredVideo, dataset_name, open_videos
from hd2s_tf.evaluation.predictions import (
    BAR_DELAY,
    BASELINE_PREFIX,
    BaselinePredictor,
    FolderPredictor,
    NetworkPredictor,
    PredictedFrame,
    Predictor,
    enumeration,
)
from hd2s_tf.evaluation.protocol import Protocol
from hd2s_tf.evaluation.submission import Submission
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
from hd2s_tf.serving.connection import Connection

REPORT, PROGRESS = "report.html", "progress"
# Frames that may wait to be scored while others are predicted.
_PENDING_FRAMES = 64
# A prediction may be that much wider or narrower than its ground truth before it is taken for another one's.
_ASPECT_TOLERANCE = 0.1


@dataclasses.dataclass(frozen=True)
class Request:
    """What shall be scored.

    Attributes:
      target: weights, SavedModel, gRPC target or `baseline:<name>`; unused with `predictions_dir`.
      preset, domain, precision: of the network.
      predictions_dir: a folder of predicted PNG files in place of a network.
      allow_missing: whether frames without a usable prediction and broken videos are left out instead of refused.
      batch_size, stride, smoothing_sigma: see `predict_video`.
      submission_dir: where to write the maps in the benchmark's layout, with the method's name last; None for nowhere.
      connection: how to reach a server.
    """

    target: str = "auto"
    preset: str | None = None
    domain: str | None = None
    precision: str = "auto"
    predictions_dir: str | None = None
    allow_missing: bool = False
    batch_size: int = DEFAULT_BATCH_SIZE
    stride: int = 1
    smoothing_sigma: float | None = None
    submission_dir: str | None = None
    connection: Connection = Connection()


def evaluate(
    request: Request,
    data_dir: str,
    split: str,
    output_dir: str,
    *,
    layout: str | None = None,
    names: tuple[str, ...] = (),
    choices: Protocol = Protocol(),  # noqa: B008
) -> dict:
    """Scores predictions of a split and writes metrics.json, per_video.csv, per_frame.csv.gz and report.html.

    An interrupted evaluation with the same settings goes on with the videos that are missing. With a submission, videos
    without ground truth are predicted too; if no video has one, nothing is scored and the submission is all.

    Returns:
      What metrics.json holds.

    Raises:
      BadInputError: predictions, data or settings that cannot be used.
      RunError: the submission is not complete.
    """
    _check(request)
    submission = Submission(request.submission_dir) if request.submission_dir else None
    unlabelled, allow_missing = submission is not None, request.allow_missing
    videos = open_videos(data_dir, split, layout, names, unlabelled=unlabelled, allow_broken=allow_missing)
    others = protocol.OtherFixations([scored for scored in videos if scored.labelled], choices)
    scored_at_all = any(scored.labelled for scored in videos)
    if scored_at_all and not others.pool_size and not allow_missing:
        raise BadInputError(f"{data_dir}: no frame of the split {split} has fixations: give --allow_missing to go on")
    predictor, about = _open_predictor(request, videos, data_dir, split, layout)
    settings = {
        **about,
        "data_dir": data_dir,
        "dataset": dataset_name(data_dir, split),
        "split": split,
        "only_videos": list(names),
        "protocol": {**dataclasses.asdict(choices), **choices.describe()},
    }
    files.make_folder(output_dir)
    progress = _Progress(files.join(output_dir, PROGRESS), settings)
    results = _Scoring(predictor, others, choices, progress, submission).run(videos)
    if submission:
        submission.check(videos)
        print(f"the submission {submission.folder} is complete: {len(videos)} videos")
    if not scored_at_all:
        progress.remove()
        print(f"nothing is scored: no video of the split {split} has ground truth")
        return settings
    problems = [problem for result in results.values() for problem in result.problems]
    problems += [f"{name}: no frame has fixations" for name, result in results.items() if result.blind]
    if problems and not allow_missing:
        raise BadInputError(f"{enumeration(problems)}: give --allow_missing to score the rest")
    for problem in problems:
        logging.warning("%s", problem)
    rows = {name: result.rows for name, result in results.items() if result.rows}
    if not rows:
        raise BadInputError(f"{data_dir}: nothing is left to score in the split {split}")
    written = {
        **settings,
        "missing_predictions": sum(result.missing for result in results.values()),
        "frames_without_ground_truth": sum(result.without_truth for result in results.values()),
        "problems": problems,
        **protocol.summarise(rows),
    }
    tables.write(output_dir, written, rows)
    examples = report.draw_examples(report.choose(rows), {scored.name: scored for scored in videos}, predictor)
    report_path = files.join(output_dir, REPORT)
    files.write_bytes(report_path, report.html(written, rows, examples).encode())
    progress.remove()
    print(tables.terminal(written))
    print(f"report: {report_path}")
    return written


def _check(request: Request) -> None:
    if request.smoothing_sigma is not None and not 0 <= request.smoothing_sigma < 1000:
        raise BadInputError(f"--smoothing_sigma is {request.smoothing_sigma}: it must be from 0 to 1000 pixels")
    is_network = not request.predictions_dir and not request.target.startswith(BASELINE_PREFIX)
    if request.submission_dir and not is_network:
        raise BadInputError("--submission_dir is for a network's maps: not with --predictions or a baseline")


def _open_predictor(
    request: Request, videos: Sequence[ScoredVideo], data_dir: str, split: str, layout: str | None
) -> tuple[Predictor, dict]:
    """The predictor, and what the report says of it."""
    if request.predictions_dir:
        predictor = FolderPredictor(request.predictions_dir, videos, request.allow_missing)
        return predictor, {"predictions": request.predictions_dir}
    if request.target.startswith(BASELINE_PREFIX):
        scored = {video.name for video in videos} if split.startswith("train") else set()

        def training() -> list[ScoredVideo]:
            return [video for video in open_videos(data_dir, "train", layout) if video.name not in scored]

        return BaselinePredictor(request.target.removeprefix(BASELINE_PREFIX), training), {"weights": request.target}
    predict_fn = load_predict_fn(request.target, request.preset, request.domain, request.precision, request.connection)
    about = {**predict_fn.info.to_summary(), "stride": request.stride}
    if request.smoothing_sigma is not None:
        about["smoothing_sigma"] = request.smoothing_sigma
    return NetworkPredictor(predict_fn, request.batch_size, request.stride, request.smoothing_sigma), about


@dataclasses.dataclass
class VideoResult:
    """What became of a video.

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

    @property
    def blind(self) -> bool:
        """Whether frames were scored, but none of them has fixations."""
        return bool(self.rows) and all(np.isnan(row["nss"]) for row in self.rows)


class _Missing:
    """A frame that is left out: its prediction or its ground truth is not there."""

    def __init__(self, truth: bool) -> None:
        self.truth = truth


class _Scoring:
    """Scores videos, their frames on all cores, while the next ones are predicted."""

    def __init__(
        self,
        predictor: Predictor,
        others: protocol.OtherFixations,
        choices: Protocol,
        progress: "_Progress",
        submission: Submission | None,
    ) -> None:
        self._predictor, self._others, self._choices = predictor, others, choices
        self._progress, self._submission = progress, submission
        self._results: dict[str, VideoResult] = {}
        # Frames in order, and after the last one of a video None.
        self._pending: collections.deque[tuple[str, concurrent.futures.Future | None]] = collections.deque()

    def run(self, videos: Sequence[ScoredVideo]) -> dict[str, VideoResult]:
        """The results by the videos' names."""
        total = sum(len(scored.frame_names) for scored in videos)
        with (
            tqdm.tqdm(total=total, unit="frame", desc="scoring", delay=BAR_DELAY) as bar,
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            try:
                for number, scored in enumerate(videos):
                    self._start(number, scored, pool, bar)
                while self._pending:
                    self._collect()
            finally:
                pool.shutdown(cancel_futures=True)
        return self._results

    def _start(self, number: int, scored: ScoredVideo, pool: concurrent.futures.Executor, bar: tqdm.tqdm) -> None:
        done = self._progress.read(scored.name)
        if done is not None and (self._submission is None or self._submission.has(scored)):
            self._results[scored.name] = done
            bar.update(len(scored.frame_names))
            return
        self._results[scored.name] = VideoResult()
        count = 0
        for index, predicted in enumerate(self._predictor.frames(scored)):
            count += 1
            bar.update()
            if count > len(scored.frame_names):
                continue
            if self._submission:
                self._pending.append((scored.name, pool.submit(self._submission.write, scored, index, predicted)))
            if scored.labelled and index % self._choices.every == 0:
                self._pending.append((scored.name, pool.submit(self._frame, number, scored, index, predicted)))
            while len(self._pending) > _PENDING_FRAMES:
                self._collect()
        if count != len(scored.frame_names):
            raise BadInputError(f"{scored.name}: {count} frames could be read, {len(scored.frame_names)} are expected")
        self._pending.append((scored.name, None))

    def _collect(self) -> None:
        """Takes in the oldest frame, or stores the result of the oldest video."""
        name, future = self._pending.popleft()
        result = self._results[name]
        outcome = self._progress.write(name, result) if future is None else future.result()
        if isinstance(outcome, dict):
            result.rows.append(outcome)
        elif isinstance(outcome, str):
            result.problems.append(outcome)
        elif isinstance(outcome, _Missing):
            result.missing += not outcome.truth
            result.without_truth += outcome.truth

    def _frame(self, number: int, scored: ScoredVideo, index: int, predicted: PredictedFrame) -> dict | str | _Missing:
        """The scores of a frame, or the line that says why it has none."""
        truth = scored.read_truth(index)
        if truth is None:
            return _Missing(truth=True)
        where = f"{scored.name}, frame {scored.frame_names[index]}"
        try:
            saliency_map = predicted.read()
        except BadInputError as error:
            return str(error)
        if saliency_map is None:
            return _Missing(truth=False)
        if not np.isfinite(saliency_map).all():
            return f"{where}: the map has values that are not finite"
        size = truth.saliency_map.shape
        height, width = saliency_map.shape
        if predicted.path and abs(width * size[0] / (height * size[1]) - 1) > _ASPECT_TOLERANCE:
            return f"{where}: a prediction of {width}x{height} for a ground truth of {size[1]}x{size[0]}"
        generator = protocol.frame_generator(self._choices, number, index)
        other = self._others.draw(scored.name, generator, size)
        scores = protocol.score_frame(saliency_map, truth, other, generator, self._choices)
        return {"frame": scored.frame_names[index], **scores}


class _Progress:
    """The results of finished videos, kept until the evaluation ends."""

    def __init__(self, folder: str, settings: dict) -> None:
        self._folder, self._settings = folder, json.loads(json.dumps(settings))

    def read(self, name: str) -> VideoResult | None:
        """The result of a video; None if there is none, or one with problems, which may be mended by now."""
        path = self._path(name)
        if not files.exists(path):
            return None
        stored = json.loads(files.read_bytes(path))
        result = VideoResult(**stored["result"])
        return result if stored["settings"] == self._settings and not (result.problems or result.missing) else None

    def write(self, name: str, result: VideoResult) -> None:
        files.make_folder(self._folder)
        stored = {"settings": self._settings, "result": dataclasses.asdict(result)}
        files.write_bytes(self._path(name), json.dumps(stored).encode())

    def remove(self) -> None:
        files.remove(self._folder)

    def _path(self, name: str) -> str:
        return files.join(self._folder, f"{name}.json")
