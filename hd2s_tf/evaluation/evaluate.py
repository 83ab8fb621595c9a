"""Scores maps against ground truth and writes a folder of results."""

import dataclasses
from collections.abc import Sequence

from absl import logging

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import between_observers, protocol, published, report, tables
from hd2s_tf.evaluation.between_observers import DividedVideo, ObserversPredictor
from hd2s_tf.evaluation.ground_truth import ScoredVideo, dataset_name, has_authors_split, is_full_size, open_videos
from hd2s_tf.evaluation.predictions import (
    BASELINE_PREFIX,
    BASELINES,
    BaselinePredictor,
    FolderPredictor,
    NetworkPredictor,
    Predictor,
    enumeration,
)
from hd2s_tf.evaluation.progress import Progress
from hd2s_tf.evaluation.results import Evaluation, Subject, VideoResult
from hd2s_tf.evaluation.scoring import Scorer
from hd2s_tf.evaluation.submission import Submission
from hd2s_tf.inference import postprocessing
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
from hd2s_tf.serving.connection import Connection

REPORT, PROGRESS = "report.html", "progress"
_ALLOW_MISSING = "allow_missing"


@dataclasses.dataclass(frozen=True)
class Request:
    """What is scored, and how.

    Attributes:
      target: weights, SavedModel, gRPC target or `baseline:<name>`; unused with `predictions_dir`.
      preset, domain, precision: of the network.
      predictions_dir: a folder of predicted PNG files in place of a network.
      allow_missing: whether frames without a usable prediction and broken videos are left out instead of refused.
      batch_size, stride, smoothing_sigma: see `predict_video`.
      compat: see `load_predict_fn`.
      submission_dir: where to write the maps in the benchmark's layout, with the method's name last; None for nowhere.
      connection: how to reach a server.
      protocol: see `protocol.choose`.
      round_to_8_bits, seed, every: see `protocol.Protocol`.
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
    compat: str | None = None
    submission_dir: str | None = None
    connection: Connection = Connection()
    protocol: str = protocol.AUTO
    round_to_8_bits: bool = True
    seed: int = 0
    every: int = 1


def evaluate(
    request: Request,
    data_dir: str,
    split: str,
    output_dir: str,
    *,
    layout: str | None = None,
    names: tuple[str, ...] = (),
) -> Evaluation:
    """Scores predictions of a split and writes metrics.json, per_video.csv, per_frame.csv.gz and report.html.

    An interrupted evaluation with the same settings resumes with the missing videos. With a submission, where there are
    videos without ground truth, only those are predicted and nothing is scored.

    Raises:
      BadInputError: predictions, data or settings that cannot be used.
      RunError: the submission is not complete.
    """
    _check(request)
    submission = Submission(request.submission_dir) if request.submission_dir else None
    unlabelled, allow_missing = submission is not None, request.allow_missing
    videos = open_videos(data_dir, split, layout, names, unlabelled=unlabelled, allow_broken=allow_missing)
    full_size, authors_split = is_full_size(data_dir, split), has_authors_split(data_dir, split)
    comparable = full_size and authors_split and bool(published.find_methods(dataset_name(data_dir, split), split))
    choices = _protocol(request, comparable)
    labelled = [scored for scored in videos if scored.labelled]
    others = protocol.OtherFixations(labelled, choices)
    if labelled and not others.exist and not allow_missing:
        raise BadInputError(f"{data_dir}: no frame of the split {split} has fixations", _ALLOW_MISSING)
    predictor, about = _open_predictor(request, videos, data_dir, split, layout)
    subject = Subject(
        predictor=about,
        data_dir=data_dir,
        dataset=dataset_name(data_dir, split),
        split=split,
        only_videos=tuple(names),
        protocol=choices,
        full_size=full_size,
        stills=all(len(scored.frame_names) == 1 for scored in videos),
        authors_split=authors_split,
    )
    if _division(request):
        videos = labelled = [DividedVideo.of(scored, _division(request), choices.seed) for scored in labelled]
    files.make_folder(output_dir)
    progress = Progress(files.join(output_dir, PROGRESS), subject)
    results = Scorer(predictor, others, choices, progress, submission).run(videos)
    if submission:
        submission.check(videos)
    evaluation = Evaluation(subject)
    if labelled:
        evaluation = _summarise(subject, results, allow_missing)
        tables.write(output_dir, evaluation)
        examples = report.draw_examples(report.choose(evaluation), labelled, predictor)
        files.write_bytes(files.join(output_dir, REPORT), report.render_html(evaluation, examples).encode())
    progress.remove()
    return evaluation


def _summarise(subject: Subject, results: dict[str, VideoResult], allow_missing: bool) -> Evaluation:
    """Summarises the results, after refusing or warning of what could not be scored."""
    problems = [problem for result in results.values() for problem in result.problems]
    problems += [f"{name}: no frame has fixations" for name, result in results.items() if result.blind]
    if problems and not allow_missing:
        raise BadInputError(enumeration(problems), _ALLOW_MISSING)
    for problem in problems:
        logging.warning("%s", problem)
    rows = {name: result.rows for name, result in results.items() if result.rows}
    if not rows:
        raise BadInputError(f"{subject.data_dir}: nothing is left to score in the split {subject.split}")
    return Evaluation(
        subject,
        rows,
        missing_predictions=sum(result.missing for result in results.values()),
        frames_without_ground_truth=sum(result.without_truth for result in results.values()),
        problems=tuple(problems),
    )


def _protocol(request: Request, comparable: bool) -> protocol.Protocol:
    changes = {"round_to_8_bits": request.round_to_8_bits, "seed": request.seed, "every": request.every}
    return protocol.choose(request.protocol, comparable, **changes)


def _baseline(request: Request) -> str | None:
    """The name of the baseline that predicts; None where something else does."""
    is_baseline = request.target.startswith(BASELINE_PREFIX) and not request.predictions_dir
    return request.target.removeprefix(BASELINE_PREFIX) if is_baseline else None


def _division(request: Request) -> str | None:
    """How observers are divided into predictors and predicted; None for any other predictor."""
    name = _baseline(request)
    return name if name in between_observers.DIVISIONS else None


def _check(request: Request) -> None:
    postprocessing.check_sigma(request.smoothing_sigma)
    name, known = _baseline(request), (*BASELINES, *between_observers.DIVISIONS)
    if name is not None and name not in known:
        raise BadInputError(f"no baseline {name!r}: the baselines are {', '.join(known)}")
    is_network = not request.predictions_dir and name is None
    if request.submission_dir and not is_network:
        raise BadInputError("a submission is of a network's maps: not of someone's predictions or a baseline")


def _open_predictor(
    request: Request, videos: Sequence[ScoredVideo], data_dir: str, split: str, layout: str | None
) -> tuple[Predictor, dict]:
    """The predictor, and what the report says of it."""
    if request.predictions_dir:
        predictor = FolderPredictor(request.predictions_dir, videos, request.allow_missing)
        return predictor, {"predictions": request.predictions_dir}
    if _division(request):
        return ObserversPredictor(), {"weights": request.target, "repeats": between_observers.REPEATS}
    if _baseline(request):
        scored = {video.name for video in videos} if split.startswith("train") else set()

        def training() -> list[ScoredVideo]:
            return [video for video in open_videos(data_dir, "train", layout) if video.name not in scored]

        return BaselinePredictor(_baseline(request), training), {"weights": request.target}
    predict_fn = load_predict_fn(
        request.target, request.preset, request.domain, request.precision, request.connection, request.compat
    )
    about = {**predict_fn.info.to_summary(), "stride": request.stride}
    if request.smoothing_sigma is not None:
        about["smoothing_sigma"] = request.smoothing_sigma
    return NetworkPredictor(predict_fn, request.batch_size, request.stride, request.smoothing_sigma), about
