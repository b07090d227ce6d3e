"""Columns of text for lists and fields."""

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], *, indent: str = "", gap: str = "  ") -> str:
    """Put rows of equally many cells into columns, a line each."""
    if not rows:
        return ""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{indent}{line}\n" for line in lines)
