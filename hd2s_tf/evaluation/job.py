"""From maps and ground truth to a folder of scores: the job of `tools/evaluate.py`."""

import concurrent.futures
import csv
import dataclasses
import gzip
import io
import json
import os
from collections.abc import Sequence

import numpy as np
import tqdm

from hd2s_tf.data import paths, video
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import predictions, protocol, published, report
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo, open_videos
from hd2s_tf.evaluation.predictions import BASELINE_PREFIX, PredictedFrame, Predictor
from hd2s_tf.evaluation.protocol import METRICS, Protocol
from hd2s_tf.inference.predictor import load_predict_fn

METRICS_FILE, PER_VIDEO, PER_FRAME, REPORT, PROGRESS = (
    "metrics.json",
    "per_video.csv",
    "per_frame.csv.gz",
    "report.html",
    "progress",
)
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
      allow_missing: whether frames without a prediction or fixations are left out instead of refused.
      batch_size, stride, smoothing_sigma: see `predict_video`.
      submission_dir: where to write the maps in the benchmark's layout, with the method's name last; None for nowhere.
    """

    target: str = "auto"
    preset: str | None = None
    domain: str | None = None
    precision: str = "auto"
    predictions_dir: str | None = None
    allow_missing: bool = False
    batch_size: int = 4
    stride: int = 1
    smoothing_sigma: float | None = None
    submission_dir: str | None = None


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

    An interrupted evaluation with the same settings goes on with the videos that are missing.

    Returns:
      What metrics.json holds.

    Raises:
      BadInputError: predictions, data or settings that cannot be used.
    """
    videos = open_videos(data_dir, split, layout, names)
    predictor, about = _predictor(request, videos, data_dir, layout)
    settings = {
        **about,
        "data_dir": data_dir,
        "split": split,
        "protocol": dataclasses.asdict(choices),
        "smoothing_sigma": request.smoothing_sigma,
        "stride": request.stride,
    }
    paths.make_folder(output_dir)
    progress = _Progress(paths.join(output_dir, PROGRESS), settings)
    others = protocol.OtherFixations(videos, choices)
    results: dict[str, dict] = {}
    frame_count = sum(len(scored.frame_names) for scored in videos)
    with (
        tqdm.tqdm(total=frame_count, unit="frame", desc="scoring") as bar,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for number, scored in enumerate(videos):
            done = progress.read(scored.name)
            if done is None or request.submission_dir:
                done = _Video(number, scored, others, choices, pool, bar, request).score(predictor)
                progress.write(scored.name, done)
            else:
                bar.update(len(scored.frame_names))
            results[scored.name] = done
    rows = {name: result["frames"] for name, result in results.items()}
    missing = sum(result["missing"] for result in results.values())
    scores = protocol.summarise(rows)
    if not np.isfinite(scores["mean_over_frames"]["nss"]) and not request.allow_missing:
        raise BadInputError(f"{data_dir}: no frame of the split {split} has fixations: give --allow_missing to go on")
    written = {**settings, "missing_predictions": missing, **scores}
    _write_tables(output_dir, written, rows)
    examples = [example for result in results.values() for example in result["examples"]]
    paths.write_bytes(paths.join(output_dir, REPORT), report.html(written, rows, examples).encode())
    progress.remove()
    _print_table(written, data_dir, paths.join(output_dir, REPORT))
    return written


def _predictor(
    request: Request, videos: Sequence[ScoredVideo], data_dir: str, layout: str | None
) -> tuple[Predictor, dict]:
    if request.predictions_dir:
        folder = request.predictions_dir
        if not paths.is_folder(folder):
            raise BadInputError(f"{folder}: no such folder")
        return predictions.from_folder(folder, videos, request.allow_missing), {"predictions": folder}
    if request.target.startswith(BASELINE_PREFIX):
        name = request.target.removeprefix(BASELINE_PREFIX)
        scored = {video.name for video in videos}

        def training() -> list[ScoredVideo]:
            return [video for video in open_videos(data_dir, "train", layout) if video.name not in scored]

        return predictions.from_baseline(name, training), {"weights": request.target}
    predict_fn = load_predict_fn(request.target, request.preset, request.domain, request.precision)
    about = {
        "weights": predict_fn.weights,
        "weights_sha256": predict_fn.weights_sha256,
        "preset": predict_fn.preset,
        "domain": request.domain,
        "precision": predict_fn.precision,
    }
    return predictions.from_network(predict_fn, request.batch_size, request.stride, request.smoothing_sigma), about


class _Video:
    """Scores one video, its frames on all cores while the next ones are predicted."""

    def __init__(
        self,
        number: int,
        scored: ScoredVideo,
        others: protocol.OtherFixations,
        choices: Protocol,
        pool: concurrent.futures.Executor,
        bar: tqdm.tqdm,
        request: Request,
    ) -> None:
        self._number, self._scored, self._others, self._choices = number, scored, others, choices
        self._pool, self._bar = pool, bar
        self._submission = request.submission_dir and paths.join(request.submission_dir, scored.name)
        self._allow_missing = request.allow_missing

    def score(self, predictor: Predictor) -> dict:
        """The rows of the frames, the number of missing predictions and pictures of three frames."""
        pending: list[concurrent.futures.Future] = []
        results: list[tuple[dict, bytes] | None] = []
        count = len(self._scored.frame_names)
        if self._submission:
            paths.make_folder(self._submission)
        seen = 0
        for index, predicted in enumerate(predictor(self._scored)):
            seen += 1
            self._bar.update()
            if index >= count:
                continue
            if self._submission:
                self._submit(index, predicted)
            if index % self._choices.every:
                continue
            if len(pending) >= _PENDING_FRAMES:
                results.append(pending.pop(0).result())
            pending.append(self._pool.submit(self._frame, index, predicted))
        if seen != count:
            raise BadInputError(f"{self._scored.name}: {seen} frames could be read, the ground truth has {count}")
        results += [future.result() for future in pending]
        rows = [result for result in results if result is not None]
        return {
            "frames": [row for row, _ in rows],
            "missing": len(results) - len(rows),
            "examples": report.choose(self._scored.name, rows),
        }

    def _submit(self, index: int, predicted: PredictedFrame) -> None:
        if predicted.prediction is None:
            raise BadInputError("a submission is written from a network's predictions only")
        name = f"{self._scored.frame_names[index]}.png"
        paths.write_bytes(paths.join(self._submission, name), video.png_bytes(predicted.prediction.saliency_map))

    def _frame(self, index: int, predicted: PredictedFrame) -> tuple[dict, bytes] | None:
        truth = self._scored.read_truth(index)
        if truth is None or predicted.saliency_map is None:
            return None
        if not np.isfinite(predicted.saliency_map).all():
            raise BadInputError(f"{self._scored.name}, frame {self._scored.frame_names[index]}: the map is not finite")
        scores = self._scores(index, predicted, truth)
        row = {"frame": self._scored.frame_names[index], **scores}
        return row, report.strip(predicted, truth)

    def _scores(self, index: int, predicted: PredictedFrame, truth: FrameTruth) -> dict[str, float]:
        size = truth.saliency_map.shape
        height, width = predicted.saliency_map.shape
        if predicted.from_file and abs(width * size[0] / (height * size[1]) - 1) > _ASPECT_TOLERANCE:
            raise BadInputError(
                f"{self._scored.name}, frame {self._scored.frame_names[index]}: a prediction of {width}x{height} for a "
                f"ground truth of {size[1]}x{size[0]}"
            )
        generator = protocol.frame_generator(self._choices, self._number, index)
        other = self._others.draw(self._scored.name, generator, size)
        return protocol.score_frame(predicted.saliency_map, truth, other, generator, self._choices)


class _Progress:
    """The results of finished videos, kept until the evaluation ends."""

    def __init__(self, folder: str, settings: dict) -> None:
        self._folder, self._settings = folder, json.loads(json.dumps(settings))

    def read(self, name: str) -> dict | None:
        path = self._path(name)
        if not paths.exists(path):
            return None
        stored = json.loads(paths.read_bytes(path))
        return stored["result"] if stored["settings"] == self._settings else None

    def write(self, name: str, result: dict) -> None:
        paths.make_folder(self._folder)
        paths.write_bytes(self._path(name), json.dumps({"settings": self._settings, "result": result}).encode())

    def remove(self) -> None:
        paths.remove(self._folder)

    def _path(self, name: str) -> str:
        return paths.join(self._folder, f"{name}.json")


def _write_tables(output_dir: str, written: dict, rows: dict[str, list[dict]]) -> None:
    per_video = [{"video": name, **values} for name, values in written["videos"].items()]
    per_frame = [{"video": name, **row} for name, frames in rows.items() for row in frames]
    paths.write_bytes(paths.join(output_dir, PER_VIDEO), _csv(("video", *METRICS), per_video))
    compressed = gzip.compress(_csv(("video", "frame", *METRICS), per_frame), mtime=0)
    paths.write_bytes(paths.join(output_dir, PER_FRAME), compressed)
    kept = {key: value for key, value in written.items() if key != "videos"}
    paths.write_bytes(paths.join(output_dir, METRICS_FILE), json.dumps(kept, indent=2).encode() + b"\n")


def _csv(columns: Sequence[str], rows: Sequence[dict]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _print_table(written: dict, data_dir: str, report_path: str) -> None:
    lines = [("", *METRICS)]
    for title, key in (("mean over videos", "mean_over_videos"), ("mean over frames", "mean_over_frames")):
        lines.append((title, *(f"{written[key][metric]:.4f}" for metric in METRICS)))
    for method, values in published.scores(data_dir):
        lines.append((method, *(f"{values[metric]:.3f}" if metric in values else "" for metric in METRICS)))
    width = max(len(line[0]) for line in lines) + 2
    for line in lines:
        print(line[0].ljust(width) + "".join(value.rjust(15) for value in line[1:]))
    undefined = {metric: count for metric, count in written["undefined"].items() if count}
    print(f"{written['frames']} frames; undefined: {undefined or 'none'}; report: {report_path}")
