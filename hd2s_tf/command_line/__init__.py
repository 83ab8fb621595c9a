"""How every tool starts and exits: it parses flags, makes one call and ends with one exit status."""

import errno
import os
import sys
from collections.abc import Callable

from absl import app, flags, logging

from hd2s_tf.errors import BadInputError, RunError

SUCCESS, RUN_FAILED, BAD_INPUT = 0, 1, 2
_BAD_PATH_ERRNOS = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EROFS}

# Set before TensorFlow and gRPC are imported. Their native libraries report on standard error;
# what goes wrong reaches us as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# The tools are TensorFlow programs, whatever other programs of this machine run Keras on.
os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow leaves these kernels out on processors without AVX-512, where a training step takes 5 times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def run(main: Callable[[], None], *, at_once: bool = False) -> None:
    """Runs a tool and ends the process with its exit status.

    Args:
      main: called without arguments once the flags are parsed.
      at_once: whether to exit without Python's own shut-down and `atexit` functions, for a program whose native threads
        may outlive `main`: a thread that returns to Python during the shut-down aborts the process.

    The exit status is 0 on success, 2 for bad flags or bad input (`BadInputError`, a path that cannot be used), 1 if
    the run fails (`RunError`, any other error of the operating system) and 130 if interrupted. Every failure prints one
    line on standard error; an unexpected exception keeps its traceback and exits with status 1.
    """
    # Names of files may hold bytes that are no UTF-8; results are printed with them.
    sys.stdout.reconfigure(errors="surrogateescape")
    app.run(lambda argv: _end(_status(main, argv), at_once), flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        _say(str(error))
    # Raised by a configuration's flags for an unknown name; below, for a value of another type or a broken file.
    except (AttributeError, KeyError) as error:
        _say(f"bad flags: the configuration has no setting {error}")
    except (TypeError, ValueError, OSError, SyntaxError) as error:
        _say(f"bad flags: {type(error).__name__}: {error}")
    sys.exit(BAD_INPUT)


def _status(main: Callable[[], None], argv: list[str]) -> int:
    try:
        if len(argv) > 1:
            raise BadInputError(f"unexpected argument {argv[1]!r}: everything is given by flags, see --help")
        main()
    except BadInputError as error:
        # Libraries name the argument that helps; only a tool knows whether it has the flag.
        has_flag = error.remedy is not None and error.remedy in flags.FLAGS
        _say(f"{error}: give --{error.remedy} to proceed all the same" if has_flag else str(error))
        return BAD_INPUT
    except RunError as error:
        _say(str(error))
        return RUN_FAILED
    except OSError as error:
        _say(f"{error.filename or 'input or output'}: {error.strerror or error}")
        return BAD_INPUT if error.errno in _BAD_PATH_ERRNOS else RUN_FAILED
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    return SUCCESS


def _say(message: str) -> None:
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")


def _end(status: int, at_once: bool) -> None:
    # The native file systems of tensorflow-io abort the process while it shuts down, which would hide the status.
    if at_once or "tensorflow_io" in sys.modules:
        logging.flush()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
