"""The one place that states the version and when it was released; the build and the command lines read it here."""

from datetime import UTC, datetime

__version__ = "0.1.0"
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
