"""The header of a quote: 48 bytes, the same in versions 4 and 5.

Follows Intel's DCAP quote format, "Quote Header" (the ECDSA quote library reference, appendix A.3 and A.4). Version 3
and every quote of an SGX enclave are refused by name.
"""

from functools import lru_cache

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.layout import Layout, raw, structure, uint
from cvmproof_formats.tdx.resemblance import ECDSA_P256, ECDSA_P384, INTEL_QE_VENDOR_ID

__all__ = [
    "ECDSA_P256",
    "ECDSA_P384",
    "HEADER_SIZE",
    "INTEL_QE_VENDOR_ID",
    "SGX",
    "TDX",
    "VERSIONS",
    "QuoteHeader",
    "read_header",
    "require_header",
]

HEADER_SIZE = 48  # bytes
VERSIONS = (4, 5)
SGX = 0x00000000  # TEE type
TDX = 0x00000081

_VERSION_OF_SGX_ONLY = 3
_USER_DATA = 28  # where it starts; what comes before is the same in every quote of a version


@structure(name="quote header", size=HEADER_SIZE)
class QuoteHeader(Layout):
    """The fields of the header, little-endian; what version 3 had in bytes 8 to 11 is reserved since version 4."""

    version: int = uint(0, 2)
    attestation_key_type: int = uint(2, 2)
    tee_type: int = uint(4, 4)
    qe_vendor_id: bytes = raw(12, 16, default=INTEL_QE_VENDOR_ID)
    user_data: bytes = raw(28, 20)  # the first 16 bytes name the quoting enclave's platform, on some hosts


_STARTS = frozenset(
    QuoteHeader(version=version, attestation_key_type=ECDSA_P256, tee_type=TDX, user_data=bytes(20)).build()[
        :_USER_DATA
    ]
    for version in VERSIONS
)


def require_header(data: bytes) -> None:
    """Refuse what `read_header` refuses, and read nothing where it is as ever. Raises Malformed as that does."""
    if len(data) != HEADER_SIZE or data[:_USER_DATA] not in _STARTS:
        read_header(data)


@lru_cache(maxsize=256)
def read_header(data: bytes) -> QuoteHeader:
    """Read a header of 48 bytes; a platform's is the same in every quote.

    Raises Malformed for bytes that do not fit; with category UNSUPPORTED for a version other than 4 and 5, another kind
    of attestation key, another TEE, or a quoting enclave that is not Intel's.
    """
    _refuse_other_version(data)
    header = QuoteHeader.parse(data)
    if header.attestation_key_type != ECDSA_P256:
        name = " (ECDSA P-384)" if header.attestation_key_type == ECDSA_P384 else ""
        raise _unsupported("attestation key type", "2 (ECDSA P-256)", f"{header.attestation_key_type}{name}")
    if header.tee_type != TDX:
        name = " (SGX)" if header.tee_type == SGX else ""
        raise _unsupported("TEE type", f"{TDX:#010x} (TDX)", f"{header.tee_type:#010x}{name}")
    if header.qe_vendor_id != INTEL_QE_VENDOR_ID:
        raise _unsupported("QE vendor id", f"Intel's {INTEL_QE_VENDOR_ID.hex()}", header.qe_vendor_id.hex())
    return header


def _refuse_other_version(data: bytes) -> None:
    # Before the layout: an unknown version may use bytes that ours reserve, and "unsupported" is the better answer.
    version = int.from_bytes(data[:2], "little")
    if len(data) == HEADER_SIZE and version not in VERSIONS:
        name = " (quotes of SGX enclaves only)" if version == _VERSION_OF_SGX_ONLY else ""
        raise _unsupported("version", "4 or 5", f"{version}{name}")


def _unsupported(what: str, expected: str, got: str) -> Malformed:
    return Malformed(f"quote: {what}: expected {expected}, got {got}", category=Category.UNSUPPORTED)
