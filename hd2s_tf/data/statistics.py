"""Statistics of prepared data sets: lengths, fixations, centre bias (the paper's figure 3), and a picture of clips."""

import dataclasses
import typing
from collections.abc import Sequence

import cv2
import numpy as np

from hd2s_tf import plotting
from hd2s_tf.data import clips, preprocessing, records
from hd2s_tf.data.gaze.agreement import agreement

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAP_SIZE = (72, 128)
_FRAMES_PER_VIDEO, _AGREEMENT_FRAMES = 30, 1000
_PARTS = 20
_DURATION_BIN, _DURATION_BINS = 50.0, 20
_COLOUR = "#4878cf"
_SHOWN_FRAMES, _SHOWN_CLIPS, _TILE = (0, 5, 10, 15), 6, (96, 144)


def measure(dataset: records.Dataset) -> tuple[dict, np.ndarray]:
    """Measures a split, of at most 30 frames a video.

    Args:
      dataset: prepared.

    Returns:
      The numbers: videos, frames, frames_with_ground_truth, frames_per_video (shortest, median, longest), lengths (of
      every video), `_gaze`'s, and for data that keeps who looked, `_people`'s. And the mean map, float64 [72,128], its
      largest value 1.
    """
    total = np.zeros(_MAP_SIZE)
    seen: list[_Frame] = []
    for video in dataset.videos:
        count = min(video.frame_count, _FRAMES_PER_VIDEO)
        indices = np.unique(np.linspace(0, video.frame_count - 1, count).astype(int))
        for index, frame in zip(indices, video.read(indices), strict=True):
            stored = frame.decode_map()
            if stored is not None or video.observed:
                seen.append(_Frame(video, index / max(1, video.frame_count - 1), frame))
            if stored is not None:
                resized = preprocessing.resize(stored.astype(np.float32), _MAP_SIZE)
                total += resized / max(float(resized.sum()), 1e-9)
    lengths = [video.frame_count for video in dataset.videos]
    return {
        "videos": len(lengths),
        "frames": int(np.sum(lengths)),
        "frames_with_ground_truth": int(sum(video.targets.sum() for video in dataset.videos)),
        "frames_per_video": {"shortest": min(lengths), "median": float(np.median(lengths)), "longest": max(lengths)},
        **_gaze(seen),
        **_people(dataset, seen),
        "lengths": lengths,
    }, total / max(float(total.max()), 1e-12)


@dataclasses.dataclass(frozen=True)
class _Frame:
    """A frame that is looked at, and its place in its video from 0 to 1."""

    video: records.Video
    place: float
    record: records.FrameRecord


def _gaze(seen: Sequence[_Frame]) -> dict:
    """Measures the fixations.

    Returns:
      fixations_per_frame (mean, standard deviation), share_without_fixations (of frames), fixations_over_time (means of
      20 successive parts of videos, NaN as None; empty for stills) and distance_from_centre (mean of fixations, with
      height and width as 1: 0.38 for points anywhere; None without any).
    """
    counts = np.array([len(frame.record.fixations) for frame in seen] or [0], float)
    parts = np.array([min(int(frame.place * _PARTS), _PARTS - 1) for frame in seen] or [0])
    stills = all(frame.video.frame_count == 1 for frame in seen)
    over_time = [counts[parts == part].mean() if (parts == part).any() else None for part in range(_PARTS)]
    points = np.concatenate([frame.record.fixations for frame in seen] or [np.zeros((0, 2))])
    return {
        "fixations_per_frame": {"mean": float(counts.mean()), "standard_deviation": float(counts.std())},
        "share_without_fixations": float((counts == 0).mean()),
        "fixations_over_time": [] if stills else over_time,
        "distance_from_centre": float(np.linalg.norm(points - 0.5, axis=1).mean()) if len(points) else None,
    }


def _people(dataset: records.Dataset, seen: Sequence[_Frame]) -> dict:
    """Measures the observers of data that keeps who looked.

    Returns:
      observers (their number), observers_per_video (mean), agreement (mean over frames of `agreement`'s NSS),
      fixation_durations_ms (10th, 50th and 90th percentile; None where samples were kept as they are) and
      fixation_duration_counts (of bins of 50 ms, the last one for all from 950 ms on); nothing for other data.
    """
    observed = [video.observed for video in dataset.videos if video.observed]
    if not observed:
        return {}
    every = max(1, len(seen) // _AGREEMENT_FRAMES)
    agreements = [
        agreement(frame.record.fixations, frame.record.observers, frame.video.observed.sigma)
        for frame in seen[::every]
        if len(frame.record.observers)
    ]
    durations = np.array([duration for one in observed for duration in one.durations if duration > 0])
    bins = np.minimum((durations / _DURATION_BIN).astype(int), _DURATION_BINS - 1)
    defined = [value for value in agreements if np.isfinite(value)]
    return {
        "observers": len(dataset.information["observers"]),
        "observers_per_video": float(np.mean([len(one.observers) for one in observed])),
        "agreement": float(np.mean(defined)) if defined else None,
        "fixation_durations_ms": np.percentile(durations, (10, 50, 90)).tolist() if len(durations) else None,
        "fixation_duration_counts": np.bincount(bins, minlength=_DURATION_BINS).tolist(),
    }


def picture(measured: dict[str, tuple[dict, np.ndarray]]) -> bytes:
    """A PNG with a row for each set: lengths, the mean map, fixations over time and their durations."""
    figure = plotting.new_figure(16, 2.6 * len(measured) + 0.4)
    axes = figure.subplots(len(measured), 4, squeeze=False, width_ratios=(1.2, 1, 1, 1))
    for row, (name, (values, mean_map)) in zip(axes, measured.items(), strict=True):
        _draw_lengths(row[0], name, values)
        _draw_mean_map(row[1], values, mean_map)
        _draw_over_time(row[2], values)
        _draw_durations(row[3], values)
    return plotting.png_bytes(figure)


def _draw_lengths(axes: "Axes", name: str, values: dict) -> None:
    axes.hist(values["lengths"], bins=min(30, max(5, len(set(values["lengths"])))), color=_COLOUR)
    axes.set_title(f"{name}: {values['videos']} videos, {values['frames']} frames", fontsize=10)
    axes.set_xlabel("frames of a video", fontsize=8)


def _draw_mean_map(axes: "Axes", values: dict, mean_map: np.ndarray) -> None:
    axes.imshow(mean_map, cmap="inferno")
    axes.set_axis_off()
    distance = values["distance_from_centre"]
    centre = "" if distance is None else f"; {distance:.2f} from the centre"
    axes.set_title(f"mean map{centre}", fontsize=10)


def _draw_over_time(axes: "Axes", values: dict) -> None:
    counts = values["fixations_over_time"]
    title = f"{values['fixations_per_frame']['mean']:.1f} fixations a frame"
    axes.set_title(f"{title}, {values['share_without_fixations']:.1%} of frames without", fontsize=10)
    if not counts:
        axes.set_axis_off()
        return
    axes.plot(np.linspace(0, 1, len(counts)), [np.nan if count is None else count for count in counts], color=_COLOUR)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("place in the video", fontsize=8)


def _draw_durations(axes: "Axes", values: dict) -> None:
    counts = values.get("fixation_duration_counts")
    if not counts or not sum(counts):
        axes.set_axis_off()
        return
    axes.bar(_DURATION_BIN * (np.arange(len(counts)) + 0.5), counts, 0.9 * _DURATION_BIN, color=_COLOUR)
    median, agreed = values["fixation_durations_ms"][1], values["agreement"]
    title = "" if agreed is None else f"; observers agree with NSS {agreed:.2f}"
    axes.set_title(f"median {median:.0f} ms{title}", fontsize=10)
    axes.set_xlabel("duration of fixations in ms", fontsize=8)


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
