"""What comes with a quote's signature to check it by: the quoting enclave's report, and the certificates of its signer.

Follows Intel's DCAP quote format, "QE Certification Data" (the ECDSA quote library reference, appendix A.4). Type 6,
the report, holds another one inside: type 5, the certificates. The other types only say how to look a certificate up,
and are refused by name.
"""

import struct
from enum import IntEnum

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.pem import read_pem
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.cursor import Cursor
from cvmproof_formats.tdx.p256 import SIGNATURE_SIZE
from cvmproof_formats.tdx.qe_report import QE_REPORT_SIZE, REPORT_DATA_SIZE, EnclaveReport

AUTHENTICATION_DATA_LIMIT = 0xFFFF  # bytes: its length is a u16


class CertificationType(IntEnum):
    """The kinds of certification data."""

    PPID = 1
    PPID_RSA_2048 = 2
    PPID_RSA_3072 = 3
    PCK_CERTIFICATE = 4
    PCK_CHAIN = 5
    QE_REPORT = 6
    PLATFORM_MANIFEST = 7


_MEANINGS = {
    CertificationType.PPID: "a platform's name, not its certificate",
    CertificationType.PPID_RSA_2048: "a platform's encrypted name, not its certificate",
    CertificationType.PPID_RSA_3072: "a platform's encrypted name, not its certificate",
    CertificationType.PCK_CERTIFICATE: "a PCK certificate without its chain",
    CertificationType.PCK_CHAIN: "a chain of PCK certificates",
    CertificationType.QE_REPORT: "a QE report",
    CertificationType.PLATFORM_MANIFEST: "a platform manifest, not a certificate",
}


@record
class QeCertification:
    """The quoting enclave's word for the attestation key, and the chain of the PCK key that signed it.

    `signed` is the report as received; `signature` is r||s over it, 64 bytes; `pck_chain` is PEM as received:
    `read_pck_chain` reads it.
    """

    signed: bytes
    signature: bytes
    authentication_data: bytes
    pck_chain: bytes

    @property
    def report(self) -> EnclaveReport:
        """The report, read whenever it is asked for: most of it is the same in many quotes."""
        return EnclaveReport.parse(self.signed)

    @property
    def report_data(self) -> bytes:
        """REPORT_DATA of the report, 64 bytes."""
        return self.signed[-REPORT_DATA_SIZE:]


# Type, size, QE report, its signature, and the size of the authentication data; then type and size of the chain.
_START = struct.Struct(f"<HI{QE_REPORT_SIZE}s{SIGNATURE_SIZE}sH")
_qe_certification = maker(QeCertification)
_WRAPPING = struct.Struct("<HI")


def read_qe_certification(data: bytes) -> QeCertification:
    """Read certification data of type 6 with type 5 inside, to the last byte.

    Raises Malformed for lengths that do not fit each other; with category UNSUPPORTED for other types.
    """
    # Nearly always all fits; where it does not, it is read step by step, and the fault is found there.
    if len(data) >= _START.size:
        outer, size, signed, signature, length = _START.unpack_from(data)
        start = _START.size + length
        chain = start + _WRAPPING.size
        fits = outer == CertificationType.QE_REPORT and size == len(data) - _WRAPPING.size and chain <= len(data)
        if fits and _WRAPPING.unpack_from(data, start) == (CertificationType.PCK_CHAIN, len(data) - chain):
            EnclaveReport.require_fit(signed)
            return _qe_certification(
                signed=signed,
                signature=signature,
                authentication_data=data[_START.size : start],
                pck_chain=data[chain:],
            )
    return _read_step_by_step(data)


def _read_step_by_step(data: bytes) -> QeCertification:
    cursor = Cursor(_content(data, CertificationType.QE_REPORT, "certification data"), name="QE report certification")
    signed = cursor.take(QE_REPORT_SIZE, "QE report")
    signature = cursor.take(SIGNATURE_SIZE, "signature of the QE report")
    size = cursor.number(2, "size of the QE authentication data")
    authentication_data = cursor.take(size, "QE authentication data")
    EnclaveReport.require_fit(signed)
    return QeCertification(
        signed=signed,
        signature=signature,
        authentication_data=authentication_data,
        pck_chain=_content(cursor.rest(), CertificationType.PCK_CHAIN, "certification data of the QE report"),
    )


def build_qe_certification(
    *,
    qe_report: bytes,
    signature: bytes,
    authentication_data: bytes,
    pck_chain: bytes,
    inner_type: int = CertificationType.PCK_CHAIN,
    outer_type: int = CertificationType.QE_REPORT,
) -> bytes:
    """Write certification data of type 6 with type 5 inside; other types for tests of who reads them.

    Raises Malformed for a report, signature or authentication data whose length does not fit.
    """
    _require_length("QE report", qe_report, QE_REPORT_SIZE)
    _require_length("signature of the QE report", signature, SIGNATURE_SIZE)
    length = len(authentication_data)
    if length > AUTHENTICATION_DATA_LIMIT:
        raise Malformed(f"QE authentication data: expected at most {AUTHENTICATION_DATA_LIMIT} bytes, got {length}")
    inner = _wrap(inner_type, pck_chain)
    size = length.to_bytes(2, "little")
    return _wrap(outer_type, b"".join((qe_report, signature, size, authentication_data, inner)))


def read_pck_chain(data: bytes) -> tuple[bytes, ...]:
    """Read the certificates of a chain, in DER and in the order of the text; the leaf comes first in what Intel makes.

    Most quoting enclaves put a zero byte behind the text: one is taken off.

    Raises Malformed as `read_pem` does.
    """
    return read_pem(data.removesuffix(b"\0"))


def _content(data: bytes, wanted: CertificationType, name: str) -> bytes:
    cursor = Cursor(data, name=name)
    number = cursor.number(2, "type")
    if number != wanted:
        meaning = f" ({_MEANINGS[CertificationType(number)]})" if number in set(CertificationType) else ""
        raise Malformed(
            f"{name}: type: expected {wanted:d} ({_MEANINGS[wanted]}), got {number}{meaning}",
            category=Category.UNSUPPORTED,
        )
    content = cursor.take(cursor.number(4, "size"), "content")
    cursor.require_end()
    return content


def _wrap(number: int, content: bytes) -> bytes:
    return number.to_bytes(2, "little") + len(content).to_bytes(4, "little") + content


def _require_length(what: str, data: bytes, size: int) -> None:
    if len(data) != size:
        raise Malformed(f"{what}: expected {size} bytes, got {len(data)}")
