"""From an input to a folder of maps, an overlay video and a summary: the job of `tools/predict.py`."""

import contextlib
import dataclasses
import itertools
import json
import os
import time
import zlib
from collections.abc import Iterator

import numpy as np
import tqdm
from absl import logging

from hd2s_tf import files
from hd2s_tf.data import frame_source, images
from hd2s_tf.errors import BadInputError
from hd2s_tf.inference import postprocessing, remote, rendering
from hd2s_tf.inference.background import Background
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.inference.overlay import Overlay
from hd2s_tf.inference.predict_fn import PredictFn
from hd2s_tf.inference.predictor import Prediction, predict_video
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
from hd2s_tf.models import weight_files
from hd2s_tf.models.hd2s import HD2S

MAPS, CONSPICUITY, OVERLAY, SUMMARY = "maps", "conspicuity", "overlay.mp4", "summary.json"
# What an interrupted run of a served model was about; removed at its end.
_RUN = "run.json"
_PENDING_MAPS, _PENDING_FRAMES = 64, 16


@dataclasses.dataclass(frozen=True)
class Options:
    """What is predicted of a video, and what of it is written.

    Attributes:
      batch_size, smoothing_sigma, stride: see `predict_video`.
      compat: see `load_predict_fn`.
      maps: whether to write the saliency maps.
      conspicuity: whether to predict and write the conspicuity maps.
      overlay: whether to write the video with a heat map over it.

    Raises:
      BadInputError: a filter that makes no sense.
    """

    batch_size: int = DEFAULT_BATCH_SIZE
    smoothing_sigma: float | None = None
    stride: int = 1
    compat: str | None = None
    maps: bool = True
    conspicuity: bool = False
    overlay: bool = True

    def __post_init__(self) -> None:
        if self.smoothing_sigma is not None and not 0 <= self.smoothing_sigma < 1000:
            raise BadInputError(f"--smoothing_sigma is {self.smoothing_sigma}: it must be from 0 to 1000 pixels")


def predict_to_folder(
    input_path: str,
    output_dir: str,
    options: Options = Options(),
    *,
    weights: str = "auto",
    preset: str | None = None,
    domain: str | None = None,
    precision: str = "auto",
    overwrite: bool = False,
) -> dict:
    """Predicts a video, a folder of frames or an image and writes the results; see `tools/predict.py` for them.

    Returns:
      The summary that was written: frames, seconds, frames_per_second, preset, weights, weights_sha256 and more.

    Raises:
      BadInputError: input, output or settings that cannot be used.
    """
    if domain == "help":
        return _print_domains(weights, preset)
    source = frame_source.open_frames(input_path)
    _check_output(output_dir, overwrite)
    predict_fn = load_predict_fn(weights, preset, domain, precision, compat=options.compat)
    if weights == weight_files.RANDOM:
        logging.warning("random weights: the maps show how the program runs, not where people look")
    return predict_source(predict_fn, source, output_dir, options)


def predict_source(
    predict_fn: PredictFn,
    source: frame_source.FrameSource,
    output_dir: str,
    options: Options = Options(),
) -> dict:
    """The same with a network and frames that are open already; what is in the folder is replaced."""
    _prepare_output(output_dir, {MAPS: options.maps, CONSPICUITY: options.conspicuity})
    reading = source.read()
    predictions = predict_video(
        predict_fn,
        reading,
        batch_size=options.batch_size,
        smoothing_sigma=options.smoothing_sigma,
        stride=options.stride,
        conspicuity=options.conspicuity,
    )
    about = {**predict_fn.info.to_summary(), "stride": options.stride}
    if options.smoothing_sigma is not None:
        about["smoothing_sigma"] = options.smoothing_sigma
    return _write(predictions, reading, output_dir, about, maps=options.maps, overlay=options.overlay)


def predict_remotely(
    input_path: str,
    output_dir: str,
    model: remote.ServedModel,
    *,
    domain: str | None = None,
    in_flight: int = 2,
    overlay: bool = True,
    overwrite: bool = False,
    resume: bool = False,
) -> dict:
    """The same by a served model; see `serving/client.py`.

    Returns:
      The summary that was written.

    Raises:
      BadInputError: input, output, server or settings that cannot be used, or a run of something else to resume.
      RunError: the server gives no answer.
    """
    source = frame_source.open_frames(input_path)
    _check_output(output_dir, overwrite or resume)
    about = dataclasses.replace(model.info, domain=domain).to_summary()
    model.domain_input(domain)
    run = {"input": input_path, "first_frame": zlib.crc32(next(iter(source))), "frames": source.frame_count}
    run |= {"height": source.size[0], "width": source.size[1], "domain": domain, "model": model.name}
    run |= {name: getattr(model.info, name) for name in ("version", "preset", "weights_sha256", "precision")}
    done = _finished_maps(output_dir, run) if resume else 0
    if not done:
        _prepare_output(output_dir, {MAPS: True})
        files.write_bytes(files.join(output_dir, _RUN), json.dumps(run, indent=2).encode() + b"\n")

    reading = source.read()

    def predictions() -> Iterator[Prediction]:
        answers = remote.predict_frames(model, reading, domain=domain, in_flight=in_flight, first=done)
        for index, (frame, network_map) in enumerate(answers):
            if network_map is None:
                pixels = images.read_map(files.join(output_dir, MAPS, _png_name(index)))
                yield Prediction(index, frame, pixels, pixels)
            else:
                yield Prediction(index, frame, postprocessing.to_pixels(network_map, frame.shape[:2]), network_map)

    # The list grows while the predictions are written: more than one version says that the server has changed.
    about["model_versions"] = model.versions
    summary = _write(predictions(), reading, output_dir, about, overlay=overlay, first=done)
    files.remove(files.join(output_dir, _RUN))
    return summary


def _write(
    predictions: Iterator[Prediction],
    reading: frame_source.Reading,
    output_dir: str,
    about: dict,
    *,
    maps: bool = True,
    overlay: bool = True,
    first: int = 0,
) -> dict:
    """Writes predictions as they come, maps from the frame `first` on, and the summary at the end."""
    started = time.perf_counter()
    count, source = 0, reading.source
    with (
        Background(os.cpu_count(), _PENDING_MAPS) as png,
        Overlay(files.join(output_dir, OVERLAY), source) if overlay else contextlib.nullcontext() as video,
        # The frames of a video are drawn and encoded one after the other.
        Background(1, _PENDING_FRAMES) as drawing,
    ):
        for prediction in tqdm.tqdm(predictions, total=source.frame_count or None, unit="frame", desc="predicting"):
            count += 1
            name = _png_name(prediction.index)
            if maps and prediction.index >= first:
                png.do(_write_png, files.join(output_dir, MAPS, name), prediction.saliency_map)
            if prediction.conspicuity_maps is not None:
                png.do(_write_png, files.join(output_dir, CONSPICUITY, name), _strip(prediction))
            if video is not None:
                drawing.do(video.draw, prediction, reading.times[prediction.index])
    seconds = time.perf_counter() - started
    summary = {
        "input": source.path,
        "frames": count,
        "duration": round(sum(reading.times[-1]), 3),
        "codec": source.codec,
        "rotation": source.rotation,
        "seconds": round(seconds, 3),
        "frames_per_second": round(count / seconds, 3),
        "height": source.size[0],
        "width": source.size[1],
        **about,
        "damage": reading.damage,
        "overlay_codec": video.codec if video is not None else None,
    }
    files.write_bytes(files.join(output_dir, SUMMARY), json.dumps(summary, indent=2).encode() + b"\n")
    print(f"{count} frames in {seconds:.1f} s: {files.join(output_dir, OVERLAY if overlay else SUMMARY)}")
    return summary


def _write_png(path: str, image: np.ndarray) -> None:
    files.write_bytes(path, images.png(image))


def _png_name(index: int) -> str:
    return f"{index + 1:04d}.png"


def _finished_maps(output_dir: str, run: dict) -> int:
    """How many maps an interrupted run has left without a gap; each is written whole or not at all."""
    record = files.join(output_dir, _RUN)
    if not files.exists(record):
        _check_output(output_dir, overwrite=False)
        return 0
    try:
        earlier = json.loads(files.read_bytes(record))
    except ValueError as error:
        raise BadInputError(f"{record}: not the record of a run: {error}") from error
    differences = [name for name in run if earlier.get(name) != run[name]]
    if differences:
        listed = ", ".join(f"{name} {earlier.get(name)} instead of {run[name]}" for name in differences)
        raise BadInputError(f"{output_dir}: an interrupted run of something else: {listed}")
    folder = files.join(output_dir, MAPS)
    present = set(files.list_folder(folder))
    for name in present:
        if name.endswith(".tmp"):
            files.remove(files.join(folder, name))
    return next(index for index in itertools.count() if _png_name(index) not in present)


def _strip(prediction: Prediction) -> np.ndarray:
    return rendering.conspicuity_strip(prediction.saliency_map, prediction.conspicuity_maps)


def _print_domains(weights: str, preset: str | None) -> dict:
    path = weight_files.find(weights, preset)
    domains = HD2S.from_weights(weights, preset).domains if path is None else weight_files.settings(path)["domains"]
    print("\n".join(domains) if domains else "this model is not domain-specific")
    return {"domains": list(domains)}


def _check_output(output_dir: str, overwrite: bool) -> None:
    if not files.exists(output_dir):
        return
    if not files.is_folder(output_dir):
        raise BadInputError(f"{output_dir}: not a folder")
    present = [name for name in (MAPS, CONSPICUITY, OVERLAY, SUMMARY) if files.exists(files.join(output_dir, name))]
    if present and not overwrite:
        raise BadInputError(
            f"{output_dir}: holds an earlier output ({', '.join(present)}): give --overwrite to replace it"
        )


def _prepare_output(output_dir: str, folders: dict[str, bool]) -> None:
    """Makes the folders; what an earlier run left is removed first, so that no map of it survives."""
    files.make_folder(output_dir)
    if not files.is_remote(output_dir) and not os.access(output_dir, os.W_OK):
        raise BadInputError(f"{output_dir}: no right to write there")
    for name in (*folders, OVERLAY, SUMMARY, _RUN):
        files.remove(files.join(output_dir, name))
    for name, wanted in folders.items():
        if wanted:
            files.make_folder(files.join(output_dir, name))
