"""A TDX quote: header, TD report body, and signature data; versions 4 and 5 with an ECDSA P-256 attestation key.

Follows Intel's DCAP quote format (the ECDSA quote library reference, appendix A.3 for version 4 and A.4 for version 5).
Lengths fit each other to the byte; what is signed is kept as the bytes received.
"""

import struct
from typing import NamedTuple

from cvmproof_formats.encoding import require_size
from cvmproof_formats.errors import Malformed
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.body import (
    BODIES,
    REPORT_DATA_OFFSET,
    REPORT_DATA_SIZE,
    BodyType,
    TdBody,
    TdBody15,
    require_body_type,
)
from cvmproof_formats.tdx.certification_data import QeCertification, read_qe_certification
from cvmproof_formats.tdx.cursor import Cursor
from cvmproof_formats.tdx.header import (
    ECDSA_P256,
    HEADER_SIZE,
    TDX,
    QuoteHeader,
    read_header,
    require_header,
)
from cvmproof_formats.tdx.p256 import KEY_SIZE, SIGNATURE_SIZE

QUOTE_LIMIT = 64 * 1024  # bytes, padding and all: design section 8.5; the quotes seen take 5 KiB
FIRST_VERSION_WITH_BODY_TYPE = 5
USER_DATA_SIZE = 20  # bytes


@record
class Quote:
    """One quote, its signatures not checked.

    `signed` is header and body as received; `signature` is r||s over it by `attestation_key`, x||y, 64 bytes each.
    `padding` counts the zero bytes that were cut off behind the quote.
    """

    body_type: BodyType
    signed: bytes
    signature: bytes
    attestation_key: bytes
    qe: QeCertification
    padding: int = 0

    @property
    def header(self) -> QuoteHeader:
        """The header."""
        return read_header(self.signed[:HEADER_SIZE])

    @property
    def body(self) -> TdBody:
        """The body, read whenever it is asked for: most of it is the same in many quotes."""
        return BODIES[self.body_type].parse(self.body_bytes)

    @property
    def body_bytes(self) -> bytes:
        """The body as received."""
        return self.signed[-BODIES[self.body_type].layout_size :]

    @property
    def report_data(self) -> bytes:
        """REPORT_DATA of the TD, 64 bytes."""
        return self.body_bytes[REPORT_DATA_OFFSET : REPORT_DATA_OFFSET + REPORT_DATA_SIZE]

    @property
    def current_tee_tcb_svn(self) -> bytes | None:
        """TEE_TCB_SVN of the module that runs the TD now, 16 bytes; None where the body does not say."""
        body = self.body
        return body.tee_tcb_svn2 if isinstance(body, TdBody15) else None


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
    # Nearly always all lengths fit; where one does not, the quote is read step by step, and the fault is found there.
    found = _FORMS.get(data[_BODY_TYPE]) if data[:2] == _WITH_BODY_TYPE else _FORM_4 if data[:2] == b"\4\0" else None
    if found is None or len(data) < found.parts.size:
        return _read_step_by_step(data, padded=padded)
    header, body, size, signature, attestation_key = found.parts.unpack_from(data)
    if size != len(data) - found.signed - _SIZE_FIELD:
        return _read_step_by_step(data, padded=padded)
    require_header(header)
    BODIES[found.body_type].require_fit(body)
    return _quote(
        body_type=found.body_type,
        signed=data[: found.signed],
        signature=signature,
        attestation_key=attestation_key,
        qe=read_qe_certification(data[found.parts.size :]),
    )


class _Form(NamedTuple):
    """How a quote of one version with one body lies: header, body, size of the signature data, signature and key."""

    body_type: BodyType
    signed: int
    parts: struct.Struct


def _form(body_type: BodyType, descriptor: int) -> _Form:
    size = BODIES[body_type].layout_size
    parts = struct.Struct(f"<{HEADER_SIZE}s{descriptor}x{size}sI{SIGNATURE_SIZE}s{KEY_SIZE}s")
    return _Form(body_type, HEADER_SIZE + descriptor + size, parts)


_quote = maker(Quote)
_SIZE_FIELD = 4  # bytes
_BODY_TYPE = slice(HEADER_SIZE, HEADER_SIZE + 6)  # in version 5: type, two bytes, and size, four bytes
_WITH_BODY_TYPE = FIRST_VERSION_WITH_BODY_TYPE.to_bytes(2, "little")
_FORM_4 = _form(BodyType.TD_1_0, 0)
_FORMS = {
    kind.to_bytes(2, "little") + layout.layout_size.to_bytes(4, "little"): _form(kind, 6)
    for kind, layout in BODIES.items()
}


def _read_step_by_step(data: bytes, *, padded: bool) -> Quote:
    cursor = Cursor(data, name="quote")
    header = read_header(cursor.take(HEADER_SIZE, "header"))
    body_type = _read_body_type(cursor, header.version)
    layout = BODIES[body_type]
    layout.require_fit(cursor.take(layout.layout_size, layout.layout_name))
    signed = data[: cursor.offset]
    signature_data = cursor.take(cursor.number(4, "size of the signature data"), "signature data")
    padding = _cut_padding(cursor) if padded else 0
    cursor.require_end()
    inner = Cursor(signature_data, name="signature data")
    return Quote(
        body_type=body_type,
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
