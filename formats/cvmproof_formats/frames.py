"""Frames of the attested exchange: u32be(length) || message, one in each direction.

Follows `docs/binding.md`. What a frame holds is protobuf (`cvmproof_protos/v1/attestation.proto`); this is only about
where it ends, and how much may be read at all.
"""

from collections.abc import Callable
from typing import Final

from cvmproof_formats.errors import Category, Malformed

HEADER_SIZE: Final = 4  # bytes
# Design sections 4 and 8.5: bytes of message behind the header.
REQUEST_LIMIT: Final = 256
USER_REQUEST_LIMIT: Final = 4096 + 16  # user data, and what protobuf puts around it
ANSWER_LIMIT: Final = 5 * 1024 * 1024


def write_frame(message: bytes, *, limit: int) -> bytes:
    """Put a message of at most `limit` bytes behind its length.

    Raises Malformed (SIZE_LIMIT) for a longer one.
    """
    _require_size(len(message), limit)
    return len(message).to_bytes(HEADER_SIZE, "big") + message


def message_size(header: bytes, *, limit: int) -> int:
    """Read a header of 4 bytes: how many bytes of message follow, at most `limit`.

    Raises Malformed for another length of header, with category SIZE_LIMIT where too much would follow.
    """
    if len(header) != HEADER_SIZE:
        raise Malformed(f"frame: expected a header of {HEADER_SIZE} bytes, got {len(header)}")
    size = int.from_bytes(header, "big")
    _require_size(size, limit)
    return size


def read_frame(receive: Callable[[int], bytes], *, limit: int) -> bytes:
    """Read one message of at most `limit` bytes; `receive(n)` gives 1 to n bytes, or none where the stream ended.

    Never asks for a byte beyond the frame. Raises Malformed for a stream that ends too early, with category SIZE_LIMIT
    before a longer message is read, and what `receive` raises.
    """
    size = message_size(_exactly(receive, HEADER_SIZE), limit=limit)
    return _exactly(receive, size)


def _exactly(receive: Callable[[int], bytes], size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = receive(size - len(received))
        if not part:
            raise Malformed(f"frame: expected {size} bytes, got {len(received)} before the connection ended")
        received += part
    return bytes(received)


def _require_size(size: int, limit: int) -> None:
    if size > limit:
        raise Malformed(f"frame: expected at most {limit} bytes of message, got {size}", category=Category.SIZE_LIMIT)
