"""Tables of the kernel's, such as those in /proc: text, a line an entry."""

from pathlib import Path


def lines(path: Path) -> list[str]:
    """Read the lines of a table; none where it isn't there."""
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
