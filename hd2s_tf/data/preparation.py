"""Preparing a data set: each layout's files become shards of JPEG frames, maps and fixations at one size.

Splits to evaluate on keep each ground-truth map at its source's size as well, beside the one that clips are made of.
Fixations are fractions of the source's height and width in every split, so none merge.

Several processes write shards, each under a temporary name until it is whole, with an index that says how it was made.
An interrupted preparation resumes with the missing shards; `dataset.json` is written last. A process holds the shard it
works on in memory: about 20 kB a frame of 128x192, and 11 kB more with a full-size map of 360x640, for about 1000
frames or one longer video.
"""

import atexit
import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import tqdm
from absl import logging

from hd2s_tf import files, processes
from hd2s_tf.data import images, layouts, preprocessing, records
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.errors import BadInputError, RunError

_SHARD_FRAMES = 1000


@dataclasses.dataclass(frozen=True)
class Options:
    """What a prepared data set depends on, apart from its source.

    Attributes:
      height, width: of frames and maps in pixels.
      jpeg_quality: of the frames, 1 to 100.
      gaze: settings of the layout `gaze`.
      name: the data set's; the input folder's if None.
      full_size_splits: those whose maps are kept at their source's size too, to be scored at that size.
    """

    height: int = 128
    width: int = 192
    jpeg_quality: int = 95
    gaze: GazeSettings | None = None
    name: str | None = None
    full_size_splits: tuple[str, ...] = (layouts.VALIDATION, layouts.TEST)

    def check(self) -> None:
        """Raises BadInputError for a value out of range."""
        if not (16 <= self.height <= 4096 and 16 <= self.width <= 4096):
            raise BadInputError(f"size {self.height}x{self.width}: height and width go from 16 to 4096")
        if not 1 <= self.jpeg_quality <= 100:
            raise BadInputError(f"jpeg_quality is {self.jpeg_quality}: it goes from 1 to 100")
        for split in self.full_size_splits:
            if split not in layouts.SPLITS:
                raise BadInputError(f"no split {split!r}: the splits are {', '.join(layouts.SPLITS)}")

    def describe(self, split: str) -> dict:
        """What the shards of a split depend on, as JSON values; `full_size_truth` only where it is kept."""
        described = {name: getattr(self, name) for name in ("height", "width", "jpeg_quality")}
        return {**described, "full_size_truth": True} if split in self.full_size_splits else described


def prepare(
    layout: str,
    input_dir: str,
    output_dir: str,
    *,
    split: str = "all",
    options: Options = Options(),
    validation: layouts.ValidationSplit = layouts.ValidationSplit(),
    workers: int = 0,
    skip_bad: bool = False,
) -> dict[str, dict]:
    """Prepares one split, or every split of a data set, into `<output_dir>/<split>`.

    Args:
      layout: a key of `layouts.LAYOUTS`.
      input_dir, output_dir: local or remote folders.
      split: one of `layouts.SPLITS`, or "all".
      options: of the shards.
      validation: which training videos become validation.
      workers: processes; 0 for one on each core, 1 to stay in this one.
      skip_bad: whether to leave out broken videos and continue.

    Returns:
      `dataset.json` of each split.

    Raises:
      BadInputError: settings or data that cannot be used.
      RunError: writing failed.
    """
    options.check()
    chosen_layout = layouts.layout_named(layout, options.gaze)
    _check_output(output_dir, input_dir)
    videos, problems = layouts.read_layout(chosen_layout, input_dir, validation)
    if split == "all":
        splits = list(dict.fromkeys(record.split for record in videos))
    else:
        splits = [split := layouts.split_named(split)]
    problems = [problem for problem in problems if split in (problem.split, "all")]
    _report(problems, skip_bad)
    information = {
        "format": records.FORMAT,
        "name": options.name or os.path.basename(os.path.normpath(input_dir)),  # noqa: PTH119
        "layout": layout,
        **chosen_layout.report(),
    }
    written = {}
    for wanted in splits:
        chosen = [record for record in videos if record.split == wanted]
        if not chosen:
            raise BadInputError(f"{input_dir}: no videos in the split {wanted}")
        folder = files.join(output_dir, wanted)
        described = {
            **information,
            "options": {**options.describe(wanted), "validation": dataclasses.asdict(validation)},
            "split": wanted,
            "left_out": [str(problem) for problem in problems if problem.split == wanted],
        }
        written[wanted] = _prepare_split(chosen, folder, described, options, workers, skip_bad)
    return written


def _check_output(output_dir: str, input_dir: str) -> None:
    for split in layouts.SPLITS:
        if files.holds(files.join(output_dir, split), input_dir):
            raise BadInputError(f"{output_dir}: the folder to write to holds the data set: {input_dir}")


def _report(problems: Sequence[object], skip_bad: bool) -> None:
    if problems and not skip_bad:
        others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise BadInputError(f"{problems[0]}{others}", "skip_bad")
    for problem in problems:
        logging.warning("left out: %s", problem)


def _prepare_split(
    videos: list[layouts.VideoRecord],
    folder: str,
    information: dict,
    options: Options,
    workers: int,
    skip_bad: bool,
) -> dict:
    files.make_folder(folder)
    # Without it, the folder is known to be unfinished while shards change.
    files.remove(files.join(folder, records.DATASET))
    shards = {f"shard-{number:05d}": group for number, group in enumerate(_groups(videos))}
    _remove_others(folder, shards)
    indexes: dict[str, dict] = {}
    with (
        _executor(min(workers or os.cpu_count(), len(shards))) as pool,
        tqdm.tqdm(total=len(videos), unit="video", desc=f"preparing {information['split']}", disable=None) as progress,
    ):
        futures = {
            pool.submit(_write_shard, files.join(folder, name), group, options, skip_bad): name
            for name, group in shards.items()
        }
        try:
            for future in concurrent.futures.as_completed(futures):
                name = futures[future]
                indexes[name] = future.result()
                progress.update(len(shards[name]))
        except concurrent.futures.BrokenExecutor as error:
            unfinished = sorted(set(shards) - set(indexes))
            raise RunError(
                f"{folder}: a process that prepared {unfinished[0]} or one after it was killed; "
                "give fewer --workers if memory ran out"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for note in (note for name in sorted(indexes) for note in indexes[name]["notes"]):
        logging.warning("%s", note)
    problems = [problem for name in sorted(indexes) for problem in indexes[name]["left_out"]]
    _report(problems, skip_bad=True)
    entries = [entry for name in sorted(indexes) for entry in indexes[name]["videos"]]
    if not entries:
        raise BadInputError(f"{folder}: no video could be prepared")
    information = {
        **information,
        "left_out": [*information["left_out"], *problems],
        "counts": {
            "videos": len(entries),
            "frames": sum(len(entry["offsets"]) - 1 for entry in entries),
            "frames_without_target": sum(len(entry["without_target"]) for entry in entries),
        },
        "videos": [entry["name"] for entry in entries],
        "shards": [indexes[name]["shard"] for name in sorted(indexes) if indexes[name]["videos"]],
    }
    files.write_bytes(files.join(folder, records.DATASET), json.dumps(information, indent=1).encode() + b"\n")
    return information


def _executor(workers: int) -> concurrent.futures.Executor:
    if workers == 1:
        return concurrent.futures.ThreadPoolExecutor(1)
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Starts a worker, which uses one core and ends with its parent even if that is killed."""
    cv2.setNumThreads(1)
    processes.end_with_parent()
    # Its results are sent by then. tensorflow-io's file systems would abort the process while it shuts down.
    atexit.register(os._exit, 0)


def _groups(videos: list[layouts.VideoRecord]) -> Iterator[list[layouts.VideoRecord]]:
    """Groups videos for one shard each, of about `_SHARD_FRAMES` frames together."""
    group: list[layouts.VideoRecord] = []
    frames = 0
    for record in videos:
        group.append(record)
        # An unlabelled video's length is not known without opening it; it gets a shard of its own.
        frames += len(record.labels.frame_names) if record.labels else _SHARD_FRAMES
        if frames >= _SHARD_FRAMES:
            yield group
            group, frames = [], 0
    if group:
        yield group


def _remove_others(folder: str, shards: dict) -> None:
    """Removes the files that an earlier preparation of other data left."""
    # An object store has no empty folders.
    for name in files.list_folder(folder) if files.is_folder(folder) else []:
        stem = name.split(".")[0]
        if stem.startswith("shard-") and (stem not in shards or name.endswith(".tmp")):
            files.remove(files.join(folder, name))


def _write_shard(stem: str, videos: list[layouts.VideoRecord], options: Options, skip_bad: bool) -> dict:
    """Writes a shard and its index unless they exist already; returns the index."""
    made_of = _fingerprint(videos, options)
    finished = _finished(stem, made_of)
    if finished:
        return finished
    data, entries, problems, notes = bytearray(), [], [], []
    for record in videos:
        start = len(data)
        try:
            entries.append({"name": record.name, **_append(data, _frames(record, options, notes)), **_observed(record)})
        except BadInputError as error:
            if not skip_bad:
                raise
            problems.append(str(error))
            del data[start:]
    shard = stem + records.SHARD_SUFFIX
    index = {
        "made_of": made_of,
        "shard": {
            "file": shard.rsplit("/", 1)[-1],
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        },
        "videos": entries,
        "left_out": problems,
        "notes": notes,
    }
    try:
        files.write_bytes(shard, bytes(data))
        files.write_bytes(stem + records.INDEX_SUFFIX, json.dumps(index).encode())
    except OSError as error:
        raise RunError(f"{shard}: cannot be written: {error.strerror or error}") from error
    return index


def _observed(record: layouts.VideoRecord) -> dict:
    """What is stored of those who looked at a video; nothing where they are not known."""
    observed = record.labels.observed if record.labels else None
    return {"observed": dataclasses.asdict(observed)} if observed else {}


def _append(data: bytearray, frames: Iterable[records.FrameRecord]) -> dict:
    """Appends a video's records to a shard; returns where they are and which have no target."""
    offsets, without_target = [len(data)], []
    for index, frame in enumerate(frames):
        data += records.frame_of(records.write_frame(frame))
        offsets.append(len(data))
        if not frame.saliency_map:
            without_target.append(index)
    return {"offsets": offsets, "without_target": without_target}


def _fingerprint(videos: list[layouts.VideoRecord], options: Options) -> str:
    """Identifies what a shard is made of, so that one of another preparation is not taken for this one's."""
    text = json.dumps([[record.fingerprint() for record in videos], options.describe(videos[0].split)])
    return hashlib.sha256(text.encode()).hexdigest()


def _finished(stem: str, made_of: str) -> dict | None:
    """The index of a complete shard with nothing left out that may be mended by now; None if there is none."""
    shard, index_path = stem + records.SHARD_SUFFIX, stem + records.INDEX_SUFFIX
    if not (files.exists(shard) and files.exists(index_path)):
        return None
    try:
        index = json.loads(files.read_bytes(index_path))
        if index["made_of"] != made_of or index["left_out"] or "notes" not in index:
            return None
        whole = hashlib.sha256(files.read_bytes(shard)).hexdigest() == index["shard"]["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    return index if whole else None


def _frames(record: layouts.VideoRecord, options: Options, notes: list[str]) -> Iterator[records.FrameRecord]:
    """Yields a video's frames as they are stored; `notes` gets what is odd about them."""
    size = options.height, options.width
    labelled = len(record.labels.frame_names) if record.labels else 0
    count = mapped = fixated = 0
    for index, frame in enumerate(record.read_whole()):
        count += 1
        jpeg = images.jpeg(preprocessing.resize(frame, size), options.jpeg_quality)
        if index >= labelled:
            yield records.FrameRecord(jpeg, b"", np.zeros((0, 2), np.float32))
            continue
        truth = record.labels.read(index, frame.shape[:2])
        saliency_map = preprocessing.resize(truth.saliency_map, size)
        # An all-black map is no ground truth.
        png = images.png(saliency_map) if saliency_map.any() else b""
        mapped, fixated = mapped + bool(png), fixated + len(truth.fixations)
        full_size_map = images.png(truth.saliency_map) if record.split in options.full_size_splits else b""
        yield records.FrameRecord(jpeg, png, truth.fixations, truth.observers, full_size_map)
    if record.labels and count != labelled:
        notes.append(f"{record.name}: {count} frames for {labelled} maps, paired by number")
    if record.labels and record.labels.promises_fixations and mapped and not fixated:
        raise BadInputError(f"{record.name}: {mapped} maps, but not one fixation in the files beside them")
