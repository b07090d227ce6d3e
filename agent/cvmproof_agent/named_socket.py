"""A unix socket with a name, for other processes of this guest."""

import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from cvmproof_formats.errors import EndpointError

_BACKLOG: Final = 16
_CREDENTIALS: Final = struct.Struct("=iII")  # struct ucred, unix(7): pid, uid, gid


def listen_at(path: Path, mode: int) -> socket.socket:
    """Listen at a path with these permissions, in place of a socket that a killed process left there.

    Gives a socket that doesn't block. Raises EndpointError where something else is, or somebody still listens.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        _remove_left_over(path)
        os.fchmod(listening.fileno(), 0o600)  # nobody else gets in between bind and chmod
        listening.bind(str(path))
        path.chmod(mode)
        listening.listen(_BACKLOG)
        listening.settimeout(0)
    except OSError as error:
        listening.close()
        raise EndpointError(f"can't listen at {path}: {error.strerror or error}") from error
    except EndpointError:
        listening.close()
        raise
    return listening


def peer_uid(connected: socket.socket) -> int:
    """Ask the kernel who connected: the effective uid at that time (SO_PEERCRED, unix(7))."""
    data = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(data)
    return int(uid)


def _remove_left_over(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise EndpointError(f"can't listen at {path}: something that is not a socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise EndpointError(f"can't listen at {path}: somebody listens there already")
