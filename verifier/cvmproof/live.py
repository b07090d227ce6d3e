"""What REPORT_DATA must say where the verifier itself holds the TLS connection that the evidence came over.

The grade of a verdict follows from these, so nobody makes one from values of their own: only the code that read leaf
and exporter value from its own live connection has the right to.
"""

from dataclasses import InitVar, dataclass, field

from cvmproof.freshness import Freshness, require_bytes
from cvmproof_formats.binding import EKM_SIZE, NONCE_SIZE, Role
from cvmproof_formats.errors import Misuse
from cvmproof_formats.x509 import Certificate


class Reader:
    """The right to say what a live connection is; `cvmproof.channel.exchange` holds the only one."""

    __slots__ = ()


READER = Reader()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedChannel:
    """The evidence must be bound to this very TLS session.

    `role` is the attester's end of it, `nonce` the 32 bytes sent over it, `leaf` the attester's certificate as received
    in it, `ekm` its exporter value with the nonce as context, 32 bytes. Raises Misuse for other lengths.
    """

    reader: InitVar[Reader]
    role: Role
    nonce: bytes = field(repr=False)
    leaf: Certificate = field(repr=False)
    ekm: bytes = field(repr=False)

    def __post_init__(self, reader: Reader) -> None:
        _require_right(reader)
        require_bytes("nonce", self.nonce, NONCE_SIZE)
        require_bytes("exporter value", self.ekm, EKM_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedKey:
    """The evidence must be bound to the TLS key of this connection, whoever else has that key.

    Arguments and errors as those of ExpectedChannel.
    """

    reader: InitVar[Reader]
    role: Role
    nonce: bytes = field(repr=False)
    leaf: Certificate = field(repr=False)

    def __post_init__(self, reader: Reader) -> None:
        _require_right(reader)
        require_bytes("nonce", self.nonce, NONCE_SIZE)


Live = ExpectedChannel | ExpectedKey
Expectation = Freshness | Live


def _require_right(reader: Reader) -> None:
    if reader is not READER:
        raise Misuse("what a live connection is can be said by cvmproof.channel only, which reads it from its own")
