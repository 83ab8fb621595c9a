"""Creates a `PredictFn` by a name."""

import os

from hd2s_tf import files
from hd2s_tf.inference import compatibility
from hd2s_tf.inference.predict_fn import ModelPredictFn, PredictFn, SavedModelPredictFn
from hd2s_tf.inference.remote import RemotePredictFn
from hd2s_tf.models import weight_files
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving import client
from hd2s_tf.serving.connection import Connection


def load_predict_fn(
    target: str | os.PathLike,
    preset: str | None = None,
    domain: str | None = None,
    precision: str = "auto",
    connection: Connection = Connection(),
    compat: str | None = None,
) -> PredictFn:
    """Creates a `PredictFn`.

    Args:
      target: "auto" for the bundled weights, "random", a `.weights.h5` file, the folder of an exported SavedModel's
        version, or a served model as "grpc://host:port/name".
      preset: of weights only: their preset; None for what the file says, or `hd2s_tiny`.
      domain: the data set that a domain-specific model predicts for.
      precision: of weights only: "float32", "bfloat16" or "auto".
      connection: how to reach a served model.
      compat: "published" to predict as the published code does, see `hd2s_tf.inference.compatibility`.

    Raises:
      BadInputError: anything that does not exist or does not fit.
      RunError: a server that does not answer.
    """
    target = os.fspath(target)
    if target.startswith(client.SCHEME) or files.is_folder(target):
        is_remote = target.startswith(client.SCHEME)
        exported = RemotePredictFn(target, domain, connection) if is_remote else SavedModelPredictFn(target, domain)
        exported.info = compatibility.adapt_info(exported.info, compat, exported=True)
        return exported
    path = weight_files.find(target, preset)
    model = HD2S.from_weights(path or weight_files.RANDOM, preset)
    return ModelPredictFn(model, path or weight_files.RANDOM, domain, precision, compat)
