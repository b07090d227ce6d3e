"""Tells systemd how we are: sd_notify(3), one datagram to the socket that the service manager named."""

import logging
import os
import socket
from collections.abc import Mapping
from typing import Final

_log = logging.getLogger(__name__)

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"


def notify(state: str, environment: Mapping[str, str] | None = None) -> None:
    """Send a state, where anybody wants to know."""
    path = (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect("\0" + path[1:] if path.startswith("@") else path)
            sender.send(state.encode())
    except OSError as error:
        _log.warning("the service manager could not be told %s: %s", state, error.strerror)


def watchdog_seconds(environment: Mapping[str, str] | None = None) -> float | None:
    """Say how often it wants to hear that we are alive: twice as often as it asks for, None where it doesn't."""
    environment = os.environ if environment is None else environment
    microseconds, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or int(microseconds) == 0 or pid != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
