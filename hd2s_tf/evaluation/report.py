"""The report of an evaluation as one HTML file: scores, distributions, videos, and frames to look at."""

import base64
import dataclasses
import html
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import tqdm

from hd2s_tf.data import preprocessing
from hd2s_tf.evaluation import plots, tables
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.predictions import BAR_DELAY, Predictor
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.evaluation.results import Evaluation, Subject

_TILE_WIDTH = 190
# The metric that ranks frames, and those that are shown for each.
_RANKED_BY, _TOLD = "cc", ("cc", "nss", "auc_judd")
_EXAMPLES = 4
_STYLE = """
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1d2433; max-width: 1320px; margin: 2rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.55rem; margin-bottom: .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { max-width: 60rem; } .muted { color: #5b6475; }
.wide { overflow-x: auto; } table { border-collapse: collapse; } .wide + table { margin-top: 1.2rem; }
td, th { padding: .35rem .8rem; border-bottom: 1px solid #e3e6ec; }
.scores td, .scores th { text-align: right; font-variant-numeric: tabular-nums; }
.scores td:first-child, .scores th:first-child { text-align: left; } .scores td:first-child { white-space: nowrap; }
tr.ours { background: #eaf1fc; font-weight: 600; }
.facts td { vertical-align: top; overflow-wrap: anywhere; }
.facts td:first-child { font-weight: 600; min-width: 6rem; }
.example { margin: 0 0 1.1rem; } .example figcaption, .map span { font-size: .8rem; color: #5b6475; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: .5rem; }
.map img { width: 100%; } .map span { display: block; line-height: 1.3; }
img { max-width: 100%; display: block; } figure { margin: .4rem 0 1rem; } .plot img { min-width: 40rem; }
@media (max-width: 600px) { body { padding: 0 .8rem; margin: 1rem auto; }
  td, th { padding: .3rem .45rem; } .maps { grid-template-columns: repeat(auto-fit, minmax(110px, 1fr)); } }
"""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A frame to show.

    Attributes:
      group: "Best", "Median" or "Worst".
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


def choose(evaluation: Evaluation) -> list[Choice]:
    """Chooses the best, median and worst frames by CC, of as many different videos as there are."""
    frames = [(name, row) for name, rows in evaluation.rows.items() for row in rows if np.isfinite(row[_RANKED_BY])]
    if not frames:
        return []
    median = float(np.median([row[_RANKED_BY] for _, row in frames]))
    groups: dict[str, Callable[[float], float]] = {
        "Best": lambda score: -score,
        "Median": lambda score: abs(score - median),
        "Worst": lambda score: score,
    }
    choices = []
    for group, distance in groups.items():
        ranked = sorted(frames, key=lambda frame, distance=distance: distance(frame[1][_RANKED_BY]))
        # Each video's first frame in the ranking comes first; the other frames follow after those of all videos.
        seen: dict[str, int] = {}
        order = []
        for name, row in ranked:
            order.append((seen.setdefault(name, 0), name, row))
            seen[name] += 1
        chosen = sorted(order, key=lambda entry: entry[0])[:_EXAMPLES]
        choices += [Choice(group, name, row) for _, name, row in chosen]
    return choices


def draw_examples(choices: Sequence[Choice], videos: Sequence[ScoredVideo], predictor: Predictor) -> list[Example]:
    """Predicts the chosen frames again, with all maps, and draws them."""
    examples = []
    by_name = {scored.name: scored for scored in videos}
    for choice in tqdm.tqdm(choices, unit="frame", desc="examples", delay=BAR_DELAY):
        scored = by_name[choice.video]
        index = scored.frame_names.index(choice.row["frame"])
        frame = scored.read_frames({index})[index]
        pictures = _draw_pictures(frame, scored.read_truth(index), predictor.example(scored, index))
        examples.append(Example(choice, tuple(pictures)))
    return examples


def _draw_pictures(frame: np.ndarray, truth: FrameTruth, maps: Sequence[np.ndarray]) -> list[bytes]:
    size = (round(_TILE_WIDTH * frame.shape[0] / frame.shape[1]), _TILE_WIDTH)
    tiles = [preprocessing.resize(frame, size)]
    for values in (truth.saliency_map, *maps):
        small = preprocessing.resize(np.ascontiguousarray(values, np.float32), size)
        pixels = np.uint8(np.clip(255 * small / max(float(small.max()), 1e-9), 0, 255))
        tiles.append(cv2.cvtColor(cv2.applyColorMap(pixels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB))
    options = [cv2.IMWRITE_JPEG_QUALITY, 88]
    return [cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), options)[1].tobytes() for tile in tiles]


def render_html(evaluation: Evaluation, examples: Sequence[Example]) -> str:
    """Renders the report; `examples` are those of `draw_examples`."""
    subject = evaluation.subject
    title = f"{subject.name} on {subject.dataset}, split {subject.split}"
    one, many = ("picture", "pictures") if subject.stills else ("frame", "frames")
    left_out = [
        f"{count} {many} without {what}"
        for count, what in (
            (evaluation.missing_predictions, "a prediction"),
            (evaluation.frames_without_ground_truth, "ground truth"),
        )
        if count
    ]
    parts = [
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{_text(title)}</title><style>{_STYLE}</style></head><body>
<h1>{_text(title)}</h1>
<p class="muted">How well predicted saliency maps tell where people looked:
{subject.count(len(evaluation.rows), evaluation.frames)}. Left out: {_text(", ".join(left_out) or "nothing")}.
Undefined: {_text(tables.list_undefined(evaluation) or "nothing")}.</p>
<h2>Scores</h2>{_render_scores(evaluation)}
<table class="facts">{_render_facts({metric.title: metric.meaning for metric in METRICS.values()})}</table>
<h2>How the {many} score</h2><p class="muted">Each histogram counts {many}; the line is their mean.</p>
{_render_plot(plots.draw_histograms(evaluation.all_rows))}"""
    ]
    noun = many if subject.stills else "videos"
    of_each = "A bar for each picture" if subject.stills else "A bar for each video's mean"
    parts.append(
        f"""<h2>{"Each picture" if subject.stills else "How the videos score"}</h2>
<p class="muted">{of_each}, best first; the line is the mean of all.</p>
{_render_plot(plots.draw_bars(evaluation.videos, noun))}"""
    )
    parts.append(_render_examples(examples, one, many, subject.stills))
    parts.append(
        f"""<h2>How it was measured</h2>
<table class="facts">{_render_facts(_list_settings(subject, evaluation.problems))}</table>
</body></html>
"""
    )
    return "\n".join(parts)


def _text(value: object) -> str:
    return html.escape(str(value))


def _render_scores(evaluation: Evaluation) -> str:
    rows = tables.compare(evaluation)
    head = "".join(f"<th>{_text(metric.title)}</th>" for metric in METRICS.values())
    body = "".join(
        f'<tr class="{"muted" if number else "ours"}"><td>{_text(title)}</td>'
        + "".join(f"<td>{tables.format_score(values.get(metric))}</td>" for metric in METRICS)
        + "</tr>"
        for number, (title, values) in enumerate(rows)
    )
    note = '<p class="muted">Rows that name a table: as the paper publishes them, on the split that each names.</p>'
    table = f'<div class="wide"><table class="scores"><tr><th></th>{head}</tr>{body}</table></div>'
    return table + (note if tables.published_rows(evaluation) else "")


def _list_settings(subject: Subject, problems: Sequence[str]) -> dict[str, object]:
    facts = {"data_dir": subject.data_dir, "split": subject.split, "protocol": subject.protocol.name}
    facts |= {key: value for key, value in subject.predictor.items() if value is not None}
    facts |= subject.protocol.describe()
    if problems:
        facts["problems"] = "; ".join(problems)
    return {METRICS[key].title if key in METRICS else key.replace("_", " "): value for key, value in facts.items()}


def _render_facts(facts: dict[str, object]) -> str:
    return "".join(f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in facts.items())


def _render_examples(examples: Sequence[Example], one: str, many: str, stills: bool) -> str:
    """The pictures of every example, which flow into as many columns as the page has room for."""
    ranked_by = METRICS[_RANKED_BY].title
    if not examples:
        return f"<p>No {one} has a {ranked_by}, by which those to show are chosen.</p>"
    levels = max(len(example.pictures) for example in examples) - 3
    captions = [one, "where people looked", "prediction"]
    captions += [f"conspicuity {level + 1} of {levels}" for level in range(levels)]
    different = "" if stills else ", of different videos where possible"
    explained = f"{many.capitalize()} with the highest, median and lowest {ranked_by}{different}. "
    explained += "Bright is where people looked, or where the network says they do."
    if levels:
        explained += " Conspicuity maps are the network's, from its shallowest level to its deepest."
    parts = [f'<h2>{many.capitalize()} to look at</h2><p class="muted">{explained}</p>']
    for group in dict.fromkeys(example.choice.group for example in examples):
        parts.append(f"<h3>{group} {many}</h3>")
        members = [example for example in examples if example.choice.group == group]
        parts += [_render_example(example, captions, stills) for example in members]
    return "".join(parts)


def _render_example(example: Example, captions: Sequence[str], stills: bool) -> str:
    pictures = zip(example.pictures, captions, strict=False)
    maps = "".join(
        f'<div class="map"><img src="{_data_uri(picture, "jpeg")}" alt="{caption}"><span>{caption}</span></div>'
        for picture, caption in pictures
    )
    row = example.choice.row
    scores = ", ".join(f"{METRICS[metric].title} {tables.format_score(row[metric])}" for metric in _TOLD)
    name = example.choice.video if stills else f"{example.choice.video}, frame {row['frame']}"
    caption = f"<figcaption>{_text(name)}: {scores}</figcaption>"
    return f'<figure class="example"><div class="maps">{maps}</div>{caption}</figure>'


def _render_plot(png: bytes) -> str:
    return f'<figure class="plot wide"><img src="{_data_uri(png, "png")}" alt=""></figure>'


def _data_uri(image: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
