"""A unix socket without a name: bound in a folder of our own, then unlinked, and reached through a descriptor.

Nobody else can open it, not even under our own uid once the process is not dumpable, and whatever becomes of the
process no file stays behind. Linux: connect(2) follows /proc/self/fd/N to the socket itself.
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

PREFIX: Final = "cvmproof-agent-"
_NAME: Final = "grpc"


class PrivateSocket:
    """Somebody else listens on it; we connect. Owns a descriptor."""

    def __init__(self, descriptor: int) -> None:
        """Take a descriptor of the socket file (O_PATH)."""
        self._descriptor = descriptor

    @classmethod
    def bind(cls, listen: Callable[[str], object]) -> Self:
        """Let `listen` bind to a path that is gone once this returns; raises OSError."""
        folder = _temporary() / f"{PREFIX}{os.getpid()}-{os.urandom(8).hex()}"
        folder.mkdir(0o700)
        descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        try:
            # By its descriptor a path is short enough for unix(7), wherever temporary files lie.
            listen(f"/proc/self/fd/{descriptor}/{_NAME}")
            return cls(os.open(_NAME, os.O_PATH | os.O_CLOEXEC, dir_fd=descriptor))
        finally:
            os.close(descriptor)
            _remove(folder)

    @property
    def path(self) -> str:
        """A path that works in this process only."""
        return f"/proc/self/fd/{self._descriptor}"

    def connect(self, name: str = "") -> socket.socket:
        """Connect, calling ourselves by an abstract name where one is given; the socket does not block afterwards.

        Raises OSError.
        """
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            if name:
                connected.bind(f"\0{name}")
            # Blocks no longer than the server needs to be scheduled: connections are fewer than its backlog.
            connected.connect(self.path)
            connected.settimeout(0)
        except BaseException:
            connected.close()
            raise
        return connected

    def close(self) -> None:
        """Let go of it; connections go on."""
        os.close(self._descriptor)


def sweep() -> None:
    """Remove folders that a process of ours left when it was killed while it bound a socket."""
    for folder in _temporary().glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and folder.lstat().st_uid == os.geteuid():
            _remove(folder)


def _temporary() -> Path:
    # As `tempfile` has it, which loads more than the rest of the agent's own code together.
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 -- what is made there is new, and 0700


def _remove(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        return
    try:
        (folder / _NAME).unlink(missing_ok=True)
        folder.rmdir()
    except OSError:
        return  # something of ours is not in there: it stays
