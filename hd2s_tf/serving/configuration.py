"""TensorFlow Serving's configuration of several models."""

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.data import paths
from hd2s_tf.errors import BadInputError


def read_models(path: str) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Reads a `ModelServerConfig` in text form.

    Returns:
      The base path of each model, and the labels of its versions.

    Raises:
      BadInputError: no such file, or not such a configuration.
    """
    text = paths.read_bytes(path).decode(errors="replace")
    try:
        parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise BadInputError(f"{path}: not a model server configuration: {error}") from error
    models = parsed.model_config_list.config
    if not models:
        raise BadInputError(f"{path}: names no models")
    return {model.name: model.base_path for model in models}, {
        model.name: dict(model.version_labels) for model in models
    }
