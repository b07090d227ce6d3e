"""Logging to standard error: text for people, JSON lines for machines, ASCII only and cut where it gets long.

No nonce, key, exporter value or evidence is ever passed to a logger here, at any level; security.md AC-126.
"""

import json
import logging
import sys
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("text", "json")
_LIMIT: Final = 1000  # characters


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Put a record into a line."""
        document = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(self, record),
        }
        return json.dumps(document)


class TextLines(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Put a record into a line."""
        return f"{record.levelname.lower()}: {escape(_message(self, record))}"


def configure_logging(*, level: str, form: str | None) -> None:
    """Log what this package and gRPC have to say; text on a terminal and JSON otherwise, unless told."""
    handler = logging.StreamHandler()
    form = form or ("text" if sys.stderr.isatty() else "json")
    handler.setFormatter(TextLines() if form == "text" else JsonLines())
    for name in ("cvmproof_agent", "grpc"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())


def escape(text: str) -> str:
    """Spell a text so that it stays on its line and moves no cursor: printable ASCII, anything else as an escape."""
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text)


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + formatter.formatException(record.exc_info)
    return message if len(message) <= _LIMIT else f"{message[:_LIMIT]}... ({len(message)} characters)"
