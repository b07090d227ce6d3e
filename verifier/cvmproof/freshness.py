"""What the verifier expects REPORT_DATA to say. There is no default: whoever does not care says so.

An expected value has an exact length; none, empty or shorter ones are refused before anything is read.
"""

from dataclasses import dataclass

from cvmproof_formats.binding import NONCE_SIZE, REPORT_DATA_SIZE
from cvmproof_formats.errors import Misuse


@dataclass(frozen=True, slots=True)
class ExpectedNonce:
    """The evidence must be bound to this nonce, exactly 32 bytes that the verifier chose; raises Misuse otherwise."""

    nonce: bytes

    def __post_init__(self) -> None:
        require_bytes("nonce", self.nonce, NONCE_SIZE)


@dataclass(frozen=True, slots=True)
class ExpectedReportData:
    """REPORT_DATA must be exactly these 64 bytes; raises Misuse for another length."""

    report_data: bytes

    def __post_init__(self) -> None:
        require_bytes("report data", self.report_data, REPORT_DATA_SIZE)


@dataclass(frozen=True, slots=True)
class NoFreshness:
    """REPORT_DATA is left open: the evidence may be a replay, and the appraisal says so."""


Freshness = ExpectedNonce | ExpectedReportData | NoFreshness


def require_bytes(what: str, value: bytes, size: int) -> None:
    """Refuse a value that is not exactly so many bytes; raises Misuse."""
    if type(value) is not bytes or len(value) != size:
        got = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
        raise Misuse(f"expected {what}: exactly {size} bytes, got {got}")
