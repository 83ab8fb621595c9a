"""TensorFlow Serving's configuration of several models."""

from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf import files
from hd2s_tf.errors import BadInputError

PLATFORM = "tensorflow"


def read_models(path: str) -> list[model_server_config_pb2.ModelConfig]:
    """Reads a `ModelServerConfig` in text form.

    Raises:
      BadInputError: no such file, not such a configuration, or models that TensorFlow Serving would refuse.
    """
    text = files.read_bytes(path).decode(errors="replace")
    try:
        parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise BadInputError(f"{path}: not a model server configuration: {error}") from error
    configs = list(parsed.model_config_list.config)
    if not configs:
        raise BadInputError(f"{path}: names no models")
    names = [config.name for config in configs]
    for config in configs:
        if names.count(config.name) > 1:
            raise BadInputError(f"{path}: names model {config.name} more than once")
        if config.model_platform != PLATFORM:
            raise BadInputError(f'{path}: model {config.name}: model_platform must be "{PLATFORM}"')
    return configs


def refuse_labels(configs: Sequence[model_server_config_pb2.ModelConfig]) -> None:
    """Refuses version labels as TensorFlow Serving does at its start, when no version is available yet.

    Raises:
      BadInputError: a model has labels.
    """
    for config in configs:
        for version in config.version_labels.values():
            wanted = f"Request to assign label to version {version} of model {config.name}"
            raise BadInputError(f"{wanted}, which is not currently available for inference")
