"""Messages of Intel's quote generation service (QGS): a TDREPORT goes there, a quote comes back.

Follows Intel's DCAP sources, QuoteGeneration/quote_wrapper/qgs_msg_lib (qgs_msg_lib.h). In each direction a frame:
u32be(length), then a message that starts with a header of 16 bytes, little-endian. The service is the host's, and
nothing in what it sends is believed.
"""

from typing import Final

from cvmproof_formats.errors import Category, DeviceError, Malformed
from cvmproof_formats.layout import Layout, structure, uint
from cvmproof_formats.tdx.cursor import Cursor

FRAME_HEADER_SIZE: Final = 4  # bytes, big-endian
MESSAGE_LIMIT: Final = 128 * 1024  # bytes: a quote of at most 64 KiB, with the zeros that may follow it
MAJOR: Final = 1
_MINORS: Final = (0, 1)
_GET_QUOTE_REQUEST: Final = 0
_GET_QUOTE_RESPONSE: Final = 1
_HEADER_SIZE: Final = 16


@structure(name="qgs_msg_header_t", size=_HEADER_SIZE)
class _Header(Layout):
    major: int = uint(0, 2)
    minor: int = uint(2, 2)
    type: int = uint(4, 4)
    size: int = uint(8, 4)
    error_code: int = uint(12, 4)


@structure(name="qgs_msg_get_quote_req_t", size=8)
class _Request(Layout):
    report_size: int = uint(0, 4)
    id_list_size: int = uint(4, 4)


def write_quote_request(tdreport: bytes) -> bytes:
    """Put a TDREPORT into a message, without the frame's length before it."""
    size = _HEADER_SIZE + _Request.layout_size + len(tdreport)
    header = _Header(major=MAJOR, minor=1, type=_GET_QUOTE_REQUEST, size=size, error_code=0)
    return header.build() + _Request(report_size=len(tdreport), id_list_size=0).build() + tdreport


def write_frame(message: bytes) -> bytes:
    """Put a message behind its length."""
    return len(message).to_bytes(FRAME_HEADER_SIZE, "big") + message


def message_size(header: bytes) -> int:
    """Read how many bytes of message follow a frame's header; raises Malformed, SIZE_LIMIT above 128 KiB."""
    size = int.from_bytes(header, "big")
    if len(header) != FRAME_HEADER_SIZE or size < _HEADER_SIZE:
        raise Malformed(f"QGS: expected a frame of at least {_HEADER_SIZE} bytes, got one of {size}")
    if size > MESSAGE_LIMIT:
        raise Malformed(f"QGS: expected at most {MESSAGE_LIMIT} bytes, got {size}", category=Category.SIZE_LIMIT)
    return size


def read_quote_response(message: bytes) -> bytes:
    """Take the quote out of a whole message.

    Raises DeviceError with the service's error code, Malformed for anything that is no answer to our request.
    """
    cursor = Cursor(message, name="QGS")
    header = _Header.parse(cursor.take(_HEADER_SIZE, "header"))
    if (header.major, header.type) != (MAJOR, _GET_QUOTE_RESPONSE) or header.minor not in _MINORS:
        raise Malformed(
            f"QGS: expected message type {_GET_QUOTE_RESPONSE} of version {MAJOR}.0 or {MAJOR}.1,"
            f" got type {header.type} of version {header.major}.{header.minor}"
        )
    if header.error_code:
        raise DeviceError(f"QGS: it refused, with error {header.error_code:#x}", hint="the host's QGS log says why")
    if header.size != len(message):
        raise Malformed(f"QGS: expected a message of {header.size} bytes, got {len(message)}")
    id_size, quote_size = cursor.number(4, "size of the selected id"), cursor.number(4, "size of the quote")
    cursor.take(id_size, "selected id")
    quote = cursor.take(quote_size, "quote")
    cursor.require_end()
    return quote
