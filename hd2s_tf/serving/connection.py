"""How to reach a server; apart from `client`, so that it needs no TensorFlow."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Connection:
    """How to reach a server.

    Attributes:
      deadline: seconds that a request may take, all its attempts together.
      attempt: seconds that one attempt may take; None for half of `deadline`, so that a lost server costs no more.
      tls_ca: file of the certificate authority; with it the connection is encrypted.
      tls_certificate, tls_key: files of the client's certificate; both or none.
      token: sent as `authorization: Bearer <token>`.
      plaintext_token: whether the token may be sent without encryption to another machine.
    """

    deadline: float = 120.0
    attempt: float | None = None
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)
    plaintext_token: bool = False
