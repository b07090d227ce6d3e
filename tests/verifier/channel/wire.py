"""A recording TCP proxy on loopback: what a client put on the wire, record by record."""

import select
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from tests.verifier.channel.fake_agent import PATIENCE

HANDSHAKE, APPLICATION_DATA, CHANGE_CIPHER_SPEC, ALERT = 22, 23, 20, 21  # RFC 8446 section 5.1
HEADER = 5  # bytes
OVERHEAD = 17  # bytes of a protected record: content type and authentication tag


@dataclass(frozen=True, slots=True)
class Record:
    """One TLS record: outer content type, and length."""

    kind: int
    size: int


class Wire:
    """Forwards one connection to a port, and keeps what each side said."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.sent, self.answered = bytearray(), bytearray()
        self.client_is_gone = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        port: int = self._listening.getsockname()[1]
        return f"https://127.0.0.1:{port}"

    @property
    def records(self) -> list[Record]:
        """What the client sent, as records; all of them are whole."""
        return records(bytes(self.sent))

    @property
    def protected(self) -> list[Record]:
        """What the client sent under application traffic keys: behind its Finished, which is the first."""
        return [record for record in self.records if record.kind == APPLICATION_DATA][1:]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            client, _ = self._listening.accept()
        except OSError:
            return
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            self._forward(client, server)
            self.client_is_gone.set()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        routes = {client: (server, self.sent), server: (client, self.answered)}
        with suppress(OSError):
            while True:
                for source in select.select(list(routes), [], [], PATIENCE)[0]:
                    data = source.recv(65536)
                    sink, kept = routes[source]
                    kept += data
                    if not data:
                        return
                    sink.sendall(data)


def records(data: bytes) -> list[Record]:
    """Split a stream into TLS records."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 3 : at + HEADER], "big")
        found.append(Record(data[at], size))
        at += HEADER + size
    assert at == len(data)
    return found
