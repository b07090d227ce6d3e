"""Names that become part of a path: what they may be, and how they stand there."""

from urllib.parse import quote

from cvmproof.spelling import escape
from cvmproof_formats.errors import Misuse

LONGEST = 256  # characters; the service's own are UUIDs of 36


def is_identifier(text: str) -> bool:
    """Say whether a text can be one segment of a path: printable, not too long, no slash, no dot segment."""
    return 0 < len(text) <= LONGEST and text.isprintable() and not set(text) & set("/\\") and text not in (".", "..")


def segment(text: str, what: str) -> str:
    """Percent-encode a name for a path (RFC 3986 section 3.3).

    Raises Misuse for what cannot be one segment.
    """
    if not is_identifier(text):
        message = f"{what}: expected 1 to {LONGEST} printable characters without slashes, got {escape(text, 80)!r}"
        raise Misuse(message)
    return quote(text, safe="")
