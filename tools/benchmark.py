"""Measures speed and memory on this machine, as ratios against a reference in the same run.

    python tools/benchmark.py --what=predict --output=out/benchmark.json

Prints a table and writes it as JSON; "growth" also draws a picture, OUTPUT.png. "predict" includes PyTorch, ONNX
Runtime and OpenVINO where they are installed (pip install -e '.[baselines]').
"""

import importlib
import json

from absl import flags

from hd2s_tf import command_line

# Each is a file of hd2s_tf/benchmark.
SUBJECTS = ("predict", "data", "train", "metrics", "serving", "growth", "table8")
_WHAT = flags.DEFINE_enum("what", None, SUBJECTS, "What to measure.", required=True)
_SECONDS = flags.DEFINE_float(
    "seconds", 60.0, "serving: how long each number of clients sends requests.", lower_bound=1.0
)
_OUTPUT = flags.DEFINE_string("output", None, "JSON file to write; none if not given.")


def main() -> None:
    """Parses the flags and measures."""
    from hd2s_tf import files
    from hd2s_tf.benchmark import measure

    settings = {"seconds": _SECONDS.value} if _WHAT.value == "serving" else {}
    subject = importlib.import_module(f"hd2s_tf.benchmark.{_WHAT.value}")
    results = subject.run(**settings)
    written = {"what": _WHAT.value, "machine": measure.machine(), "results": results}
    for name, values in results.items():
        print(name)
        for key, value in values.items():
            print(f"  {key}: {value}")
    if _OUTPUT.value:
        files.write_bytes(_OUTPUT.value, json.dumps(written, indent=1).encode() + b"\n")
        if hasattr(subject, "draw"):
            subject.draw(f"{_OUTPUT.value}.png", results)


if __name__ == "__main__":
    command_line.run(main)
