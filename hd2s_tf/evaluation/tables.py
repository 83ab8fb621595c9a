"""The scores as files and as a table of text."""

import csv
import gzip
import io
import json
from collections.abc import Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.evaluation import published
from hd2s_tf.evaluation.protocol import MEAN_OVER_FRAMES, METRICS
from hd2s_tf.evaluation.results import Evaluation

METRICS_FILE, PER_VIDEO, PER_FRAME = "metrics.json", "per_video.csv", "per_frame.csv.gz"


def write(output_dir: str, evaluation: Evaluation) -> None:
    """Writes metrics.json, per_video.csv and per_frame.csv.gz to an existing folder."""
    per_video = [{"video": name, **values} for name, values in evaluation.videos.items()]
    per_frame = [{"video": name, **row} for name, frames in evaluation.rows.items() for row in frames]
    files.write_bytes(files.join(output_dir, PER_VIDEO), _csv(("video", *METRICS), per_video))
    compressed = gzip.compress(_csv(("video", "frame", *METRICS), per_frame), mtime=0)
    files.write_bytes(files.join(output_dir, PER_FRAME), compressed)
    text = json.dumps(_without_nan(evaluation.to_json()), indent=2, allow_nan=False)
    files.write_bytes(files.join(output_dir, METRICS_FILE), text.encode() + b"\n")


def compare(evaluation: Evaluation) -> list[tuple[str, dict[str, float]]]:
    """Rows of title and scores: the set's score, any other mean, and published rows where they are comparable."""
    means = [("mean over pictures", evaluation.score)] if evaluation.subject.stills else _means(evaluation)
    return means + [(f"{row.name} (table {row.table}, {row.block})", row.values) for row in published_rows(evaluation)]


def published_rows(evaluation: Evaluation) -> list[published.Row]:
    """The paper's rows that can stand beside an evaluation."""
    subject = evaluation.subject
    return published.find_methods(subject.dataset, subject.split) if subject.comparable else []


def _means(evaluation: Evaluation) -> list[tuple[str, dict[str, float]]]:
    means = [("mean over videos", evaluation.mean_over_videos), ("mean over frames", evaluation.mean_over_frames)]
    return means[::-1] if evaluation.subject.protocol.headline == MEAN_OVER_FRAMES else means


def format_table(evaluation: Evaluation) -> str:
    """The table of `compare` as text."""
    lines = [("", *(metric.title for metric in METRICS.values()))]
    for title, values in compare(evaluation):
        lines.append((title, *(format_score(values.get(metric)) for metric in METRICS)))
    width = max(len(line[0]) for line in lines) + 2
    text = "\n".join(line[0].ljust(width) + "".join(value.rjust(11) for value in line[1:]) for line in lines)
    counts = evaluation.subject.count(len(evaluation.rows), evaluation.frames)
    return f"{text}\n{counts}; undefined: {list_undefined(evaluation) or 'none'}"


def list_undefined(evaluation: Evaluation) -> str:
    """In how many frames which metrics are undefined; empty if none is."""
    counts = evaluation.undefined.items()
    return ", ".join(f"{METRICS[metric].title} in {count} frames" for metric, count in counts if count)


def format_score(value: float | None) -> str:
    """A score as tables show it."""
    if value is None:
        return ""
    # Adding zero takes the sign from a zero.
    return "undefined" if np.isnan(value) else f"{round(value, 3) + 0.0:.3f}"


def _csv(columns: Sequence[str], rows: Sequence[dict]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _without_nan(value: object) -> object:
    """JSON knows no NaN: null in its place."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value
