"""Text forms of bytes, read strictly: one spelling for each value, anything else refused.

Hexadecimal in lower or upper case; base64 as RFC 4648 section 4, padded, without white space, with zero trailing bits.
JSON as RFC 8259, without duplicate names, NaN, infinities or a byte order mark.
"""

import base64
import binascii
import json
import re
from collections import Counter

from cvmproof_formats.errors import Category, Malformed

_HEX = re.compile(r"[0-9a-fA-F]*", re.ASCII)


def read_hex(text: str, *, what: str, size: int | None = None) -> bytes:
    """Read hexadecimal digits; `size` is the number of bytes expected.

    Raises Malformed.
    """
    if not _HEX.fullmatch(text) or len(text) % 2:
        raise Malformed(f"{what}: expected an even number of hexadecimal digits and nothing else")
    data = bytes.fromhex(text)
    if size is not None and len(data) != size:
        raise Malformed(f"{what}: expected {size} bytes ({2 * size} hexadecimal digits), got {len(data)}")
    return data


def read_base64(text: str, *, what: str, size: int | None = None) -> bytes:
    """Read canonical padded base64 in the standard alphabet; `size` is the number of bytes expected.

    Raises Malformed.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"{what}: expected base64 (RFC 4648 section 4): {error}") from error
    if write_base64(data) != text:
        # Two spellings of one value would give one piece of evidence two digests.
        raise Malformed(f"{what}: expected canonical base64, got other bits behind the last byte")
    if size is not None and len(data) != size:
        raise Malformed(f"{what}: expected {size} bytes, got {len(data)}")
    return data


def write_base64(data: bytes) -> str:
    """Write canonical padded base64."""
    return base64.b64encode(data).decode("ascii")


def read_json(data: bytes, *, what: str, limit: int) -> object:
    """Read one JSON value from at most `limit` bytes of UTF-8.

    Raises Malformed, with category SIZE_LIMIT where there are too many bytes.
    """
    require_size(data, what=what, limit=limit)
    try:
        value: object = json.loads(
            data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what}: expected strict JSON: {str(error) or type(error).__name__}") from error
    return value


def require_size(data: bytes, *, what: str, limit: int) -> None:
    """Refuse more than `limit` bytes before anything looks at them.

    Raises Malformed (SIZE_LIMIT).
    """
    if len(data) > limit:
        raise Malformed(f"{what}: expected at most {limit} bytes, got {len(data)}", category=Category.SIZE_LIMIT)


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name in counts if counts[name] > 1)
        raise ValueError(f"the name {twice[:40]!r} stands twice in one object")
    return result


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
