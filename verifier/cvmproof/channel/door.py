"""A private way into this process for gRPC, which can be given an address to connect to but no connection.

A unix socket in a folder of mode 0700 that takes one connection, from this very process, and no other. Its name is gone
before anybody is let in: on Linux the socket is reached through its own descriptor, elsewhere its name goes with the
first connection. Whoever could connect would ride a channel that was verified for somebody else.
"""

import contextlib
import logging
import os
import socket
import stat
import struct
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)
_UCRED: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
_SOL_LOCAL, _LOCAL_PEERPID = 0, 2  # sys/un.h of macOS
PREFIX: Final = "cvmproof-channel-"
_NAME: Final = "channel"
_STALE: Final = 2.0  # seconds; a name lives for less than a thousandth of that
_BACKLOG: Final = 8  # strangers may knock before we do


class Door:
    """The listening socket; `target` is what gRPC connects to."""

    def __init__(self, *, by_descriptor: bool = sys.platform == "linux") -> None:
        """Open it; `by_descriptor` removes its name at once."""
        self._let_go: Callable[[], object] | None = None
        sweep_once()
        self._folder: Path | None = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))  # mode 0700
        path = self._folder / _NAME
        self.target = f"unix:{path}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.bind(str(path))
            if by_descriptor:
                by_path = os.open(path, os.O_PATH | os.O_CLOEXEC)
                self._let_go = weakref.finalize(self, os.close, by_path)
                self._remove_name()
                self.target = f"unix:/proc/self/fd/{by_path}"
            self.socket.listen(_BACKLOG)
            self.socket.settimeout(0)
        except BaseException:
            self.close()
            raise

    def take(self) -> socket.socket | None:
        """Take a connection that is waiting, if it is our own; then there is no other. None for a stranger's."""
        try:
            taken, _ = self.socket.accept()
        except BlockingIOError:
            return None
        if peer_process(taken) != os.getpid():
            taken.close()
            _log.warning("refused a connection of another process to a verified channel")
            return None
        taken.settimeout(0)
        self.shut()
        return taken

    def shut(self) -> None:
        """Let nobody in any more."""
        self.socket.close()
        self._remove_name()

    def close(self) -> None:
        """Give everything back; call it when gRPC no longer connects to `target`."""
        self.shut()
        if self._let_go is not None:
            self._let_go()  # not before: another channel's socket could get the same number

    def _remove_name(self) -> None:
        if self._folder is not None:
            _remove(self._folder)
            self._folder = None


def sweep() -> None:
    """Remove what processes of ours left that were killed within the moment between making a name and removing it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        with contextlib.suppress(OSError, ValueError):
            found, pid = folder.lstat(), int(folder.name.removeprefix(PREFIX).partition("-")[0])
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and _is_old(found) and _is_gone(pid):
                _remove(folder)


@lru_cache(maxsize=1)
def sweep_once() -> None:
    """Sweep, the first time in this process."""
    sweep()


def _is_old(found: os.stat_result) -> bool:
    # In another container with the same folder, the process may well live under a number that we can't see.
    return time.time() - found.st_mtime > _STALE


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / _NAME).unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def peer_process(connected: socket.socket) -> int:
    """Give the process id at the other end of a unix socket, as the kernel knows it."""
    if sys.platform == "darwin":
        return connected.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid: int = _UCRED.unpack(credentials)[0]
    return pid
