"""Starts tools in copies of a process that has already loaded the libraries, which saves seconds at every start.

Reads a JSON list of a tool and its arguments from each line of standard input; answers with a JSON list of the exit
status, the standard output and the standard error. Each tool runs in a child of its own, as from a shell.
"""

import json
import os
import runpy
import sys
import tempfile
import traceback

# First, as in every tool: it sets TensorFlow's environment.
from hd2s_tf import command_line  # noqa: F401

# isort: split
import cv2  # noqa: F401
import h5py  # noqa: F401
import keras  # noqa: F401
import tensorflow as tf  # noqa: F401
from ml_collections import config_flags  # noqa: F401


def _run(arguments: list[str]) -> list:
    with tempfile.TemporaryFile("w+b") as output, tempfile.TemporaryFile("w+b") as errors:
        child = os.fork()
        if child == 0:
            _become(arguments, output.fileno(), errors.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return [status, *texts]


def _become(arguments: list[str], output: int, errors: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    sys.argv = arguments
    sys.path[0] = os.path.dirname(arguments[0])  # noqa: PTH120
    status = 1
    try:
        runpy.run_path(arguments[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(json.loads(line))) + "\n")
        sys.stdout.flush()
