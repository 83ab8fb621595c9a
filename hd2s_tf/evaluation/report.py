"""The report of an evaluation as one HTML file: scores, distributions, videos, and frames to look at."""

import base64
import html as escaping
import io
from collections.abc import Sequence

import cv2
import numpy as np

from hd2s_tf.data import preprocessing
from hd2s_tf.evaluation import published
from hd2s_tf.evaluation.ground_truth import FrameTruth
from hd2s_tf.evaluation.predictions import PredictedFrame
from hd2s_tf.evaluation.protocol import METRICS

_TITLES = {
    "auc_judd": "AUC-Judd",
    "sim": "SIM",
    "s_auc": "s-AUC",
    "cc": "CC",
    "nss": "NSS",
    "kl_divergence": "KL divergence (lower is better)",
}
_TILE = (108, 192)
# By this metric frames are called good or bad.
_RANKED_BY = "cc"
_EXAMPLES = 4
_MOST_BARS = 60
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1d2433; max-width: 1500px; margin: 2rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; }
td, th { padding: .3rem .9rem; text-align: right; border-bottom: 1px solid #e3e6ec; }
td:first-child, th:first-child { text-align: left; } tr.ours { background: #eef4ff; font-weight: 600; }
img { max-width: 100%; display: block; } figure { margin: .4rem 0 1rem; }
figcaption { color: #5b6475; font-size: .85rem; }
details { margin-top: .6rem; } pre { background: #f6f7f9; padding: .8rem; overflow-x: auto; font-size: .8rem; }
"""


def strip(predicted: PredictedFrame, truth: FrameTruth) -> bytes:
    """A row of small pictures as JPEG: frame, ground truth, prediction, conspicuity maps, as far as they are there."""
    prediction = predicted.prediction
    tiles = [] if prediction is None else [preprocessing.resize(prediction.frame, _TILE)]
    maps = [truth.saliency_map, predicted.saliency_map]
    if prediction is not None and prediction.conspicuity_maps is not None:
        maps += list(prediction.conspicuity_maps)
    for values in maps:
        small = preprocessing.resize(np.ascontiguousarray(values, np.float32), _TILE)
        pixels = np.uint8(np.clip(255 * small / max(float(small.max()), 1e-9), 0, 255))
        tiles.append(cv2.cvtColor(cv2.applyColorMap(pixels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB))
    gap = np.full((_TILE[0], 4, 3), 255, np.uint8)
    row = np.hstack([part for tile in tiles for part in (tile, gap)])
    return cv2.imencode(".jpg", cv2.cvtColor(row, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def choose(video: str, rows: Sequence[tuple[dict, bytes]]) -> list[dict]:
    """The worst, the median and the best frame of a video, with their pictures, as plain JSON."""
    ranked = sorted((row for row in rows if np.isfinite(row[0][_RANKED_BY])), key=lambda row: row[0][_RANKED_BY])
    if not ranked:
        return []
    positions = sorted({0, len(ranked) // 2, len(ranked) - 1})
    return [
        {
            "video": video,
            "frame": ranked[position][0]["frame"],
            "score": ranked[position][0][_RANKED_BY],
            "nss": ranked[position][0]["nss"],
            "picture": base64.b64encode(ranked[position][1]).decode(),
        }
        for position in positions
    ]


def html(written: dict, frames_of_videos: dict[str, list[dict]], examples: Sequence[dict]) -> str:
    """The report.

    Args:
      written: what metrics.json and per_video.csv hold.
      frames_of_videos: the scores of every frame.
      examples: of `choose`, of all videos.
    """
    title = f"Saliency scores: {written.get('weights') or written.get('predictions')} on {written['data_dir']}"
    settings = {key: value for key, value in written.items() if not isinstance(value, dict) or key == "protocol"}
    lines = "\n".join(f"{key}: {value}" for key, value in settings.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escaping.escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escaping.escape(title)}</h1>
<p>{len(written["videos"])} videos, {written["frames"]} frames, split {escaping.escape(written["split"])}.</p>
{_table(written)}
<h2>How the frames score</h2>{_picture(_histograms(frames_of_videos), "Distribution of each metric over all frames")}
<h2>How the videos score</h2>{_picture(_bars(written["videos"]), "Mean of each video, best first")}
{_grids(examples)}
<h2>How it was measured</h2><pre>{escaping.escape(lines)}</pre>
</body></html>
"""


def _table(written: dict) -> str:
    rows = [
        ("ours", "mean over videos", written["mean_over_videos"]),
        ("ours", "mean over frames", written["mean_over_frames"]),
        ("", "frames where undefined", written["undefined"]),
        *(("", method, values) for method, values in published.scores(written["data_dir"])),
    ]
    head = "".join(f"<th>{_TITLES[metric]}</th>" for metric in METRICS)
    body = "".join(
        f'<tr class="{kind}"><td>{escaping.escape(name)}</td>'
        + "".join(f"<td>{_number(values.get(metric))}</td>" for metric in METRICS)
        + "</tr>"
        for kind, name, values in rows
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _grids(examples: Sequence[dict]) -> str:
    ranked = sorted(examples, key=lambda example: example["score"])
    if not ranked:
        return ""
    middle = max(0, len(ranked) // 2 - _EXAMPLES // 2)
    groups = {
        "Best frames": ranked[::-1][:_EXAMPLES],
        "Median frames": ranked[middle : middle + _EXAMPLES],
        "Worst frames": ranked[:_EXAMPLES],
    }
    parts = []
    for title, chosen in groups.items():
        figures = "".join(
            f'<figure><img src="data:image/jpeg;base64,{example["picture"]}" alt="">'
            f"<figcaption>{escaping.escape(example['video'])}, frame {escaping.escape(str(example['frame']))}: "
            f"CC {example['score']:.3f}, NSS {example['nss']:.3f}</figcaption></figure>"
            for example in chosen
        )
        parts.append(f"<h2>{title}</h2>{figures}")
    legend = "From left to right: the frame (if a network predicted it), ground truth, prediction, conspicuity maps"
    return f"<p>{legend} from shallow to deep.</p>" + "".join(parts)


def _picture(png: bytes, caption: str) -> str:
    data = base64.b64encode(png).decode()
    return f'<figure><img src="data:image/png;base64,{data}" alt=""><figcaption>{caption}.</figcaption></figure>'


def _histograms(frames_of_videos: dict[str, list[dict]]) -> bytes:
    rows = [row for frames in frames_of_videos.values() for row in frames]
    figure, axes = _figure(2, 3, (13, 6))
    for axis, metric in zip(axes.flat, METRICS, strict=True):
        values = np.array([row[metric] for row in rows], float)
        values = values[np.isfinite(values)]
        axis.hist(values, bins=40, color="#4878cf")
        if len(values):
            axis.axvline(values.mean(), color="#d1495b", label=f"mean {values.mean():.3f}")
            axis.legend(frameon=False)
        axis.set_title(_TITLES[metric], fontsize=10)
    return _png(figure)


def _bars(videos: dict[str, dict[str, float]]) -> bytes:
    figure, axes = _figure(2, 3, (13, 6.5))
    for axis, metric in zip(axes.flat, METRICS, strict=True):
        scored = sorted(((values[metric], name) for name, values in videos.items() if np.isfinite(values[metric])))
        if metric != "kl_divergence":
            scored = scored[::-1]
        scored = scored[:_MOST_BARS]
        axis.bar(range(len(scored)), [value for value, _ in scored], color="#4878cf")
        axis.set_title(_TITLES[metric], fontsize=10)
        if len(scored) <= 20:
            axis.set_xticks(range(len(scored)), [name for _, name in scored], rotation=60, fontsize=7, ha="right")
        else:
            axis.set_xticks([])
            axis.set_xlabel(f"{len(scored)} videos", fontsize=8)
    return _png(figure)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns)


def _png(figure: object) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
