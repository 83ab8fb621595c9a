"""The scores as files and as a table on the terminal."""

import csv
import gzip
import io
import json
from collections.abc import Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.evaluation import published
from hd2s_tf.evaluation.protocol import METRICS

METRICS_FILE, PER_VIDEO, PER_FRAME = "metrics.json", "per_video.csv", "per_frame.csv.gz"
TITLES = {
    "auc_judd": "AUC-Judd",
    "sim": "SIM",
    "s_auc": "s-AUC",
    "cc": "CC",
    "nss": "NSS",
    "kl_divergence": "KL",
}


def write(output_dir: str, written: dict, rows: dict[str, list[dict]]) -> None:
    """Writes metrics.json, per_video.csv and per_frame.csv.gz.

    Args:
      output_dir: an existing folder.
      written: `protocol.summarise`'s result and the settings.
      rows: the scores of each frame of each video.
    """
    per_video = [{"video": name, **values} for name, values in written["videos"].items()]
    per_frame = [{"video": name, **row} for name, frames in rows.items() for row in frames]
    files.write_bytes(files.join(output_dir, PER_VIDEO), _csv(("video", *METRICS), per_video))
    compressed = gzip.compress(_csv(("video", "frame", *METRICS), per_frame), mtime=0)
    files.write_bytes(files.join(output_dir, PER_FRAME), compressed)
    kept = {key: value for key, value in written.items() if key != "videos"}
    text = json.dumps(_without_nan(kept), indent=2, allow_nan=False)
    files.write_bytes(files.join(output_dir, METRICS_FILE), text.encode() + b"\n")


def comparison(written: dict) -> list[tuple[str, dict[str, float | int]]]:
    """Our scores and published ones of the same data set, as rows of title and scores."""
    return [
        ("mean over videos", written["mean_over_videos"]),
        ("mean over frames", written["mean_over_frames"]),
        *(published.scores(written["dataset"])),
    ]


def terminal(written: dict) -> str:
    """The table of `comparison` as text."""
    lines = [("", *TITLES.values())]
    for title, values in comparison(written):
        lines.append((title, *(number(values.get(metric)) for metric in METRICS)))
    width = max(len(line[0]) for line in lines) + 2
    text = "\n".join(line[0].ljust(width) + "".join(value.rjust(11) for value in line[1:]) for line in lines)
    undefined = ", ".join(
        f"{TITLES[metric]} in {count} frames" for metric, count in written["undefined"].items() if count
    )
    counts = f"{len(written['videos'])} videos, {written['frames']} frames; undefined: {undefined or 'none'}"
    return f"{text}\n{counts}"


def number(value: float | None) -> str:
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
