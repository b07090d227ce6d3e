"""Quotes through a driver of its own kind: vendors' kernels had an ioctl for it before configfs-tsm came.

Follows Intel's DCAP sources, QuoteGeneration/quote_wrapper/tdx_attest, and Intel 348552 (GHCI), GetQuote. The ioctl
takes a buffer with a TDREPORT and gives it back with a quote; most wrap both into messages of the quote generation
service.
"""

import ctypes
import errno
from dataclasses import dataclass
from typing import Final

from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.tdx import abi
from cvmproof_agent.devices.tdx.qgs_message import (
    FRAME_HEADER_SIZE,
    message_size,
    read_quote_response,
    write_frame,
    write_quote_request,
)
from cvmproof_formats.errors import DeviceError, Malformed

_UNKNOWN: Final = (errno.ENOTTY, errno.EINVAL)
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class QuoteCall:
    """An ioctl that gets quotes; `framed`: with messages of the quote generation service in its buffer."""

    request: int
    framed: bool


VENDORS: Final = (
    QuoteCall(abi.GET_QUOTE, framed=True),
    QuoteCall(abi.GET_QUOTE_V3, framed=True),
    QuoteCall(abi.GET_QUOTE_BARE, framed=False),
)
MVP: Final = (QuoteCall(abi.MVP_GET_QUOTE, framed=True),)


def quote_by_ioctl(node: Node, calls: tuple[QuoteCall, ...], tdreport: bytes) -> bytes | None:
    """Get a quote by the first of these calls that the driver knows; None where it knows none.

    Raises DeviceError for a quote that can't be had, OSError where the driver refuses for another reason.
    """
    for call in calls:
        content = write_frame(write_quote_request(tdreport)) if call.framed else tdreport
        buffer = buffer_with(content)
        argument = abi.QuoteRequest(buf=ctypes.addressof(buffer), len=ctypes.sizeof(buffer))
        try:
            node.ask(call.request, argument)
        except OSError as error:
            if error.errno in _UNKNOWN:
                continue
            raise
        try:
            return quote_in(buffer, framed=call.framed)
        except Malformed as error:
            raise DeviceError(
                f"{node.path}: GET_QUOTE: what it returned is no quote: {error}", path=node.path
            ) from error
    return None


def buffer_with(content: bytes) -> abi.QuoteBuffer:
    """Make GetQuote's buffer, with something for the host in it."""
    buffer = abi.QuoteBuffer(version=_VERSION, in_len=len(content))
    ctypes.memmove(buffer.data, content, len(content))
    return buffer


def quote_in(buffer: abi.QuoteBuffer, *, framed: bool) -> bytes:
    """Take the quote out of GetQuote's buffer; raises DeviceError where there is none, Malformed."""
    if buffer.status != abi.GET_QUOTE_SUCCESS:
        why = abi.QUOTE_STATUS.get(buffer.status, "which is unknown here")
        raise DeviceError(f"GET_QUOTE: the host says {buffer.status:#x}, {why}", hint="is qgsd running on the host?")
    room = ctypes.sizeof(buffer.data)
    if buffer.out_len > room:
        raise Malformed(f"GET_QUOTE: expected at most {room} bytes, got {buffer.out_len}")
    content = bytes(buffer.data)[: buffer.out_len]
    if not framed:
        return content
    size = message_size(content[:FRAME_HEADER_SIZE])
    return read_quote_response(content[FRAME_HEADER_SIZE : FRAME_HEADER_SIZE + size])
