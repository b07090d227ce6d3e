"""Results go to standard output, in one piece; everything else to standard error."""

import sys
from collections.abc import Mapping

from cvmproof.errors import EndpointError
from cvmproof.rendering.terminal import Terminal
from cvmproof.spelling import escape


def write_text(text: str) -> None:
    """Write a result for people to standard output; the text is escaped where it must be.

    Raises EndpointError if it can't be written, BrokenPipeError if nobody reads.
    """
    terminal = Terminal.of(sys.stdout)
    _write(terminal.fit(text))


def write_json(document: Mapping[str, object]) -> None:
    """Write one JSON object to standard output, ASCII only; raises as `write_text` does."""
    import json

    _write(json.dumps(document, indent=1) + "\n")


def say(text: str) -> None:
    """Write a line to standard error; nobody has to read it."""
    stream = sys.stderr
    try:
        stream.write(Terminal.of(stream).fit(text) + "\n")
        stream.flush()
    except OSError:
        return


def say_error(message: str, hint: str = "") -> None:
    """Say what went wrong, and what to do next; remote text in it is escaped."""
    say(f"cvmproof: {escape(message, _MESSAGE_LIMIT)}")
    if hint:
        say(f"next: {escape(hint, _MESSAGE_LIMIT)}")


_MESSAGE_LIMIT = 4000  # characters


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"standard output: the result could not be written: {error.strerror}"
        raise EndpointError(message) from error
