"""Predicts an input into a folder of maps, an overlay video and a summary, with a network here or a served one."""

import dataclasses
import zlib
from collections.abc import Iterator

from absl import logging

from hd2s_tf.data import frame_source, images
from hd2s_tf.inference import postprocessing, remote
from hd2s_tf.inference.domains import domain_index
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.inference.output import OutputFolder, Parts
from hd2s_tf.inference.predict_fn import PredictFn
from hd2s_tf.inference.predictor import Prediction, predict_video
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
from hd2s_tf.models import weight_files
from hd2s_tf.serving.client import ServedModel


@dataclasses.dataclass(frozen=True)
class Options:
    """How a video is predicted; see `predict_video`.

    Raises:
      BadInputError: a filter that makes no sense.
    """

    batch_size: int = DEFAULT_BATCH_SIZE
    smoothing_sigma: float | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        postprocessing.check_sigma(self.smoothing_sigma)


@dataclasses.dataclass(frozen=True)
class Network:
    """Which network predicts; see `load_predict_fn`."""

    weights: str = weight_files.AUTO
    preset: str | None = None
    domain: str | None = None
    precision: str = "auto"
    compat: str | None = None


def predict_to_folder(
    input_path: str,
    output_dir: str,
    network: Network = Network(),
    options: Options = Options(),
    parts: Parts = Parts(),
    *,
    overwrite: bool = False,
) -> dict:
    """Predicts a video, a folder of frames or an image and writes the results; see `tools/predict.py` for them.

    Args:
      input_path, output_dir: local or remote.
      network: which network predicts.
      options: how.
      parts: what is written.
      overwrite: whether an earlier output may be replaced.

    Returns:
      The summary that was written: frames, seconds, frames_per_second, preset, weights, weights_sha256 and more.

    Raises:
      BadInputError: input, output or settings that cannot be used.
    """
    source = frame_source.open_frames(input_path)
    output = OutputFolder(output_dir, overwrite)
    output.check_source(input_path)
    predict_fn = load_predict_fn(
        network.weights, network.preset, network.domain, network.precision, compat=network.compat
    )
    if network.weights == weight_files.RANDOM:
        logging.warning("random weights: the maps show how the program runs, not where people look")
    return predict_source(predict_fn, source, output, options, parts)


def predict_source(
    predict_fn: PredictFn,
    source: frame_source.FrameSource,
    output: OutputFolder,
    options: Options = Options(),
    parts: Parts = Parts(),
) -> dict:
    """Predicts frames that are open already with any `PredictFn`; else as `predict_to_folder`."""
    reading = source.read()
    predictions = predict_video(
        predict_fn,
        reading,
        batch_size=options.batch_size,
        smoothing_sigma=options.smoothing_sigma,
        stride=options.stride,
        conspicuity=parts.conspicuity,
    )
    about = {**predict_fn.info.to_summary(), "stride": options.stride}
    if options.smoothing_sigma is not None:
        about["smoothing_sigma"] = options.smoothing_sigma
    return output.write(predictions, reading, about, parts)


def predict_remotely(
    input_path: str,
    output_dir: str,
    model: ServedModel,
    *,
    domain: str | None = None,
    in_flight: int = 2,
    overlay: bool = True,
    overwrite: bool = False,
    resume: bool = False,
) -> dict:
    """Predicts with a served model's `predict_frames`; an interrupted run can be resumed.

    Args:
      input_path, output_dir: local or remote.
      model: that is asked.
      domain: the data set that a domain-specific model predicts for.
      in_flight: requests that wait for an answer at a time.
      overlay: whether to write the video with a heat map over it.
      overwrite: whether an earlier output may be replaced.
      resume: whether to keep the maps of an interrupted run of the same input and model.

    Returns:
      The summary that was written.

    Raises:
      BadInputError: input, output, server or settings that cannot be used, or a run of something else to resume.
      RunError: the server gives no answer.
    """
    source = frame_source.open_frames(input_path)
    output = OutputFolder(output_dir, overwrite or resume)
    output.check_source(input_path)
    info = dataclasses.replace(model.info, domain=domain)
    domain_index(domain, info.domains)
    run = {"input": input_path, "first_frame": zlib.crc32(next(iter(source))), "frames": source.frame_count}
    run |= {"height": source.size[0], "width": source.size[1], "domain": domain, "model": model.name}
    run |= {name: getattr(info, name) for name in ("version", "preset", "weights_sha256", "precision")}
    done = output.finished_maps(run) if resume else 0
    reading = source.read()

    def predictions() -> Iterator[Prediction]:
        answers = remote.predict_frames(model, reading, domain=domain, in_flight=in_flight, first=done)
        for index, (frame, network_map) in enumerate(answers):
            if network_map is None:
                pixels = images.read_map(output.map_path(index))
                yield Prediction(index, frame, pixels, pixels)
            else:
                yield Prediction(index, frame, postprocessing.to_pixels(network_map, frame.shape[:2]), network_map)

    # The list grows while the predictions are written: more than one version says that the server has changed.
    about = {**info.to_summary(), "model_versions": model.versions}
    return output.write(predictions(), reading, about, Parts(overlay=overlay), run=run, done=done)
