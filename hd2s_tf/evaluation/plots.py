"""The plots of a report as PNG files: how frames score, and how videos do, a panel for each metric."""

import typing
from collections.abc import Sequence

import numpy as np

from hd2s_tf import plotting
from hd2s_tf.evaluation.protocol import METRICS, Metric

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS, _PANEL = 3, (4.2, 2.7)
_DPI = 115
_MOST_NAMES = 30
_BLUE, _RED, _GREY = "#3b6fb6", "#c8453b", "#5b6475"


def draw_histograms(rows: Sequence[dict]) -> bytes:
    """Draws how the scores of frames are distributed."""
    figure, panels = _new_panels()
    for axes, metric in zip(panels, METRICS.values(), strict=True):
        values = np.array([row[metric.name] for row in rows], float)
        values = values[np.isfinite(values)]
        if not len(values):
            _say_undefined(axes, metric)
            continue
        axes.set_title(f"{metric.title}, mean {values.mean():.3f}", fontsize=11)
        axes.hist(values, bins=min(40, max(5, len(values) // 4)), color=_BLUE)
        axes.axvline(values.mean(), color=_RED)
        axes.yaxis.get_major_locator().set_params(integer=True)
    return plotting.png_bytes(figure, _DPI)


def draw_bars(videos: dict[str, dict[str, float]], noun: str) -> bytes:
    """Draws each video's scores, best first.

    Args:
      videos: scores by metric, by name.
      noun: what they are, in the plural.
    """
    figure, panels = _new_panels()
    for axes, metric in zip(panels, METRICS.values(), strict=True):
        scored = [(row[metric.name], name) for name, row in videos.items() if np.isfinite(row[metric.name])]
        scored.sort(reverse=metric.higher_is_better)
        if not scored:
            _say_undefined(axes, metric)
            continue
        axes.set_title(metric.title, fontsize=11)
        values, names = zip(*scored, strict=True)
        axes.bar(range(len(values)), values, color=_BLUE, width=0.8 if len(values) <= _MOST_NAMES else 1.0)
        axes.axhline(np.mean(values), color=_RED, linewidth=1)
        if len(values) <= _MOST_NAMES:
            labels = [_plain(name) for name in names]
            axes.set_xticks(range(len(names)), labels, rotation=60, fontsize=8, ha="right", rotation_mode="anchor")
        else:
            axes.set_xticks([0, len(names) - 1], [_plain(names[0]), _plain(names[-1])], fontsize=8)
            axes.set_xlabel(f"{len(names)} {noun}; named are the best and the worst", fontsize=9, color=_GREY)
        axes.margins(x=0.01)
    return plotting.png_bytes(figure, _DPI)


def _plain(name: str) -> str:
    # Between two of them Matplotlib would read a formula.
    return name.replace("$", r"\$")


def _say_undefined(axes: "Axes", metric: Metric) -> None:
    axes.set_title(metric.title, fontsize=11)
    axes.text(0.5, 0.5, "undefined everywhere", ha="center", va="center", color=_GREY, transform=axes.transAxes)
    axes.set_axis_off()


def _new_panels() -> tuple["Figure", list["Axes"]]:
    """A figure with an empty panel for each metric."""
    rows = -(-len(METRICS) // _COLUMNS)
    figure = plotting.new_figure(_COLUMNS * _PANEL[0], rows * _PANEL[1])
    figure.get_layout_engine().set(h_pad=0.15, w_pad=0.15)
    panels = [figure.add_subplot(rows, _COLUMNS, place + 1) for place in range(len(METRICS))]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    return figure, panels
