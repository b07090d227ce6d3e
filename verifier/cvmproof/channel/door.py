"""A private way into this process for gRPC, which can be given an address to connect to but no connection.

A unix socket that takes one connection, from this very process as the kernel says, and no other: whoever could connect
would ride a channel that was verified for somebody else. On Linux it has an abstract name (unix(7)): that is in no file
system and goes with the process, whenever it dies. Others can see the name and knock, and are turned away. It stays
ours for as long as gRPC may connect to it, so that nobody takes our place there. Elsewhere it has a name in a folder of
mode 0700, which goes with the first connection.
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
_RANDOM: Final = 16  # bytes: nobody can have taken the name before
_STALE: Final = 2.0  # seconds; what is younger may be in use
_BACKLOG: Final = socket.SOMAXCONN  # strangers may knock before we do, and must not fill it


class Target(str):
    """What gRPC connects to. On Linux the name is nobody else's while this object is around, unless the door closes."""

    __slots__ = ("__weakref__",)


class Door:
    """The listening socket; `target` is what gRPC connects to."""

    def __init__(self, *, named: bool = sys.platform != "linux") -> None:
        """Open it; `named` gives it a name in a folder instead of an abstract one."""
        self._folder: Path | None = None
        self._let_go: Callable[[], object] | None = None
        self._knocked = False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.target = self._bind_in_folder() if named else self._bind_abstract()
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
            self._tell_of_stranger()
            return None
        taken.settimeout(0)
        self.shut()
        return taken

    def shut(self) -> None:
        """Let nobody in any more; an abstract name stays ours."""
        if self._let_go is not None and self.socket.fileno() >= 0:
            self._turn_all_away()
        self.socket.close()
        self._remove_name()

    def close(self) -> None:
        """Give everything back; call it when gRPC no longer connects to `target`."""
        self.shut()
        if self._let_go is not None:
            self._let_go()  # not before: another process could listen by that name

    def _bind_abstract(self) -> Target:
        name = f"{PREFIX}{os.getpid()}-{os.urandom(_RANDOM).hex()}"
        self.socket.bind(f"\0{name}")
        target = Target(f"unix-abstract:{name}")
        # A second descriptor of the same socket: the name is in use for as long as either is open.
        letting_go = weakref.finalize(target, os.close, os.dup(self.socket.fileno()))
        letting_go.atexit = False  # gRPC's threads may outlive it: the kernel lets go when the process has ended
        self._let_go = letting_go
        return target

    def _bind_in_folder(self) -> Target:
        sweep_once()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))  # mode 0700
        path = self._folder / _NAME
        self.socket.bind(str(path))
        return Target(f"unix:{path}")

    def _turn_all_away(self) -> None:
        # The name outlives the descriptor, and with it those who wait would.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
            while True:
                self.socket.accept()[0].close()

    def _tell_of_stranger(self) -> None:
        # Any process may knock, and as often as it likes: one line is enough.
        level, self._knocked = logging.DEBUG if self._knocked else logging.WARNING, True
        _log.log(level, "refused a connection of another process to a verified channel")

    def _remove_name(self) -> None:
        if self._folder is not None:
            _remove(self._folder)
            self._folder = None


def sweep() -> None:
    """Remove the folders of processes of ours that were killed before gRPC had connected."""
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
