"""Logging to standard error, text or JSON lines; configured only where something may be logged."""

import json
import logging
import sys
from collections.abc import Mapping

from cvmproof.spelling import escape

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LIMIT = 1000  # characters


class JsonLines(logging.Formatter):
    """One JSON object a line, ASCII only."""

    def format(self, record: logging.LogRecord) -> str:
        """Put a record into a line."""
        document = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": escape(record.getMessage(), _LIMIT),
        }
        return json.dumps(document)


class TextLines(logging.Formatter):
    """A line for people, escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Put a record into a line."""
        return f"{record.levelname.lower()}: {escape(record.getMessage(), _LIMIT)}"


def configure_logging(settings: Mapping[str, str]) -> None:
    """Log to standard error at the level and in the form that the settings say."""
    default = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler()
    handler.setFormatter(TextLines() if settings.get("log_format", default) == "text" else JsonLines())
    logger = logging.getLogger("cvmproof")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(_LEVELS[settings.get("log_level", "warning")])
