"""A TDX quote: header, TD report body, and signature data; versions 4 and 5 with an ECDSA P-256 attestation key.

Follows Intel's DCAP quote format (the ECDSA quote library reference, appendix A.3 for version 4 and A.4 for version 5).
Lengths fit each other to the byte; what is signed is kept as the bytes received.
"""

from dataclasses import dataclass

from cvmproof_formats.encoding import require_size
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.body import BODIES, BodyType, TdBody, TdBody15, require_body_type
from cvmproof_formats.tdx.certification_data import QeCertification, read_qe_certification
from cvmproof_formats.tdx.cursor import Cursor
from cvmproof_formats.tdx.header import (
    ECDSA_P256,
    HEADER_SIZE,
    TDX,
    QuoteHeader,
    read_header,
)
from cvmproof_formats.tdx.p256 import KEY_SIZE, SIGNATURE_SIZE

QUOTE_LIMIT = 64 * 1024  # bytes, padding and all: design section 8.5; the quotes seen take 5 KiB
FIRST_VERSION_WITH_BODY_TYPE = 5
USER_DATA_SIZE = 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One quote, its signatures not checked.

    `signed` is header and body as received; `signature` is r||s over it by `attestation_key`, x||y, 64 bytes each.
    `padding` counts the zero bytes that were cut off behind the quote.
    """

    header: QuoteHeader
    body_type: BodyType
    body: TdBody
    signed: bytes
    signature: bytes
    attestation_key: bytes
    qe: QeCertification
    padding: int = 0

    @property
    def current_tee_tcb_svn(self) -> bytes | None:
        """TEE_TCB_SVN of the module that runs the TD now, 16 bytes; None where the body does not say."""
        return self.body.tee_tcb_svn2 if isinstance(self.body, TdBody15) else None


def read_quote(data: bytes) -> Quote:
    """Read a quote, to the last byte.

    Raises Malformed for bytes that do not fit, with anything behind the quote too; with category SIZE_LIMIT before more
    than 64 KiB are looked at, UNSUPPORTED for versions, TEEs, keys, bodies and certification data not read here.
    """
    return _read(data, padded=False)


def read_padded_quote(data: bytes) -> Quote:
    """Read a quote from a buffer: as `read_quote`, but zero bytes behind the quote are cut off and counted.

    Raises Malformed as `read_quote` does.
    """
    return _read(data, padded=True)


def build_signed(body: TdBody, *, version: int, user_data: bytes = bytes(USER_DATA_SIZE)) -> bytes:
    """Write header and body: what the attestation key signs.

    Raises Malformed for a field that does not fit, and for a TD 1.5 body in version 4, which has no place for it.
    """
    header = QuoteHeader(version=version, attestation_key_type=ECDSA_P256, tee_type=TDX, user_data=user_data).build()
    content = body.build()
    kind = next(kind for kind, layout in BODIES.items() if layout is type(body))
    if version >= FIRST_VERSION_WITH_BODY_TYPE:
        return b"".join((header, kind.to_bytes(2, "little"), len(content).to_bytes(4, "little"), content))
    if kind is not BodyType.TD_1_0:
        raise Malformed(f"quote: expected a TD 1.0 body in version {version}, got {body.layout_name}")
    return header + content


def build_quote(*, signed: bytes, signature: bytes, attestation_key: bytes, certification: bytes) -> bytes:
    """Write a quote from what was signed, the signature, the key, and what `build_qe_certification` gave.

    Raises Malformed for a signature or key that is not 64 bytes long.
    """
    for what, value, size in (("signature", signature, SIGNATURE_SIZE), ("key", attestation_key, KEY_SIZE)):
        if len(value) != size:
            raise Malformed(f"quote: {what}: expected {size} bytes, got {len(value)}")
    signature_data = signature + attestation_key + certification
    return signed + len(signature_data).to_bytes(4, "little") + signature_data


def _read(data: bytes, *, padded: bool) -> Quote:
    require_size(data, what="quote", limit=QUOTE_LIMIT)
    cursor = Cursor(data, name="quote")
    header = read_header(cursor.take(HEADER_SIZE, "header"))
    body_type = _read_body_type(cursor, header.version)
    layout = BODIES[body_type]
    body = layout.parse(cursor.take(layout.layout_size, layout.layout_name))
    signed = data[: cursor.offset]
    signature_data = cursor.take(cursor.number(4, "size of the signature data"), "signature data")
    padding = _cut_padding(cursor) if padded else 0
    cursor.require_end()
    inner = Cursor(signature_data, name="signature data")
    return Quote(
        header=header,
        body_type=body_type,
        body=body,
        signed=signed,
        signature=inner.take(SIGNATURE_SIZE, "signature"),
        attestation_key=inner.take(KEY_SIZE, "attestation key"),
        qe=read_qe_certification(inner.rest()),
        padding=padding,
    )


def _read_body_type(cursor: Cursor, version: int) -> BodyType:
    if version < FIRST_VERSION_WITH_BODY_TYPE:
        return BodyType.TD_1_0
    kind = require_body_type(cursor.number(2, "body type"))
    size, expected = cursor.number(4, "body size"), BODIES[kind].layout_size
    if size != expected:
        raise Malformed(f"quote: size of a body of type {kind:d}: expected {expected}, got {size}")
    return kind


def _cut_padding(cursor: Cursor) -> int:
    start, rest = cursor.offset, cursor.rest()
    stray = rest.lstrip(b"\0")
    if stray:
        offset = start + len(rest) - len(stray)
        raise Malformed(f"quote: expected zero bytes behind its end at offset {start}, got {stray[0]:#04x} at {offset}")
    return len(rest)
