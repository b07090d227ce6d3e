"""What the other end of standard output can show: colours, marks and lines, or their plain forms.

Nothing here needs a library: a verdict is drawn in a few milliseconds, and rich would take ten times as long to import.
"""

import os
from typing import Final, Protocol

# SGR codes, ECMA-48 section 8.3.117.
_COLOURS: Final = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}

# What a terminal without Unicode gets instead.
_ASCII: Final = str.maketrans(
    {"├": "|", "└": "`", "─": "-", "│": "|", "✔": "+", "✘": "x", "○": "o", "…": "..", "·": "-", "→": "->", "≥": ">="}
)


class Stream(Protocol):
    """The part of a text stream that matters here."""

    @property
    def encoding(self) -> str:
        """The name of its encoding."""

    def isatty(self) -> bool:
        """Whether somebody looks at it."""


class Terminal:
    """How to mark and colour text for one stream."""

    def __init__(self, *, fancy: bool, encoding: str = "utf-8") -> None:
        """Take whether somebody looks at it (`fancy`), and the encoding of the stream."""
        self.fancy = fancy
        self._encoding = encoding

    @classmethod
    def of(cls, stream: Stream) -> "Terminal":
        """Look at a stream; NO_COLOR, FORCE_COLOR and TERM=dumb are heeded as everywhere."""
        wanted = bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")
        fancy = wanted and not os.environ.get("NO_COLOR")
        return cls(fancy=fancy, encoding=stream.encoding or "ascii")

    def paint(self, text: str, *styles: str) -> str:
        """Colour text, where colours are seen."""
        if not self.fancy or not styles:
            return text
        return f"\x1b[{';'.join(_COLOURS[style] for style in styles)}m{text}\x1b[0m"

    def mark(self, outcome: str) -> str:
        """Mark an outcome: "pass", "fail", anything else is open."""
        fancy, plain, colour = {"pass": ("✔", "ok", "green"), "fail": ("✘", "FAIL", "red")}.get(
            outcome, ("○", "open", "yellow")
        )
        return self.paint(fancy, colour, "bold") if self.fancy else f"{plain:<4}"

    def fit(self, text: str) -> str:
        """Replace what the stream's encoding lacks."""
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
        return text
