"""A SIMULATED quote generation service for one connection, which answers as a test says."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.agent.machine import SOON

from cvmproof_agent.devices.tdx.qgs_message import write_frame

Answering = Callable[[socket.socket, bytes], None]
"""Given the connection and the request's message, without the frame around it."""


@dataclass
class Service:
    """What was asked of it; `connect` is what an agent's `QuoteService` takes."""

    answering: Answering
    ports: list[int] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def connect(self, port: int, *, seconds: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.ports.append(port)
        self.threads.append(threading.Thread(target=self._serve, args=(ours,)))
        self.threads[-1].start()
        theirs.settimeout(seconds)
        return theirs

    def _serve(self, connected: socket.socket) -> None:
        with connected:
            connected.settimeout(SOON)
            size = int.from_bytes(_exactly(connected, 4), "big")
            self.requests.append(_exactly(connected, size))
            try:
                self.answering(connected, self.requests[-1])
            except BrokenPipeError:
                return  # the agent has seen enough


def _exactly(connected: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connected.recv(size - len(received))
        assert part, "the request ended too early"
        received += part
    return received


@contextmanager
def service(answering: Answering) -> Iterator[Service]:
    """A service that is over when every connection to it is."""
    made = Service(answering)
    yield made
    for thread in made.threads:
        thread.join(SOON)
        assert not thread.is_alive()


def says(message: bytes) -> Answering:
    """Answers with one message."""
    return lambda connected, _: connected.sendall(write_frame(message))


def sends(data: bytes) -> Answering:
    """Sends bytes that need not be a frame, and hangs up."""
    return lambda connected, _: connected.sendall(data)


def hangs(data: bytes = b"") -> Answering:
    """Sends some bytes, and then nothing until the agent hangs up."""

    def answer(connected: socket.socket, _: bytes) -> None:
        connected.sendall(data)
        assert connected.recv(1) == b""

    return answer


def dribbles(data: bytes, gate: threading.Event) -> Answering:
    """Sends a byte now and then."""

    def answer(connected: socket.socket, _: bytes) -> None:
        for byte in data:
            connected.sendall(bytes([byte]))
            gate.wait(0.05)

    return answer
