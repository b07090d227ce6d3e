"""Messages of the quote generation service: Intel DCAP, quote_wrapper/qgs_msg_lib, protocol 1.1.

Over a stream each has its length before it, four bytes big-endian; everything else is little-endian.
"""

import struct
from typing import Final

from cvmproof_formats.errors import Malformed
from cvmproof_formats.layout import Layout, structure, uint
from cvmproof_formats.tdx.tdreport import TDREPORT_SIZE

PORT: Final = 4050
FRAME: Final = struct.Struct(">I")
MAJOR, MINOR = 1, 1
GET_QUOTE_REQUEST: Final = 0
GET_QUOTE_RESPONSE: Final = 1
ERROR_UNEXPECTED: Final = 0x12001
LARGEST_REQUEST: Final = 64 * 1024
_SIZES = struct.Struct("<II")


@structure(name="qgs_msg_header_t", size=16)
class Header(Layout):
    """What every message starts with."""

    major: int = uint(0, 2)
    minor: int = uint(2, 2)
    type: int = uint(4, 4)
    size: int = uint(8, 4)
    """Of the message with this header."""
    error_code: int = uint(12, 4)


def build_request(report: bytes) -> bytes:
    """GET_QUOTE_REQ for a TDREPORT, whoever may do it: 1048 bytes."""
    body = _SIZES.pack(len(report), 0) + report
    return _header(GET_QUOTE_REQUEST, len(body)).build() + body


def read_request(message: bytes) -> bytes:
    """Give the TDREPORT of a GET_QUOTE_REQ; raises Malformed."""
    header = Header.parse(message[: Header.layout_size])
    body = message[Header.layout_size :]
    if (header.major, header.type, header.size) != (MAJOR, GET_QUOTE_REQUEST, len(message)) or header.error_code:
        raise Malformed(f"QGS request: expected GET_QUOTE_REQ of {len(message)} bytes, got {header}")
    if len(body) < _SIZES.size:
        raise Malformed("QGS request: expected the sizes of report and id list, got fewer bytes")
    report_size, id_size = _SIZES.unpack(body[: _SIZES.size])
    if report_size != TDREPORT_SIZE or len(body) != _SIZES.size + report_size + id_size:
        raise Malformed(f"QGS request: expected a report of {TDREPORT_SIZE} bytes, got {report_size} and {id_size}")
    return body[_SIZES.size : _SIZES.size + report_size]


def build_response(
    quote: bytes, *, kind: int = GET_QUOTE_RESPONSE, major: int = MAJOR, size: int | None = None, quote_size: int = -1
) -> bytes:
    """GET_QUOTE_RESP, right or wrong."""
    body = _SIZES.pack(0, len(quote) if quote_size < 0 else quote_size) + quote
    return _header(kind, len(body), major=major, size=size).build() + body


def build_error(code: int) -> bytes:
    """GET_QUOTE_RESP without a quote."""
    return _header(GET_QUOTE_RESPONSE, _SIZES.size, error_code=code).build() + _SIZES.pack(0, 0)


def _header(kind: int, body: int, *, major: int = MAJOR, size: int | None = None, error_code: int = 0) -> Header:
    stated = Header.layout_size + body if size is None else size
    return Header(major=major, minor=MINOR, type=kind, size=stated, error_code=error_code)
