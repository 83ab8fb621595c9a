"""Input: clips a second from prepared records, against original files and training; frames a second of a video."""

import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import cv2
import keras
import numpy as np
import tensorflow as tf

from hd2s_tf.benchmark import measure
from hd2s_tf.data import clips, frame_source, layouts, preparation, preprocessing, records, synthetic, video
from hd2s_tf.data.augmentation import Augmentation

_VIDEOS, _FRAMES, _SIZE = 2, 300, (360, 640)
_BATCH, _BATCHES, _ORIGINALS = 8, 12, 10
# Of decoding a video by two ways.
_TURNS = 7
# As `configs/hd2s_tiny.py`: frames larger than the network's, strongly augmented.
_LARGE = (192, 288)
_STRONG = Augmentation(zoom=0.5, stretch=0.15, pan=0.12, brightness=0.12, contrast=0.3, saturation=0.4, tempo=0.3)


def run() -> dict[str, dict]:
    """Measures everything in one process, one after the other, so that the ratios are of one run."""
    return {"clips a second": measure.alone(_all), "decoded frames a second": measure.alone(_decoded)}


def _decoded() -> dict:
    """Decodes an H.264 video to RGB as the package does and with OpenCV, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/video.mp4"
        _write_video(path)
        taken = [[_seconds(decode, path) for decode in (_decode, _decode_with_opencv)] for _ in range(_TURNS)]
    package, opencv = (_FRAMES / statistics.median(seconds) for seconds in zip(*taken, strict=True))
    return {"package": round(package), "opencv": round(opencv), "package_against_opencv": round(package / opencv, 2)}


def _write_video(path: str) -> None:
    """A textured picture that moves, with some noise as cameras have it."""
    generator = np.random.default_rng(0)
    height, width = _SIZE
    picture = cv2.resize(generator.integers(0, 256, (height // 8, width // 4, 3), np.uint8), (2 * width, height))
    with video.VideoWriter(path, _SIZE, 25) as writer:
        for index in range(_FRAMES):
            first = 2 * index % width
            noise = generator.integers(0, 8, (height, width, 1), np.uint8)
            writer.write(cv2.add(picture[:, first : first + width], np.repeat(noise, 3, 2)))


def _seconds(decode: Callable[[str], int], path: str) -> float:
    started = time.perf_counter()
    count = decode(path)
    if count != _FRAMES:
        raise RuntimeError(f"{path}: {count} of {_FRAMES} frames could be decoded")
    return time.perf_counter() - started


def _decode(path: str) -> int:
    return sum(1 for _ in frame_source.open_frames(path))


def _decode_with_opencv(path: str) -> int:
    capture, count = cv2.VideoCapture(path), 0
    while (decoded := capture.read())[0]:
        cv2.cvtColor(decoded[1], cv2.COLOR_BGR2RGB)
        count += 1
    capture.release()
    return count


def _all() -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        synthetic.write_videos(folder / "original", videos=_VIDEOS, frames=_FRAMES, size=_SIZE)
        small, large = (_prepared(folder, size) for size in (clips.FRAME_SIZE, _LARGE))
        from_records = _from_records(small, Augmentation())
        augmented = _from_records(large, _STRONG)
        from_originals = _from_originals(folder / "original")
        consumed = _consumed(small)
    return {
        "from_records": round(from_records, 1),
        "from_large_records_strongly_augmented": round(augmented, 1),
        "from_original_files": round(from_originals, 2),
        "consumed_by_hd2s_tiny": round(consumed, 2),
        "records_against_original_files": round(from_records / from_originals, 1),
        "records_against_hd2s_tiny": round(from_records / consumed, 1),
        "augmented_against_hd2s_tiny": round(augmented / consumed, 1),
    }


def _prepared(folder: pathlib.Path, size: tuple[int, int]) -> records.Dataset:
    output = folder / f"prepared{size[0]}"
    preparation.prepare(
        "dhf1k",
        str(folder / "original"),
        str(output),
        options=preparation.Options(*size),
        validation=layouts.ValidationSplit(fraction=0),
        workers=1,
    )
    return records.load_dataset(output, layouts.TRAIN)


def _from_records(dataset: records.Dataset, augmentation: Augmentation) -> float:
    batches = _batches(dataset, augmentation)
    for _ in range(2):
        next(batches)
    started = time.perf_counter()
    for _ in range(_BATCHES):
        next(batches)
    return _BATCH * _BATCHES / (time.perf_counter() - started)


def _from_originals(folder: pathlib.Path) -> float:
    """Random windows like those of `_from_records`, read with OpenCV in as many threads as TensorFlow finds best."""
    generator = np.random.default_rng(0)
    windows = [
        (f"{number:03d}", int(generator.integers(_FRAMES - clips.CLIP_FRAMES + 1)))
        for number in generator.integers(1, _VIDEOS + 1, _ORIGINALS)
    ]

    def read(name: tf.Tensor, first: tf.Tensor) -> tuple[tf.Tensor, ...]:
        types = (tf.uint8, tf.uint8, tf.uint8)
        return tf.numpy_function(lambda name, first: _window(folder, name.decode(), int(first)), [name, first], types)

    names, firsts = zip(*windows, strict=True)
    pairs = tf.data.Dataset.from_tensor_slices((list(names), list(firsts)))
    started = time.perf_counter()
    count = sum(1 for _ in pairs.map(read, num_parallel_calls=tf.data.AUTOTUNE))
    return count / (time.perf_counter() - started)


def _window(folder: pathlib.Path, name: str, first: int) -> list[np.ndarray]:
    """Clip, map and fixations of a window; a position in a video is only sure when everything before it is decoded."""
    capture = cv2.VideoCapture(str(folder / "video" / f"{name}.AVI"))
    for _ in range(first):
        capture.grab()
    frames = [
        cv2.cvtColor(preprocessing.resize(capture.read()[1], clips.FRAME_SIZE), cv2.COLOR_BGR2RGB)
        for _ in range(clips.CLIP_FRAMES)
    ]
    capture.release()
    annotation = folder / "annotation" / f"0{name}"
    truth = [
        preprocessing.resize(
            cv2.imread(str(annotation / kind / f"{first + clips.CLIP_FRAMES:04d}.png"), cv2.IMREAD_GRAYSCALE),
            clips.FRAME_SIZE,
        )
        for kind in ("maps", "fixation")
    ]
    return [np.stack(frames), *truth]


def _consumed(dataset: records.Dataset) -> float:
    """Clips a second that training takes if it never waits for them: the same batch again and again."""
    from hd2s_tf.models.hd2s import HD2S
    from hd2s_tf.training.objectives import Supervised
    from hd2s_tf.training.updater import Rule, Updater

    model = HD2S.from_preset("hd2s_tiny", weights=None)
    optimizer = keras.optimizers.Adam()
    updater = Updater(model, optimizer, Supervised(), tf.distribute.get_strategy(), Rule(updates=100))
    batch = next(_batches(dataset, Augmentation()))

    def step() -> None:
        updater.accumulate(batch, 0)
        updater.apply().numpy()

    return _BATCH / measure.seconds(step, repeats=5, warmups=2)


def _batches(dataset: records.Dataset, augmentation: Augmentation) -> Iterator[dict]:
    return iter(clips.training_batches([dataset], clips.Sampling(_BATCH, augmentation=augmentation)).prefetch(2))
