"""How a server is reached; apart from `remote`, so that a tool's flags need no TensorFlow."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Connection:
    """How to reach a server.

    Attributes:
      deadline: seconds that a request may take, all its attempts together.
      tls_ca: file of the certificate authority; with it the connection is encrypted.
      tls_certificate, tls_key: files of the client's certificate; both or none.
      token: sent as `authorization: Bearer <token>`.
    """

    deadline: float = 120.0
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    token: str | None = None
