"""HD2S predicts where people look in a video, in TensorFlow and Keras."""

import importlib

_PUBLIC = {
    "HD2S": ("hd2s_tf.models.hd2s", "HD2S"),
    "FunctionPredictFn": ("hd2s_tf.inference.predict_fn", "FunctionPredictFn"),
    "ModelInfo": ("hd2s_tf.serving.signatures", "ModelInfo"),
    "SaliencyStream": ("hd2s_tf.inference.saliency_stream", "SaliencyStream"),
    "load_predict_fn": ("hd2s_tf.inference.loading", "load_predict_fn"),
    "metrics": ("hd2s_tf.evaluation.metrics", None),
    "open_frames": ("hd2s_tf.data.frame_source", "open_frames"),
    "predict_video": ("hd2s_tf.inference.predictor", "predict_video"),
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used, so that a process that decodes frames need not load the network."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hd2s_tf' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    loaded = importlib.import_module(module)
    return getattr(loaded, attribute) if attribute else loaded
