import pytest

from hd2s_tf.evaluation import plots


@pytest.fixture
def plots_are_not_drawn(monkeypatch):
    """They take longer than everything else, and have tests of their own."""
    for name in ("draw_histograms", "draw_bars"):
        monkeypatch.setattr(plots, name, lambda *_: b"")
