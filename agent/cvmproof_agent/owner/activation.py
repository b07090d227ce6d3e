"""The socket that a service manager listened on for us: sd_listen_fds(3)."""

import os
import socket
from collections.abc import Mapping
from typing import Final

from cvmproof_formats.errors import EndpointError

_FIRST: Final = 3  # SD_LISTEN_FDS_START


def inherited_socket(environment: Mapping[str, str] | None = None) -> socket.socket | None:
    """Take over the listening unix socket that was handed to this process, None where there is none.

    Raises EndpointError for more than one, and for anything else than such a socket.
    """
    environment = os.environ if environment is None else environment
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = environment.get("LISTEN_FDS", "0")
    if count != "1":
        raise EndpointError(f"expected one inherited socket, got {count!r:.20}")
    try:
        found = socket.socket(fileno=_FIRST)
    except OSError as error:
        raise EndpointError(f"the inherited descriptor is no socket: {error.strerror}") from error
    found.set_inheritable(False)
    listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if found.family != socket.AF_UNIX or found.type != socket.SOCK_STREAM or not listens:
        found.close()
        raise EndpointError("the inherited socket is no listening unix stream socket")
    return found
