"""A `predict_fn` from weights, and the maps of a whole video from a `predict_fn`."""

import collections
import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from hd2s_tf import files
from hd2s_tf.data import preprocessing
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import postprocessing, remote, windows
from hd2s_tf.inference.background import prefetched
from hd2s_tf.inference.domains import domain_index
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE, Run, StateRun, open_run
from hd2s_tf.models import folding, weight_files
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE, SHAPING_ARGUMENTS, SMOOTHING_SIGMA
from hd2s_tf.models.shared_windows import State, windows_of

RANDOM_WEIGHTS = "random"
DEFAULT_PRESET = "hd2s_tiny"

# uint8 clips [B,T,H,W,3] and a domain's index in; saliency maps float32 [B,H,W] out, or with `conspicuity=True` a
# pair of these and the conspicuity maps float32 [B,L,H,W]. It may have a method `run`; see `hd2s_tf.inference.streams`.
PredictFn = Callable[..., np.ndarray | tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What was predicted for a frame.

    Attributes:
      index: of the frame, from 0.
      frame: uint8 [H,W,3], as it came in.
      saliency_map: uint8 [H,W].
      network_map: float32 [h,w] in 0..255, the same at the network's size and not rounded.
      conspicuity_maps: uint8 [L,H,W], shallow to deep; None unless asked for.
    """

    index: int
    frame: np.ndarray
    saliency_map: np.ndarray
    network_map: np.ndarray
    conspicuity_maps: np.ndarray | None = None


class ModelPredictFn:
    """A `predict_fn` that runs a Keras model.

    Attributes:
      model: the `HD2S`, made for inference.
      smoothing_sigma: of the filter its maps need, in pixels; 0 for a model that smooths by itself.
      preset, weights, weights_sha256: what the model is and where its weights came from.
      domain: the name of the data set it predicts for; None for a model without domains.
      precision: of its arithmetic.
    """

    def __init__(
        self, model: HD2S, weights: str = RANDOM_WEIGHTS, domain: str | None = None, precision: str = "auto"
    ) -> None:
        self.domain, self._domain_index = domain, domain_index(domain, model.domains)
        self.model = folding.for_inference(model, precision)
        self.preset = model.name
        self.clip_frames = model.clip_frames
        self.smoothing_sigma = model.smoothing_sigma
        self.weights = weights
        self.weights_sha256 = None if weights == RANDOM_WEIGHTS else weight_files.checksum(weights)
        self.precision = self.model.compute_dtype
        self._windows = windows_of(self.model)
        maps, start, advance = (
            folding.with_constant_weights(self.model, function)
            for function in (self.maps, self._start_run, self._advance_run)
        )
        self._function = tf.function(maps, reduce_retracing=True)
        self._start, self._advance = tf.function(start), tf.function(advance)

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicts; see `PredictFn`."""
        saliency_maps, conspicuity_maps = self._function(tf.constant(clips))
        return (saliency_maps.numpy(), conspicuity_maps.numpy()) if conspicuity else saliency_maps.numpy()

    def run(self, frames: np.ndarray) -> Run:
        """Opens a run; see `hd2s_tf.inference.streams.open_run`."""
        return StateRun(self._start, self._advance, frames)

    def graph(self, batch_size: int) -> tf.types.experimental.ConcreteFunction:
        """The graph that a batch of clips runs through."""
        clips = tf.TensorSpec((batch_size, self.clip_frames, *FRAME_SIZE, 3), tf.uint8)
        return tf.function(self.maps).get_concrete_function(clips)

    def run_graph(self, batch_size: int) -> tf.types.experimental.ConcreteFunction:
        """The graph that a batch of a run's frames runs through."""
        context, frames = (
            tf.TensorSpec((count, *FRAME_SIZE, 3), tf.uint8) for count in (self.clip_frames - 1, batch_size)
        )
        state = self._start.get_concrete_function(context).structured_outputs
        return tf.function(self._advance_run).get_concrete_function(state, frames)

    def maps(self, clips: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Saliency maps [B,H,W] and conspicuity maps [B,L,H,W] of clips uint8 [B,T,H,W,3], within a graph."""
        inputs = {"clip": preprocessing.scale(clips)}
        if self.model.domains:
            inputs["domain"] = self._domains(clips)
        outputs = self.model(inputs, training=False)
        return outputs["saliency_map"], outputs["conspicuity_maps"]

    def _start_run(self, frames: tf.Tensor) -> State:
        return self._windows.start(preprocessing.scale(frames))

    def _advance_run(self, state: State, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, State]:
        outputs, state = self._windows.advance(state, preprocessing.scale(frames), self._domains(frames))
        return outputs["saliency_map"], outputs["conspicuity_maps"], state

    def _domains(self, examples: tf.Tensor) -> tf.Tensor:
        return tf.fill([tf.shape(examples)[0]], self._domain_index)


def load_predict_fn(
    target: str | os.PathLike, preset: str | None = None, domain: str | None = None, precision: str = "auto"
) -> PredictFn:
    """Creates a `predict_fn`.

    Args:
      target: "auto" for the weights in the box, "random", a `.weights.h5` file, the folder of an exported SavedModel's
        version, or a served model as "grpc://host:port/name".
      preset: its preset; None for what the file says, or `hd2s_tiny`. Of weights only, as is `precision`.
      domain: the data set that a domain-specific model shall predict for.
      precision: "float32", "bfloat16" or "auto".

    Raises:
      BadInputError: anything that does not exist or does not fit.
    """
    target = os.fspath(target)
    if target.startswith(remote.SCHEME):
        return remote.RemotePredictFn(target, domain)
    if files.is_folder(target):
        return SavedModelPredictFn(target, domain)
    model, path = open_model(target, preset)
    return ModelPredictFn(model, path or RANDOM_WEIGHTS, domain, precision)


def open_model(target: str, preset: str | None = None) -> tuple[HD2S, str | None]:
    """The model of "auto", "random" or a weight file, and the file; None for random weights.

    Raises:
      BadInputError: no such file or preset, or weights that do not fit.
    """
    if target == RANDOM_WEIGHTS:
        return HD2S.from_preset(preset or DEFAULT_PRESET, weights=None), None
    if target == "auto":
        target = weight_files.bundled(preset or DEFAULT_PRESET)
    return load_model(target, preset), target


class SavedModelPredictFn:
    """A `predict_fn` that runs an exported SavedModel; attributes as `ModelPredictFn`'s."""

    def __init__(self, folder: str, domain: str | None = None) -> None:
        path = files.join(folder, "model_info.json")
        if not files.exists(path):
            raise BadInputError(f"{folder}: not a version of a SavedModel of this project: no model_info.json")
        try:
            information = json.loads(files.read_bytes(path))
            self._loaded = tf.saved_model.load(folder)
        except (ValueError, OSError, tf.errors.OpError) as error:
            raise BadInputError(f"{folder}: damaged: {error}") from error
        self.preset, self.weights = information["preset"], folder
        self.weights_sha256, self.precision = information["weights_sha256"], information["precision"]
        self.clip_frames, self.smoothing_sigma = information["clip_frames"], information["smoothing_sigma"]
        self._domains = tuple(information["domains"])
        self.domain, self._domain_index = domain, domain_index(domain, self._domains)

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicts; see `PredictFn`."""
        inputs = {"clip": tf.constant(clips)}
        if self._domains:
            inputs["domain"] = tf.fill([len(clips)], self._domain_index)
        name = "predict_conspicuity" if conspicuity else "serving_default"
        outputs = self._loaded.signatures[name](**inputs)
        saliency_maps = outputs["saliency_map"].numpy()
        return (saliency_maps, outputs["conspicuity_maps"].numpy()) if conspicuity else saliency_maps


def load_model(path: str, preset: str | None = None) -> HD2S:
    """Creates the model that a weight file is of.

    Args:
      path: of the `.weights.h5` file.
      preset: its preset; None for the model that the file describes.

    Raises:
      BadInputError: no such file or preset, or weights that do not fit.
    """
    settings = weight_files.settings(path)
    if preset is not None:
        return HD2S.from_preset(preset, path, domains=settings.get("domains"))
    arguments = {name: settings[name] for name in SHAPING_ARGUMENTS if name in settings}
    return HD2S.from_preset(settings.get("preset", DEFAULT_PRESET), path, **arguments)


def predict_video(
    predict_fn: PredictFn,
    frames: Iterable[np.ndarray],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    frame_size: tuple[int, int] = FRAME_SIZE,
    smoothing_sigma: float | None = None,
    stride: int = 1,
    conspicuity: bool = False,
    check_finite: bool = True,
) -> Iterator[Prediction]:
    """Predicts a video frame by frame, with memory that does not grow with its length.

    Args:
      predict_fn: see `PredictFn`.
      frames: uint8 RGB [H,W,3], all of one size.
      batch_size: windows given to `predict_fn` at a time.
      frame_size: (height, width) of its clips.
      smoothing_sigma: of the Gaussian filter, in pixels of its maps; None for what `predict_fn` says it needs, or 5.
      stride: every `stride`-th frame is predicted, and the last; maps between them are interpolated.
      conspicuity: whether to return the conspicuity maps too.
      check_finite: whether to stop at a map that is not finite; else it is passed on.

    Yields:
      A `Prediction` for each frame, in order.

    Raises:
      BadInputError: a setting that makes no sense.
      RunError: the network's answer is not finite.
    """
    if batch_size < 1 or stride < 1:
        raise BadInputError(f"batch_size is {batch_size} and stride {stride}: both must be at least 1")
    if smoothing_sigma is None:
        smoothing_sigma = getattr(predict_fn, "smoothing_sigma", SMOOTHING_SIGMA)
    clip_frames = getattr(predict_fn, "clip_frames", CLIP_FRAMES)
    originals: collections.deque[np.ndarray] = collections.deque()

    def resized() -> Iterator[np.ndarray]:
        pairs = ((frame, preprocessing.resize(frame, frame_size)) for frame in frames)
        for frame, small in prefetched(pairs, batch_size):
            originals.append(frame)
            yield small

    predicted = _Predicted(predict_fn, conspicuity, smoothing_sigma, check_finite)
    stream = (
        predicted.of_runs(windows.runs(resized(), clip_frames, batch_size))
        if stride == 1
        else predicted.of_windows(windows.windows(resized(), clip_frames, stride), batch_size)
    )
    previous: tuple[int, np.ndarray] | None = None
    for number, maps in stream:
        first = number if previous is None else previous[0] + 1
        for index in range(first, number + 1):
            yield _prediction(index, originals.popleft(), _between(previous, (number, maps), index))
        previous = (number, maps)


@dataclasses.dataclass(frozen=True)
class _Predicted:
    """Yields frames' numbers, in order, each with its finished maps, float32 [1+L,h,w]; see `predict_video`."""

    predict_fn: PredictFn
    conspicuity: bool
    smoothing_sigma: float
    check_finite: bool

    def of_runs(self, video_runs: Iterator[windows.Run]) -> Iterator[tuple[int, np.ndarray]]:
        for run in video_runs:
            predict = open_run(self.predict_fn, run.context)
            found = (pair for numbers, frames in run.batches for pair in self._finished(predict, numbers, frames))
            yield from reversed(list(found)) if run.backwards else found

    def of_windows(self, stream: Iterator[windows.Window], batch_size: int) -> Iterator[tuple[int, np.ndarray]]:
        while batch := list(itertools.islice(stream, batch_size)):
            clips = np.stack([window.clip for window in batch])
            yield from self._finished(self.predict_fn, [window.frame for window in batch], clips)

    def _finished(self, predict: Callable, numbers: list[int], inputs: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        if self.conspicuity:
            saliency_maps, conspicuity_maps = predict(inputs, conspicuity=True)
            maps = np.concatenate([saliency_maps[:, np.newaxis], conspicuity_maps], 1)
        else:
            maps = predict(inputs)[:, np.newaxis]
        if self.check_finite and not np.isfinite(maps).all():
            raise RunError(f"frames {min(numbers)} to {max(numbers)}: the network's maps are not finite")
        return zip(numbers, postprocessing.finish(maps.astype(np.float32), self.smoothing_sigma).numpy(), strict=True)


def _between(previous: tuple[int, np.ndarray] | None, following: tuple[int, np.ndarray], index: int) -> np.ndarray:
    """Maps of a frame between two predicted ones, interpolated in time."""
    if previous is None or index == following[0]:
        return following[1]
    share = (index - previous[0]) / (following[0] - previous[0])
    return ((1 - share) * previous[1] + share * following[1]).astype(np.float32)


def _prediction(index: int, frame: np.ndarray, maps: np.ndarray) -> Prediction:
    pixels = [postprocessing.to_pixels(single, frame.shape[:2]) for single in maps]
    return Prediction(index, frame, pixels[0], maps[0], np.stack(pixels[1:]) if len(pixels) > 1 else None)
