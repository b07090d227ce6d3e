"""Short messages between the processes of a harness, each with at most one descriptor: a line there, a line back."""

import socket
from typing import Final

from cvmproof_formats.errors import Misuse

LONGEST: Final = 64 * 1024  # bytes of a message
SEPARATOR: Final = "\t"
"""Between the words of a line where a space can be part of one."""
_DONE: Final = "ok"
_REFUSED: Final = "no"


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection that keeps messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, line: str, *descriptors: int) -> None:
    """Send a line."""
    socket.send_fds(end, [line.encode()], list(descriptors))


def receive(end: socket.socket) -> tuple[str, list[int]]:
    """Receive a line and what came with it; an empty one where the other end has gone."""
    data, descriptors, _, _ = socket.recv_fds(end, LONGEST, 1)
    return data.decode(), descriptors


def ask(end: socket.socket, line: str, *descriptors: int) -> str:
    """Send a line and give the answer.

    Raises Misuse where it is refused, ConnectionError where nobody is there any more.
    """
    try:
        send(end, line, *descriptors)
        answer, _ = receive(end)
    except OSError as error:
        raise ConnectionError("the server of the SIMULATED devices has ended") from error
    word, _, rest = answer.partition(" ")
    if word == _REFUSED:
        raise Misuse(rest)
    if word != _DONE:
        raise ConnectionError("the server of the SIMULATED devices has ended")
    return rest


def agree(end: socket.socket, text: str = "") -> None:
    """Answer a line."""
    send(end, f"{_DONE} {text}")


def refuse(end: socket.socket, why: str) -> None:
    """Answer a line with why not."""
    send(end, f"{_REFUSED} {why}")
