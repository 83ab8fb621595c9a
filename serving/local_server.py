"""Serves exported models over gRPC as TensorFlow Serving does, for trying and testing on one machine.

    python serving/local_server.py --model_base_path=models/hd2s --port=8500
    python serving/local_server.py --model_config_file=serving/models.config

New versions that appear in a model's folder replace older ones without a failed request.
"""

import signal

from absl import flags, logging

from hd2s_tf import command_line

_MODEL_BASE_PATH = flags.DEFINE_string("model_base_path", None, "Folder of a model's versions.")
_MODEL_NAME = flags.DEFINE_string("model_name", "hd2s", "Its name in requests.")
_MODEL_CONFIG_FILE = flags.DEFINE_string("model_config_file", None, "Several models, as TensorFlow Serving reads them.")
_PORT = flags.DEFINE_integer("port", 8500, "Port to listen on; 0 for any.", lower_bound=0, upper_bound=65535)
_ADDRESS = flags.DEFINE_string("address", "127.0.0.1", "Address to listen on.")
_MAX_REQUEST_BYTES = flags.DEFINE_integer("max_request_bytes", 64 << 20, "Largest request.", lower_bound=1)
_QUEUE = flags.DEFINE_integer("queue", 64, "Requests that run or wait; further ones are refused.", lower_bound=1)
_WORKERS = flags.DEFINE_integer("workers", 2, "Requests computed at a time.", lower_bound=1)
_POLL_SECONDS = flags.DEFINE_float("poll_seconds", 1.0, "Seconds between looks for new versions.", lower_bound=0.05)
_ALLOW_LABELS = flags.DEFINE_bool(
    "allow_version_labels_for_unavailable_models", False, "Whether the configuration may have version labels."
)
_TLS_CERTIFICATE = flags.DEFINE_string("tls_certificate", None, "The server's certificate; encrypts connections.")
_TLS_KEY = flags.DEFINE_string("tls_key", None, "Its key.")
_TLS_CLIENT_CA = flags.DEFINE_string("tls_client_ca", None, "Authority that clients' certificates must be signed by.")


def main() -> None:
    """Parses the flags and serves until it is told to stop."""
    from tensorflow_serving.config import model_server_config_pb2

    from hd2s_tf.errors import BadInputError
    from hd2s_tf.serving import configuration
    from hd2s_tf.serving.server import Server, tls

    if (_MODEL_BASE_PATH.value is None) == (_MODEL_CONFIG_FILE.value is None):
        raise BadInputError("give either --model_base_path or --model_config_file")
    if _MODEL_CONFIG_FILE.value:
        configs = configuration.read_models(_MODEL_CONFIG_FILE.value)
    else:
        configs = [model_server_config_pb2.ModelConfig(name=_MODEL_NAME.value, base_path=_MODEL_BASE_PATH.value)]
    if not _ALLOW_LABELS.value:
        configuration.refuse_labels(configs)
    credentials = tls(_TLS_CERTIFICATE.value, _TLS_KEY.value, _TLS_CLIENT_CA.value)
    logging.set_verbosity(logging.INFO)
    # Both ways of stopping reach the main thread as KeyboardInterrupt.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = Server(
        configs,
        _PORT.value,
        max_request_bytes=_MAX_REQUEST_BYTES.value,
        queue=_QUEUE.value,
        workers=_WORKERS.value,
        poll_seconds=_POLL_SECONDS.value,
        address=_ADDRESS.value,
        credentials=credentials,
    )
    names = ", ".join(config.name for config in configs)
    print(f"serving {names} on {_ADDRESS.value}:{server.port}", flush=True)
    try:
        server.wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    # Threads of gRPC outlive the server.
    command_line.run(main, at_once=True)
