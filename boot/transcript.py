"""What a run showed, as a page: commands and what they printed, without escape sequences and shortened where long."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LONGEST: Final = 45  # lines of one output; more lose their middle
WIDEST: Final = 160  # characters of a line
_LOGGED = re.compile(r"\{\"time\".*\}$")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One machine's part of the page."""

    title: str
    _parts: list[str] = field(default_factory=list)

    def head(self, words: str) -> None:
        """Begin a section."""
        self._parts.append(f"\n### {words}\n")

    def add(self, command: str, output: str) -> None:
        """Note a command and its output."""
        said = [shorten(output)] if output.strip() else []
        self._parts.append("\n".join(["```console", f"$ {command}", *said, "```", ""]))

    def text(self) -> str:
        """Everything so far, in Markdown."""
        return f"## {self.title}\n" + "\n".join(self._parts)


def shorten(output: str) -> str:
    """Take out what a terminal would obey, and the middle of what is long."""
    lines = [_plain(line) for line in output.replace("\r", "").strip("\n").split("\n")]
    if len(lines) > LONGEST:
        half = LONGEST // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} lines ..."]
    return "\n".join(lines)


def _plain(line: str) -> str:
    line = _LOGGED.sub(_words, _ESCAPES.sub("", line).rstrip())
    if len(line) > WIDEST:
        line = re.sub(" {3,}", "  ", line)
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 3]}..."


def _words(logged: re.Match[str]) -> str:
    """Give what one of our log lines says, without the JSON around it."""
    try:
        said = json.loads(logged[0])
        return f"{said['level']}: {said['message']}"
    except (ValueError, KeyError):
        return logged[0]


def write_page(path: Path, introduction: str, transcripts: Iterable[Transcript]) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = (introduction.strip(), *(each.text().strip() for each in transcripts))
    path.write_text("\n\n".join(parts) + "\n", "utf-8")
