"""Statistics of prepared data sets: lengths, fixations, centre bias (the paper's figure 3), and a picture of clips."""

from collections.abc import Sequence

import cv2
import numpy as np

from hd2s_tf import plotting
from hd2s_tf.data import clips, preprocessing, records

_MAP_SIZE = (72, 128)
_FRAMES_PER_VIDEO = 30
_SHOWN_FRAMES, _SHOWN_CLIPS, _TILE = (0, 5, 10, 15), 6, (96, 144)


def measure(dataset: records.Dataset) -> tuple[dict, np.ndarray]:
    """Measures a split.

    Args:
      dataset: prepared.

    Returns:
      videos, frames, frames_with_ground_truth, frames_per_video (shortest, median, longest), fixations_per_frame
      (mean, standard deviation; of at most 30 frames a video) and lengths (of every video); and the mean map, float64
      [72,128], its largest value 1.
    """
    total = np.zeros(_MAP_SIZE)
    fixation_counts: list[int] = []
    for video in dataset.videos:
        count = min(video.frame_count, _FRAMES_PER_VIDEO)
        for frame in video.read(np.unique(np.linspace(0, video.frame_count - 1, count).astype(int))):
            stored = frame.decode_map()
            if stored is not None:
                fixation_counts.append(len(frame.fixations))
                resized = preprocessing.resize(stored.astype(np.float32), _MAP_SIZE)
                total += resized / max(float(resized.sum()), 1e-9)
    lengths = [video.frame_count for video in dataset.videos]
    counts = np.array(fixation_counts or [0], float)
    return {
        "videos": len(lengths),
        "frames": int(np.sum(lengths)),
        "frames_with_ground_truth": int(sum(video.targets.sum() for video in dataset.videos)),
        "frames_per_video": {"shortest": min(lengths), "median": float(np.median(lengths)), "longest": max(lengths)},
        "fixations_per_frame": {"mean": float(counts.mean()), "standard_deviation": float(counts.std())},
        "lengths": lengths,
    }, total / max(float(total.max()), 1e-12)


def picture(measured: dict[str, tuple[dict, np.ndarray]]) -> bytes:
    """A PNG with a row for each set: the histogram of lengths and the mean map."""
    figure = plotting.new_figure(11, 2.6 * len(measured) + 0.4)
    axes = figure.subplots(len(measured), 2, squeeze=False, width_ratios=(1.4, 1))
    for (histogram, image), (name, (values, mean_map)) in zip(axes, measured.items(), strict=True):
        histogram.hist(values["lengths"], bins=min(30, max(5, len(set(values["lengths"])))), color="#4878cf")
        histogram.set_title(f"{name}: {values['videos']} videos, {values['frames']} frames", fontsize=10)
        histogram.set_xlabel("frames of a video", fontsize=8)
        image.imshow(mean_map, cmap="inferno")
        image.set_axis_off()
        fixations = values["fixations_per_frame"]
        image.set_title(f"mean map; {fixations['mean']:.1f} fixations a frame", fontsize=10)
    return plotting.png_bytes(figure)


def clips_picture(datasets: Sequence[records.Dataset], seed: int = 0) -> np.ndarray:
    """Some clips as training sees them without augmentation: uint8 RGB, a row for each with its map and fixations."""
    rows = []
    for dataset in datasets:
        labelled = dataset.labelled
        batch = next(iter(clips.training_batches([dataset], clips.Sampling(_SHOWN_CLIPS, seed), labelled=labelled)))
        for index in range(_SHOWN_CLIPS):
            frames = [np.uint8((batch["clip"][index, frame].numpy() + 1) * 127.5) for frame in _SHOWN_FRAMES]
            if labelled:
                truth = np.uint8(255 * batch["saliency_map"][index].numpy())
                fixated = cv2.dilate(np.uint8(255 * batch["fixation_map"][index].numpy()), np.ones((3, 3), np.uint8))
                frames += [cv2.cvtColor(values, cv2.COLOR_GRAY2RGB) for values in (truth, fixated)]
            else:
                frames += [np.zeros_like(frames[0])] * 2
            rows.append(np.hstack([preprocessing.resize(frame, _TILE) for frame in frames]))
    return np.vstack(rows)
