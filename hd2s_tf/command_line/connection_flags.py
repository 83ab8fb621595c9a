"""Flags for reaching a server, shared by the client and evaluation."""

from absl import flags

from hd2s_tf.serving.connection import Connection

_DEADLINE = flags.DEFINE_float(
    "deadline", Connection.deadline, "Seconds a request may take, all attempts together.", lower_bound=0.01
)
_TLS_CA = flags.DEFINE_string("tls_ca", None, "Certificate authority's file; with it the connection is encrypted.")
_TLS_CERTIFICATE = flags.DEFINE_string("tls_certificate", None, "The client's certificate.")
_TLS_KEY = flags.DEFINE_string("tls_key", None, "The client's key.")
_TOKEN = flags.DEFINE_string("token", None, "Sent as a bearer token.")


def connection() -> Connection:
    """The connection that the flags describe."""
    return Connection(_DEADLINE.value, _TLS_CA.value, _TLS_CERTIFICATE.value, _TLS_KEY.value, _TOKEN.value)
