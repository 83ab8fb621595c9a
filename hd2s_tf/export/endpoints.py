"""The functions behind the signatures of an exported model.

A server runs them on whatever a request holds: TensorFlow Serving checks names and types, but no shapes. Each function
therefore checks its inputs itself, and a request that does not fit gets INVALID_ARGUMENT in place of other maps.
"""

import json
from collections.abc import Callable

import tensorflow as tf

from hd2s_tf.data import preprocessing
from hd2s_tf.export import pictures
from hd2s_tf.export.pictures import Limits, require
from hd2s_tf.export.streamed_windows import StreamedWindows
from hd2s_tf.inference import postprocessing
from hd2s_tf.inference.graph import MapGraph
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import FRAME_SIZE
from hd2s_tf.serving import signatures

# Pictures decoded at a time, which bounds the memory of a request.
_DECODED_AT_A_TIME = 2
_MOST_DESCRIPTIONS = 1024


class Endpoints:
    """The signatures' functions, and what their inputs must be.

    Args:
      model: made for inference.
      description: what `describe` answers.
      limits: of a request.

    Attributes:
      specifications: of each signature the inputs of its function, in order.
    """

    def __init__(self, model: HD2S, description: dict, limits: Limits) -> None:
        self._model, self._answer, self._limits = model, json.dumps(description), limits
        self._graph = MapGraph(model)
        self._streamed = StreamedWindows(self._graph, FRAME_SIZE)
        clip = tf.TensorSpec((None, model.clip_frames, *FRAME_SIZE, 3), tf.uint8, signatures.CLIP)
        frames = tf.TensorSpec((1, None), tf.string, signatures.FRAMES)
        skip = tf.TensorSpec((1,), tf.int32, signatures.SKIP)

        def domain(count: int | None) -> list[tf.TensorSpec]:
            return [tf.TensorSpec((count,), tf.int32, signatures.DOMAIN)] if model.domains else []

        self.specifications = {
            signatures.PREDICT_CLIPS: [clip, *domain(None)],
            signatures.PREDICT_CONSPICUITY: [clip, *domain(None)],
            signatures.PREDICT_FRAMES: [frames, skip, *domain(1)],
            signatures.DESCRIBE: [tf.TensorSpec((None,), tf.int32, signatures.REQUEST)],
        }
        self._functions = {
            signatures.PREDICT_CLIPS: self._clips,
            signatures.PREDICT_CONSPICUITY: self._conspicuity,
            signatures.PREDICT_FRAMES: self._video,
            signatures.DESCRIBE: self._describe,
        }

    def function(self, signature: str) -> tuple[Callable[..., dict[str, tf.Tensor]], list[tf.TensorSpec]]:
        """A signature's function, which checks its inputs, and its inputs as they are declared: of any shape.

        A declared shape would only let TensorFlow leave the check out.
        """
        wanted = self.specifications[signature]

        def checked(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            fitting = [tf.ensure_shape(values, wish.shape) for values, wish in zip(inputs, wanted, strict=True)]
            return self._functions[signature](*fitting)

        return checked, [tf.TensorSpec([None] * wish.shape.rank, wish.dtype, wish.name) for wish in wanted]

    def _conspicuity(self, clip: tf.Tensor, domain: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        count = tf.shape(clip)[0]
        domains = tf.zeros([count], tf.int32) if domain is None else self._known(domain, count)
        saliency_maps, conspicuity_maps = self._graph.maps(clip, domains)
        return {signatures.SALIENCY_MAP: saliency_maps, signatures.CONSPICUITY_MAPS: conspicuity_maps}

    def _clips(self, clip: tf.Tensor, domain: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return {signatures.SALIENCY_MAP: self._conspicuity(clip, domain)[signatures.SALIENCY_MAP]}

    def _video(self, frames: tf.Tensor, skip: tf.Tensor, domain: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        count = tf.size(frames)
        fits = tf.logical_and(count >= 1, count <= self._limits.frames)
        with tf.control_dependencies([require(fits, f"a request has 1 to {self._limits.frames} frames, not", count)]):
            images = tf.map_fn(
                self._decoded,
                frames[0],
                parallel_iterations=_DECODED_AT_A_TIME,
                fn_output_signature=tf.TensorSpec((*FRAME_SIZE, 3), tf.uint8),
            )
        domain = tf.constant(0) if domain is None else self._known(domain, 1)[0]
        maps = postprocessing.finish(self._streamed.maps(images, skip[0], domain), self._model.smoothing_sigma)
        pixels = tf.cast(tf.round(tf.clip_by_value(maps, 0.0, postprocessing.PEAK)), tf.uint8)[..., tf.newaxis]
        pngs = tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.TensorSpec((), tf.string))
        return {signatures.SALIENCY_MAP: maps[tf.newaxis], signatures.SALIENCY_PNG: pngs[tf.newaxis]}

    def _decoded(self, encoded: tf.Tensor) -> tf.Tensor:
        """A frame of the network's size, uint8 [H,W,3]."""
        return preprocessing.resize_in_graph(pictures.decode(encoded, self._limits), FRAME_SIZE)

    def _describe(self, request: tf.Tensor) -> dict[str, tf.Tensor]:
        fits = tf.size(request) <= _MOST_DESCRIPTIONS
        with tf.control_dependencies([require(fits, f"a request asks for at most {_MOST_DESCRIPTIONS} descriptions")]):
            return {signatures.DESCRIPTION: tf.fill(tf.shape(request), self._answer)}

    def _known(self, domain: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
        """Domains, one for each of `count` clips; a GPU would take zeros for parameters that do not exist."""
        known = len(self._model.domains)
        checks = [
            require(tf.size(domain) == count, "there must be one domain for each clip, not", tf.size(domain)),
            require(
                tf.reduce_all(tf.logical_and(domain >= 0, domain < known)),
                f"domains are 0 to {known - 1}, not",
                domain,
            ),
        ]
        with tf.control_dependencies(checks):
            return tf.identity(domain)
