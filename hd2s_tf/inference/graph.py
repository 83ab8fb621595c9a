"""From pixels to maps inside a TensorFlow graph: the one place, for prediction in this process and for exports."""

import tensorflow as tf

from hd2s_tf.data import preprocessing
from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.shared_windows import State, windows_of


class MapGraph(tf.Module):
    """What a model computes from pixels, as `tf.function`s.

    The weights of a small model are constants of the graphs; see `folding.with_constant_weights`.

    Args:
      model: made for inference; its weights will not change any more.

    Attributes:
      maps: from clips uint8 [B,T,H,W,3] and domains int32 [B] to saliency maps float32 [B,H,W] and conspicuity maps
        float32 [B,L,H,W]. Domains are indices into `model.domains`; other models pass over them.
      start: from the T-1 frames before the last one of a stream's first window, uint8 [T-1,H,W,3], to the stream's
        state.
      advance: from a state, the next frames uint8 [N,H,W,3] and domains int32 [N] to the maps of the windows that end
        with these frames, as `maps` gives them, and the state after them.
    """

    def __init__(self, model: HD2S) -> None:
        super().__init__()
        self.model = model
        self._windows = windows_of(model)
        maps, start, advance = (
            folding.with_constant_weights(model, function) for function in (self._maps, self._start, self._advance)
        )
        self.maps, self.start, self.advance = tf.function(maps), tf.function(start), tf.function(advance)

    def _maps(self, clips: tf.Tensor, domains: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _maps_of(self.model({"clip": preprocessing.scale(clips), "domain": domains}, training=False))

    def _start(self, frames: tf.Tensor) -> State:
        return self._windows.start(preprocessing.scale(frames))

    def _advance(self, state: State, frames: tf.Tensor, domains: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, State]:
        outputs, state = self._windows.advance(state, preprocessing.scale(frames), domains)
        return *_maps_of(outputs), state


def _maps_of(outputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    return tuple(tf.cast(outputs[name], tf.float32) for name in ("saliency_map", "conspicuity_maps"))
