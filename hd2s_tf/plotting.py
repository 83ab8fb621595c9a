"""Figures as PNG files. Matplotlib is imported when a figure is drawn, and never with a display."""

import io
import typing

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of a size in inches, which lays out its axes by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png_bytes(figure: "Figure", dpi: int = 100) -> bytes:
    """The figure as a PNG file of `dpi` pixels an inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
