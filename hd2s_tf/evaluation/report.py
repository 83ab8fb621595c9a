"""The report of an evaluation as one HTML file: scores, distributions, videos, and frames to look at."""

import base64
import dataclasses
import html as escaping
import io
import os
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import tqdm

from hd2s_tf.data import preprocessing
from hd2s_tf.evaluation import tables
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.predictions import BAR_DELAY, Predictor
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.evaluation.tables import TITLES

_MEANINGS = {
    "auc_judd": "how well the map tells fixated pixels from all others; 0.5 is chance, 1 is perfect",
    "sim": "how much of the map and of the ground truth overlaps, 0 to 1",
    "s_auc": "as AUC-Judd, but against where people look in other videos, so that the centre alone earns nothing",
    "cc": "correlation with the ground truth, -1 to 1",
    "nss": "the map's mean height at the fixations, in standard deviations; 0 is chance",
    "kl_divergence": "what the map misses of the ground truth; 0 is perfect, lower is better",
}
_TILE_WIDTH = 190
# By this metric frames are called good or bad.
_RANKED_BY = "cc"
_EXAMPLES = 4
_MOST_NAMES = 30
_BLUE, _RED, _GREY = "#3b6fb6", "#c8453b", "#5b6475"
_STYLE = """
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1d2433; max-width: 1320px; margin: 2rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.55rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; } p { max-width: 60rem; } .muted { color: #5b6475; }
table { border-collapse: collapse; } table + table { margin-top: 1.2rem; }
td, th { padding: .35rem .8rem; border-bottom: 1px solid #e3e6ec; }
.scores td, .scores th { text-align: right; font-variant-numeric: tabular-nums; }
.scores td:first-child, .scores th:first-child { text-align: left; } .scores td:first-child { white-space: nowrap; }
tr.ours { background: #eaf1fc; font-weight: 600; }
.facts td { vertical-align: top; overflow-wrap: anywhere; }
.facts td:first-child { font-weight: 600; white-space: nowrap; }
.examples { table-layout: fixed; } .examples td, .examples th { padding: .25rem .2rem; vertical-align: top; border: 0; }
.examples th { font-size: .8rem; font-weight: 600; text-align: left; color: #5b6475; } .examples img { width: 100%; }
.examples .name { font-size: .8rem; padding: 0 .2rem .9rem; color: #5b6475; }
img { max-width: 100%; display: block; } figure { margin: .4rem 0 1rem; }
"""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A frame to show.

    Attributes:
      group: "Best frames", "Median frames" or "Worst frames".
      video: its name.
      row: the frame's scores, and its name as "frame".
    """

    group: str
    video: str
    row: dict


@dataclasses.dataclass(frozen=True)
class Example:
    """A chosen frame with its pictures, JPEG bytes: frame, ground truth, prediction, conspicuity maps if known."""

    choice: Choice
    pictures: tuple[bytes, ...]


def choose(frames_of_videos: dict[str, list[dict]]) -> list[Choice]:
    """The best, median and worst frames by CC, of as many different videos as there are."""
    frames = [(name, row) for name, rows in frames_of_videos.items() for row in rows if np.isfinite(row[_RANKED_BY])]
    if not frames:
        return []
    median = float(np.median([row[_RANKED_BY] for _, row in frames]))
    groups: dict[str, Callable[[float], float]] = {
        "Best frames": lambda score: -score,
        "Median frames": lambda score: abs(score - median),
        "Worst frames": lambda score: score,
    }
    choices = []
    for group, distance in groups.items():
        ranked = sorted(frames, key=lambda frame, distance=distance: distance(frame[1][_RANKED_BY]))
        # A video's first frame in the ranking stands for it; its others follow after those of all videos.
        seen: dict[str, int] = {}
        order = []
        for name, row in ranked:
            order.append((seen.setdefault(name, 0), name, row))
            seen[name] += 1
        chosen = sorted(order, key=lambda entry: entry[0])[:_EXAMPLES]
        choices += [Choice(group, name, row) for _, name, row in chosen]
    return choices


def draw_examples(choices: Sequence[Choice], videos: dict[str, ScoredVideo], predictor: Predictor) -> list[Example]:
    """Predicts the chosen frames once more, with all maps, and draws them."""
    examples = []
    for choice in tqdm.tqdm(choices, unit="frame", desc="examples", delay=BAR_DELAY):
        scored = videos[choice.video]
        index = scored.frame_names.index(choice.row["frame"])
        frame = scored.read_frames({index})[index]
        pictures = _pictures(frame, scored.read_truth(index), predictor.example(scored, index))
        examples.append(Example(choice, tuple(pictures)))
    return examples


def _pictures(frame: np.ndarray, truth: FrameTruth, maps: Sequence[np.ndarray]) -> list[bytes]:
    size = (round(_TILE_WIDTH * frame.shape[0] / frame.shape[1]), _TILE_WIDTH)
    tiles = [preprocessing.resize(frame, size)]
    for values in (truth.saliency_map, *maps):
        small = preprocessing.resize(np.ascontiguousarray(values, np.float32), size)
        pixels = np.uint8(np.clip(255 * small / max(float(small.max()), 1e-9), 0, 255))
        tiles.append(cv2.cvtColor(cv2.applyColorMap(pixels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB))
    options = [cv2.IMWRITE_JPEG_QUALITY, 88]
    return [cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), options)[1].tobytes() for tile in tiles]


def html(written: dict, frames_of_videos: dict[str, list[dict]], examples: Sequence[Example]) -> str:
    """The report.

    Args:
      written: what metrics.json and per_video.csv hold.
      frames_of_videos: the scores of every frame.
      examples: of `draw_examples`.
    """
    source = written.get("preset") or os.path.basename(written.get("weights") or written["predictions"])  # noqa: PTH119
    title = f"{source} on {written['dataset']}, split {written['split']}"
    undefined = [f"{TITLES[metric]} in {count} frames" for metric, count in written["undefined"].items() if count]
    left_out = [
        f"{written[key]} {what}"
        for key, what in (
            ("missing_predictions", "frames without a prediction"),
            ("frames_without_ground_truth", "frames without ground truth"),
        )
        if written[key]
    ]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{_text(title)}</title><style>{_STYLE}</style></head><body>
<h1>{_text(title)}</h1>
<p class="muted">How well predicted saliency maps tell where people looked: {written["frames"]} frames of
{len(written["videos"])} videos. Left out: {_text(", ".join(left_out) or "nothing")}.
Undefined: {_text(", ".join(undefined) or "nothing")}.</p>
<h2>Scores</h2>{_scores(written)}
<table class="facts">{_facts({TITLES[metric]: meaning for metric, meaning in _MEANINGS.items()})}</table>
<h2>How the frames score</h2><p class="muted">Each histogram counts frames; the line is their mean.</p>
{_picture(_histograms(frames_of_videos))}
<h2>How the videos score</h2><p class="muted">A bar for each video's mean, best first; the line is the mean of all.</p>
{_picture(_bars(written["videos"]))}
{_grid(examples)}
<h2>How it was measured</h2>
<table class="facts">{_facts(_settings(written))}</table>
</body></html>
"""


def _text(value: object) -> str:
    return escaping.escape(str(value))


def _scores(written: dict) -> str:
    head = "".join(f"<th>{title}</th>" for title in TITLES.values())
    body = "".join(
        f'<tr class="{"ours" if title.startswith("mean over") else "muted"}"><td>{_text(title)}</td>'
        + "".join(f"<td>{tables.number(values.get(metric))}</td>" for metric in METRICS)
        + "</tr>"
        for title, values in tables.comparison(written)
    )
    published = len(tables.comparison(written)) > 2
    note = '<p class="muted">Other rows: as published for the test split of this data set.</p>' if published else ""
    return f'<table class="scores"><tr><th></th>{head}</tr>{body}</table>{note}'


def _settings(written: dict) -> dict[str, object]:
    shown = ("data_dir", "split", "predictions", "weights", "weights_sha256", "preset", "domain", "precision")
    settings = {key: written[key] for key in (*shown, "smoothing_sigma", "stride") if written.get(key) is not None}
    settings |= {key: value for key, value in written["protocol"].items() if isinstance(value, str)}
    if written["problems"]:
        settings["problems"] = "; ".join(written["problems"])
    return {TITLES.get(key, key.replace("_", " ")): value for key, value in settings.items()}


def _facts(facts: dict[str, object]) -> str:
    return "".join(f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in facts.items())


def _grid(examples: Sequence[Example]) -> str:
    if not examples:
        return f"<p>No frame has a {TITLES[_RANKED_BY]}, by which frames to show are chosen.</p>"
    levels = max(len(example.pictures) for example in examples) - 3
    heads = ["frame", "where people looked", "prediction"]
    heads += [f"conspicuity {level + 1} of {levels}" for level in range(levels)]
    columns = "".join(f"<th>{head}</th>" for head in heads)
    explained = (
        f"<p class='muted'>Frames with the highest, median and lowest {TITLES[_RANKED_BY]}, of different videos where "
        "possible. Bright is where people looked, or should look."
        + (" Conspicuity maps are the network's, from its shallowest level to its deepest." if levels else "")
        + "</p>"
    )
    parts = ["<h2>Frames to look at</h2>", explained]
    groups = dict.fromkeys(example.choice.group for example in examples)
    for group in groups:
        rows = "".join(_example(example, len(heads)) for example in examples if example.choice.group == group)
        width = (_TILE_WIDTH - 10) * len(heads)
        parts.append(
            f'<h3>{group}</h3><table class="examples" style="width:{width}px"><tr>{columns}</tr>{rows}</table>'
        )
    return "".join(parts)


def _example(example: Example, columns: int) -> str:
    images = "".join(f'<td><img src="{_data(picture, "jpeg")}" alt=""></td>' for picture in example.pictures)
    row = example.choice.row
    scores = ", ".join(f"{TITLES[metric]} {row[metric]:.3f}" for metric in ("cc", "nss", "auc_judd"))
    name = f"{example.choice.video}, frame {row['frame']}: {scores}"
    return f'<tr>{images}</tr><tr><td class="name" colspan="{columns}">{_text(name)}</td></tr>'


def _picture(png: bytes) -> str:
    return f'<figure><img src="{_data(png, "png")}" alt=""></figure>'


def _data(image: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _histograms(frames_of_videos: dict[str, list[dict]]) -> bytes:
    rows = [row for frames in frames_of_videos.values() for row in frames]
    figure, axes = _figure((12.5, 5.2))
    for axis, metric in zip(axes, METRICS, strict=True):
        values = np.array([row[metric] for row in rows], float)
        values = values[np.isfinite(values)]
        if not len(values):
            _say_undefined(axis, metric)
            continue
        axis.set_title(f"{TITLES[metric]}, mean {values.mean():.3f}", fontsize=11)
        axis.hist(values, bins=min(40, max(5, len(values) // 4)), color=_BLUE)
        axis.axvline(values.mean(), color=_RED)
        axis.yaxis.get_major_locator().set_params(integer=True)
    return _png(figure)


def _bars(videos: dict[str, dict[str, float]]) -> bytes:
    figure, axes = _figure((12.5, 5.6))
    for axis, metric in zip(axes, METRICS, strict=True):
        scored = [(values[metric], name) for name, values in videos.items() if np.isfinite(values[metric])]
        scored.sort(reverse=metric != "kl_divergence")
        if not scored:
            _say_undefined(axis, metric)
            continue
        axis.set_title(TITLES[metric], fontsize=11)
        values, names = zip(*scored, strict=True)
        axis.bar(range(len(values)), values, color=_BLUE, width=0.8 if len(values) <= _MOST_NAMES else 1.0)
        axis.axhline(np.mean(values), color=_RED, linewidth=1)
        if len(values) <= _MOST_NAMES:
            axis.set_xticks(range(len(names)), names, rotation=60, fontsize=8, ha="right", rotation_mode="anchor")
        else:
            axis.set_xticks([0, len(names) - 1], [names[0], names[-1]], fontsize=8)
            axis.set_xlabel(f"{len(names)} videos; named are the best and the worst", fontsize=9, color=_GREY)
        axis.margins(x=0.01)
    return _png(figure)


def _say_undefined(axis: object, metric: str) -> None:
    axis.set_title(TITLES[metric], fontsize=11)
    axis.text(0.5, 0.5, "undefined everywhere", ha="center", va="center", color=_GREY, transform=axis.transAxes)
    axis.set_axis_off()


def _figure(size: tuple[float, float]) -> tuple:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.15, w_pad=0.15)
    axes = figure.subplots(2, 3).flat
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=9)
    return figure, list(figure.axes)


def _png(figure: object) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=115)
    return buffer.getvalue()
