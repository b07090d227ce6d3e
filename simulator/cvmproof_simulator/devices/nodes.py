"""A tree of files and folders that are served to programs; what is in them is decided when somebody asks.

Every method may raise OSError, which is what the program gets to see.
"""

import errno
import os
import stat
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from cvmproof_simulator.devices.memory import Memory

TEXT_SIZE: Final = 4096
"""st_size of text attributes in configfs and sysfs, Linux fs/configfs and fs/sysfs: a page."""


def refusal(number: int) -> OSError:
    """The error that a program gets to see."""
    return OSError(number, os.strerror(number))


class Opened:
    """A file while somebody has it open; what is not offered is refused as the kernel does."""

    def read(self, size: int, offset: int) -> bytes:
        """Give bytes of it."""
        del size, offset
        raise refusal(errno.EINVAL)

    def write(self, data: bytes, offset: int) -> int:
        """Take bytes, and say how many."""
        del data, offset
        raise refusal(errno.EINVAL)

    def flush(self) -> None:
        """One descriptor of it was closed."""

    def control(self, command: int, argument: int, memory: Memory) -> int:
        """Answer ioctl(2)."""
        del command, argument, memory
        raise refusal(errno.ENOTTY)


class Node:
    """Whatever has a name."""

    def __init__(self, mode: int, size: int = 0) -> None:
        """Take type and permissions as st_mode has them."""
        self.mode, self.size = mode, size


class File(Node):
    """A file; `opening` makes what somebody who opens it holds."""

    def __init__(self, permissions: int, opening: Callable[[], Opened], *, size: int = 0) -> None:
        """Take the permissions and what opens it."""
        super().__init__(stat.S_IFREG | permissions, size)
        self._opening = opening

    def open(self, flags: int) -> Opened:
        """Open it, even by root only in a way that it can be used: EACCES, as in configfs and sysfs."""
        wanted = flags & os.O_ACCMODE
        readable, writable = self.mode & 0o444, self.mode & 0o222
        if (wanted != os.O_WRONLY and not readable) or (wanted != os.O_RDONLY and not writable):
            raise refusal(errno.EACCES)
        return self._opening()


class Folder(Node):
    """A folder that does not change, unless it is told to."""

    def __init__(self, members: Mapping[str, Node] | None = None, *, permissions: int = 0o755) -> None:
        """Take what is in it."""
        super().__init__(stat.S_IFDIR | permissions)
        self.members: dict[str, Node] = dict(members or {})

    def make_folder(self, name: str) -> Node:
        """mkdir(2)."""
        del name
        raise refusal(errno.EPERM)

    def remove_folder(self, name: str) -> None:
        """rmdir(2)."""
        del name
        raise refusal(errno.EPERM)


class Content(Opened):
    """What a file says, as it was when it was first read; kept while it is open, as configfs and sysfs do."""

    def __init__(self, give: Callable[[], bytes]) -> None:
        """Take what gives it."""
        self._give, self._kept = give, b""
        self._read = False

    def read(self, size: int, offset: int) -> bytes:
        """Give bytes of it; what could not be had is asked for again."""
        if not self._read:
            self._kept, self._read = self._give(), True
        return self._kept[offset : offset + size]


class Line(Opened):
    """A text attribute that is written at once."""

    def __init__(self, take: Callable[[str], None]) -> None:
        """Take what takes the text."""
        self._take = take

    def write(self, data: bytes, offset: int) -> int:
        """Take the text; at most a page counts."""
        del offset
        self._take(data[:TEXT_SIZE].decode("latin-1"))
        return len(data)


def text(give: Callable[[], str]) -> File:
    """A text attribute to read, with a new line behind."""
    return File(0o444, partial(_line_of, give), size=TEXT_SIZE)


def _line_of(give: Callable[[], str]) -> Content:
    def give_line() -> bytes:
        return f"{give()}\n".encode()

    return Content(give_line)


def line(take: Callable[[str], None]) -> File:
    """A text attribute to write."""
    return File(0o200, lambda: Line(take), size=TEXT_SIZE)


def blob(give: Callable[[], bytes], *, permissions: int = 0o444, size: int = 0) -> File:
    """A binary attribute to read."""
    return File(permissions, lambda: Content(give), size=size)
