"""Generated videos with a known ground truth, to try programs with: a bright disc moves, and people look at it."""

import atexit
import functools
import pathlib
import shutil
import tempfile

import cv2
import numpy as np

from hd2s_tf.data import images, layouts, preparation, video


def write_videos(
    folder: str | pathlib.Path, *, videos: int = 3, frames: int = 24, size: tuple[int, int] = (90, 160), seed: int = 0
) -> None:
    """Writes videos in DHF1K's layout: `video/NNN.AVI`, `annotation/NNNN/maps` and `.../fixation`.

    Args:
      folder: to write to.
      videos: how many, numbered from 1.
      frames: of each.
      size: (height, width) in pixels.
      seed: of the motion.
    """
    folder = pathlib.Path(folder)
    generator = np.random.default_rng(seed)
    (folder / "video").mkdir(parents=True, exist_ok=True)
    for number in range(1, videos + 1):
        writer = cv2.VideoWriter(
            str(folder / "video" / f"{number:03d}.AVI"), cv2.VideoWriter_fourcc(*"MJPG"), 25, size[::-1]
        )
        background = cv2.resize(generator.integers(0, 120, (6, 8, 3), np.uint8), size[::-1])
        start, end = generator.uniform(0.15, 0.85, (2, 2)) * size
        for frame in range(frames):
            centre = start + (end - start) * frame / max(1, frames - 1)
            image = background.copy()
            cv2.circle(image, tuple(int(value) for value in centre[::-1]), size[0] // 10, (230, 230, 255), -1)
            writer.write(image)
            _write_truth(folder / "annotation" / f"{number:04d}", f"{frame + 1:04d}.png", centre, size)
        writer.release()


def _write_truth(folder: pathlib.Path, name: str, centre: np.ndarray, size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    distance = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    saliency_map = np.uint8(np.rint(255 * np.exp(-distance / (2 * (size[0] / 12) ** 2))))
    fixation_map = np.zeros(size, np.uint8)
    fixation_map[tuple(np.int64(centre))] = 255
    for kind, image in (("maps", saliency_map), ("fixation", fixation_map)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / name).write_bytes(images.png(image))


@functools.cache
def prepared() -> str:
    """A prepared data set of such videos, train and validation, in a folder that is removed when the process ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="generated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_videos(folder / "generated", videos=4)
    preparation.prepare(
        "dhf1k",
        str(folder / "generated"),
        str(folder / "prepared"),
        validation=layouts.ValidationSplit(names=("0004",)),
        workers=1,
    )
    return str(folder / "prepared")


def write_gaze(
    folder: str | pathlib.Path, *, videos: int = 6, frames: int = 60, observers: int = 8, seed: int = 0
) -> None:
    """Writes videos and the gaze of people who watched them, as the layout `gaze` reads them.

    A bright disc moves over each video and stops twice; people look at it, some earlier and some later.

    Args:
      folder: to write to, `videos/NAME.mp4` and `fixations.csv`.
      videos: how many.
      frames: of each, 25 a second.
      observers: how many people watch each video.
      seed: of the motion and the gaze.
    """
    folder, size = pathlib.Path(folder), (180, 320)
    generator = np.random.default_rng(seed)
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    lines = ["video,observer,onset_ms,duration_ms,x,y"]
    for number in range(1, videos + 1):
        name = f"clip{number:02d}"
        stops = generator.uniform(0.2, 0.8, (3, 2)) * size
        centres = np.stack([np.interp(np.linspace(0, 2, frames), (0, 1, 2), stops[:, axis]) for axis in (0, 1)], 1)
        background = cv2.resize(generator.integers(0, 120, (6, 8, 3), np.uint8), size[::-1])
        with video.VideoWriter(folder / "videos" / f"{name}.mp4", size, 25.0) as writer:
            for centre in centres:
                image = background.copy()
                cv2.circle(image, tuple(int(value) for value in centre[::-1]), size[0] // 12, (255, 230, 230), -1)
                writer.write(image)
        for observer in range(1, observers + 1):
            onset = 0.0
            while onset < 40.0 * frames:
                duration = generator.uniform(150, 500)
                seen = centres[min(int((onset + duration / 2) / 40), frames - 1)] + generator.normal(0, 6, 2)
                y, x = np.clip(seen, 0, np.array(size) - 1)
                lines.append(f"{name},{observer:02d},{onset:.0f},{duration:.0f},{x:.1f},{y:.1f}")
                onset += duration + generator.uniform(30, 60)
    (folder / "fixations.csv").write_text("\n".join(lines) + "\n")
