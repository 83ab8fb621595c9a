"""Flags for reaching a server, shared by the client and evaluation."""

import os
import pathlib

from absl import flags

from hd2s_tf.errors import BadInputError

_TOKEN_VARIABLE = "HD2S_TOKEN"

_DEADLINE = flags.DEFINE_float(
    "deadline", 120.0, "Seconds a request may take, all attempts together.", lower_bound=0.01
)
_ATTEMPT = flags.DEFINE_float(
    "attempt", None, "Seconds one attempt may take; default: half of --deadline.", lower_bound=0.01
)
_TLS_CA = flags.DEFINE_string("tls_ca", None, "Certificate authority's file; with it the connection is encrypted.")
_TLS_CERTIFICATE = flags.DEFINE_string("tls_certificate", None, "The client's certificate.")
_TLS_KEY = flags.DEFINE_string("tls_key", None, "The client's key.")
_TOKEN = flags.DEFINE_string(
    "token",
    None,
    f"Sent as a bearer token. Other users of this machine can see it; --token_file and {_TOKEN_VARIABLE} hide it.",
)
_TOKEN_FILE = flags.DEFINE_string(
    "token_file", None, f"File that holds the token; default: the environment variable {_TOKEN_VARIABLE}."
)
_PLAINTEXT_TOKEN = flags.DEFINE_bool(
    "plaintext_token", False, "Whether to send the token without encryption to another machine."
)


def arguments() -> dict:
    """The arguments of `hd2s_tf.serving.connection.Connection` that the flags give.

    Raises:
      BadInputError: a token that no request can carry, or a file without one.
      OSError: the token's file cannot be read.
    """
    return {
        "deadline": _DEADLINE.value,
        "attempt": _ATTEMPT.value,
        "tls_ca": _TLS_CA.value,
        "tls_certificate": _TLS_CERTIFICATE.value,
        "tls_key": _TLS_KEY.value,
        "token": _token(),
        "plaintext_token": _PLAINTEXT_TOKEN.value,
    }


def _token() -> str | None:
    if _TOKEN.value is not None:
        return _checked("--token", _TOKEN.value)
    path = _TOKEN_FILE.value
    if path is not None:
        # Characters that are not ASCII are refused below, whatever their encoding.
        token = pathlib.Path(path).read_text("ascii", errors="replace").strip()
        if not token:
            raise BadInputError(f"{path}: the file holds no token")
        return _checked(path, token)
    return _checked(_TOKEN_VARIABLE, os.environ.get(_TOKEN_VARIABLE))


def _checked(source: str, token: str | None) -> str | None:
    """The token, which gRPC takes only if a header of HTTP can hold it."""
    if token and not (token.isascii() and token.isprintable()):
        raise BadInputError(f"{source}: a token is one line of printable ASCII characters")
    return token
