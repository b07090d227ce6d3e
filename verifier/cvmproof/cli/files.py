"""Files the user named: read with a bound, `-` is standard input."""

import sys
from pathlib import Path

from cvmproof.errors import Misuse
from cvmproof.spelling import escape

STDIN = "-"


def read_named(name: str, limit: int, what: str) -> bytes:
    """Read at most `limit` + 1 bytes, so that a longer file is seen to be too long.

    Raises Misuse for a file that is not there or can't be read.
    """
    if name == STDIN:
        return sys.stdin.buffer.read(limit + 1)
    try:
        with Path(name).open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Misuse(f"{what} {escape(name)}: can't be read: {reason}") from error


def title_of(name: str) -> str:
    """Give a file's name for a headline."""
    return "standard input" if name == STDIN else escape(Path(name).name)
