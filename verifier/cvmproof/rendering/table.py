"""A table for a terminal: a head, aligned columns, cut to the width there is.

Cells are text that was escaped already. Characters that take two columns are counted as two.
"""

import shutil
import unicodedata
from collections.abc import Sequence

from cvmproof.rendering.terminal import Stream, Terminal

CELL_LIMIT = 64  # columns, of cells that may be cut
_NARROWEST = 8  # columns that a cell keeps however narrow the terminal is
_GAP = "  "


def width_of(stream: Stream) -> int | None:
    """Give the columns of the terminal that a stream goes to; None where it goes elsewhere and nothing need fit."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, terminal: Terminal, width: int | None, whole: int = 1
) -> str:
    """Draw rows of equally many cells under a head.

    The first `whole` columns are as wide as they need to be, the others at most 64, and less if `width` is not enough.
    """
    cells = [[terminal.fit(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(display_width, column)) for column in zip(*cells, strict=True)]
    widths = [*widths[:whole], *(min(one, CELL_LIMIT) for one in widths[whole:])]
    if width is not None:
        _shrink(widths, whole, width - len(_GAP) * (len(widths) - 1))
    dots = terminal.fit("…")
    first, *others = (_line(row, widths, dots, width) for row in cells)
    return "".join(f"{line}\n" for line in (terminal.paint(first, "bold"), *others))


def cut(text: str, width: int, dots: str = "…") -> str:
    """Cut a text to so many columns, and show that it was."""
    if display_width(text) <= width:
        return text
    room, kept = max(width - len(dots), 0), 0
    for character in text:
        room -= display_width(character)
        if room < 0:
            break
        kept += 1
    return text[:kept] + dots


def display_width(text: str) -> int:
    """Count the columns that a text takes (Unicode annex 11)."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _shrink(widths: list[int], whole: int, width: int) -> None:
    """Take from the widest columns until all fit, or each is as narrow as it may be."""
    while sum(widths) > width:
        widest = max(range(whole, len(widths)), key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _line(cells: Sequence[str], widths: Sequence[int], dots: str, width: int | None) -> str:
    fitting = (cut(cell, one, dots) for cell, one in zip(cells, widths, strict=True))
    padded = (cell + " " * (one - display_width(cell)) for cell, one in zip(fitting, widths, strict=True))
    line = _GAP.join(padded).rstrip()
    return line if width is None else cut(line, width, dots)
