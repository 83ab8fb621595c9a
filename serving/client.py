"""Sends a video, a folder of frames or an image to a served model and writes what tools/predict.py writes.

    python serving/client.py --server=127.0.0.1:8500 --input=video.mp4 --output_dir=out/video

Works with TensorFlow Serving and with serving/local_server.py. With --resume, an interrupted run continues with
the missing frames.
"""

from absl import flags

from hd2s_tf import command_line
from hd2s_tf.command_line import connection_flags, network_flags, prediction_flags
from hd2s_tf.command_line.prediction_flags import INPUT, OUTPUT_DIR, OVERLAY, OVERWRITE

# So that --help lists them.
flags.adopt_module_key_flags(prediction_flags)
flags.adopt_module_key_flags(connection_flags)

_SERVER = flags.DEFINE_string("server", None, "host:port", required=True)
_MODEL_NAME = flags.DEFINE_string("model_name", "hd2s", "Model to ask.")
_MODEL_VERSION = flags.DEFINE_integer("model_version", None, "Its version; default: the newest.")
_DOMAIN = network_flags.define_domain()
_IN_FLIGHT = flags.DEFINE_integer("in_flight", 2, "Requests in flight at a time.", lower_bound=1)
_RESUME = flags.DEFINE_bool("resume", False, "Whether to continue an interrupted run.")


def main() -> None:
    """Parses the flags and predicts."""
    from hd2s_tf.inference import to_folder
    from hd2s_tf.serving.client import ServedModel
    from hd2s_tf.serving.connection import Connection

    target = f"{_SERVER.value}/{_MODEL_NAME.value}"
    connection = Connection(**connection_flags.arguments())
    with ServedModel(target, connection, _MODEL_VERSION.value) as model:
        summary = to_folder.predict_remotely(
            INPUT.value,
            OUTPUT_DIR.value,
            model,
            domain=_DOMAIN.value,
            in_flight=_IN_FLIGHT.value,
            overlay=OVERLAY.value,
            overwrite=OVERWRITE.value,
            resume=_RESUME.value,
        )
    prediction_flags.report(summary)


if __name__ == "__main__":
    command_line.run(main)
