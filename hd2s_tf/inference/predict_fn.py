"""`PredictFn`, what predicts the maps of clips wherever its network runs, and its kinds that run in this process.

`hd2s_tf.inference.remote` has the kind that asks a server, `hd2s_tf.inference.loading` creates any of them by a name.
"""

import abc
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.inference import compatibility
from hd2s_tf.inference.domains import domain_index
from hd2s_tf.inference.graph import MapGraph
from hd2s_tf.inference.streams import Maps, StateStream, Stream, WholeWindowStream
from hd2s_tf.models import folding, weight_files
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving import signatures
from hd2s_tf.serving.signatures import ModelInfo


class PredictFn(abc.ABC):
    """Predicts the maps of clips.

    Attributes:
      info: what the model is.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.info = info

    @abc.abstractmethod
    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> Maps:
        """Predicts clips uint8 [B,T,H,W,3], RGB, each for its last frame.

        Args:
          clips: T is `info.clip_frames`.
          conspicuity: whether the conspicuity maps are wanted too.

        Raises:
          RunError: a server does not answer, or with what makes no sense.
        """

    def open_stream(self, context: np.ndarray) -> Stream:
        """Opens a stream of windows with the T-1 frames before the last one of its first, uint8 [T-1,H,W,3]."""
        return WholeWindowStream(self, context)


class FunctionPredictFn(PredictFn):
    """A plain function as a `PredictFn`.

    Args:
      function: from clips uint8 [B,T,H,W,3] to saliency maps [B,H,W], or to `Maps`.
      info: what the model is.
    """

    def __init__(self, function: Callable[[np.ndarray], np.ndarray | Maps], info: ModelInfo) -> None:
        super().__init__(info)
        self._function = function

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> Maps:
        """See `PredictFn`; a function that returns arrays has no conspicuity maps."""
        answer = self._function(clips)
        maps = answer if isinstance(answer, Maps) else Maps(answer)
        return maps if conspicuity else Maps(maps.saliency)


class ModelPredictFn(PredictFn):
    """Runs a Keras model.

    Args:
      model: trained; it is left as it is.
      weights: the file that its weights came from, or "random".
      domain: the data set that a domain-specific model predicts for.
      precision: "float32", "bfloat16" or "auto".
      compat: "published" to predict as the published code does, see `hd2s_tf.inference.compatibility`.

    Attributes:
      model: the `HD2S`, made for inference.
      graph: what it computes.

    Raises:
      BadInputError: a domain that does not fit.
    """

    def __init__(
        self,
        model: HD2S,
        weights: str = weight_files.RANDOM,
        domain: str | None = None,
        precision: str = "auto",
        compat: str | None = None,
    ) -> None:
        self._domain_index = domain_index(domain, model.domains)
        self.model = folding.for_inference(model, precision)
        info = ModelInfo(
            preset=model.name,
            weights=weights,
            weights_sha256=None if weights == weight_files.RANDOM else weight_files.checksum(weights),
            domains=model.domains,
            domain=domain,
            precision=self.model.compute_dtype,
            clip_frames=model.clip_frames,
            smoothing_sigma=model.smoothing_sigma,
        )
        super().__init__(compatibility.adapt_info(info, compat))
        compatibility.adapt_model(self.model, compat)
        self.graph = MapGraph(self.model)

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> Maps:
        """See `PredictFn`."""
        # One graph for batches of every size, but one for each size of frames: tracing takes seconds.
        clip_spec, domain_spec = tf.TensorSpec((None, *clips.shape[1:]), tf.uint8), tf.TensorSpec((None,), tf.int32)
        maps = self.graph.maps.get_concrete_function(clip_spec, domain_spec)
        saliency_maps, conspicuity_maps = maps(tf.constant(clips), tf.fill([len(clips)], self._domain_index))
        return Maps(saliency_maps.numpy(), conspicuity_maps.numpy() if conspicuity else None)

    def open_stream(self, context: np.ndarray) -> Stream:
        """See `PredictFn`; the stream computes once what its windows share."""
        return StateStream(self.graph, self._domain_index, context)


class SavedModelPredictFn(PredictFn):
    """Runs an exported SavedModel.

    Args:
      folder: of one version, local or remote.
      domain: the data set that a domain-specific model predicts for.

    Raises:
      BadInputError: not such a folder, or a damaged one; a domain that does not fit.
    """

    def __init__(self, folder: str, domain: str | None = None) -> None:
        path = files.join(folder, signatures.MODEL_INFO)
        if not files.exists(path):
            raise BadInputError(f"{folder}: not a version of a SavedModel of this project: no {signatures.MODEL_INFO}")
        try:
            super().__init__(ModelInfo.from_json(files.read_bytes(path), folder, domain))
            self._loaded = tf.saved_model.load(folder)
        except (ValueError, OSError, tf.errors.OpError) as error:
            raise BadInputError(f"{folder}: damaged: {error}") from error
        self._domain_index = domain_index(domain, self.info.domains)

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> Maps:
        """See `PredictFn`."""
        inputs = {signatures.CLIP: tf.constant(clips)}
        if self.info.domains:
            inputs[signatures.DOMAIN] = tf.fill([len(clips)], self._domain_index)
        name = signatures.PREDICT_CONSPICUITY if conspicuity else signatures.PREDICT_CLIPS
        outputs = {name: values.numpy() for name, values in self._loaded.signatures[name](**inputs).items()}
        return Maps(outputs[signatures.SALIENCY_MAP], outputs.get(signatures.CONSPICUITY_MAPS))
