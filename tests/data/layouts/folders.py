"""Folders as data sets lie on disk."""

import pathlib
from collections.abc import Sequence

import numpy as np

from hd2s_tf.data import images


def write_png(path: pathlib.Path, value: int = 0, size: tuple[int, int] = (8, 12)) -> None:
    """Writes a picture of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.png(np.full(size, value, np.uint8)))


def write_ucf(
    folder: pathlib.Path, videos: Sequence[str] = ("a", "b", "c"), frames: int = 2, split: str = "training"
) -> pathlib.Path:
    """Writes videos in UCF Sports' layout; the folder again."""
    for name in videos:
        for kind in ("images", "maps", "fixation"):
            for frame in range(1, frames + 1):
                write_png(folder / split / name / kind / f"{frame:03d}.png", frame)
    return folder
