"""Somebody in between, with the machine's TLS key: every byte passes in clear, and on to the machine.

It ends a client's TLS with the key it has, speaks TLS to the machine itself, under the protocol that the client chose,
and carries everything both ways. Neither end can tell by looking at a certificate.
"""

import select
import socket
from contextlib import suppress
from threading import Event, Thread
from typing import Final, Self

from OpenSSL import SSL

_RECORD: Final = 16 * 1024  # bytes, RFC 8446 section 5.1
_PAUSE: Final = 0.02  # seconds


class Relay:
    """Stands in front of the machine at `behind` while its context lasts, for one client after the other."""

    def __init__(self, context: SSL.Context, behind: tuple[str, int]) -> None:
        """Take a TLS server's context, with the machine's key, and where the machine is."""
        self._context, self._behind = context, behind
        self._heard = bytearray()
        self._stopping = Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_PAUSE)
        self.port: int = self._listening.getsockname()[1]
        self._thread = Thread(target=self._accept, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._listening.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def heard(self) -> bytes:
        """What clients have said so far, in clear."""
        return bytes(self._heard)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                taken, _ = self._listening.accept()
                with taken, suppress(SSL.Error, OSError), socket.create_connection(self._behind) as onwards:
                    self._relay(taken, onwards)

    def _relay(self, taken: socket.socket, onwards: socket.socket) -> None:
        """Carry until either end is done, which raises SSL.Error."""
        for each in (taken, onwards):
            each.settimeout(0)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = SSL.Connection(self._context, taken)
        client.set_accept_state()
        self._shake_hands(client)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_alpn_protos([client.get_alpn_proto_negotiated()])
        machine = SSL.Connection(context, onwards)
        machine.set_connect_state()
        self._shake_hands(machine)
        while not self._stopping.is_set():
            said, answered = self._receive(client), self._receive(machine)
            self._heard += said
            self._send(machine, said)
            self._send(client, answered)
            if not said and not answered:
                select.select([taken, onwards], [], [], _PAUSE)

    def _shake_hands(self, connection: SSL.Connection) -> None:
        while not self._stopping.is_set():
            try:
                connection.do_handshake()
            except SSL.WantReadError:
                select.select([connection], [], [], _PAUSE)
            else:
                return

    def _receive(self, connection: SSL.Connection) -> bytes:
        try:
            return connection.recv(_RECORD)
        except SSL.WantReadError:
            return b""

    def _send(self, connection: SSL.Connection, data: bytes) -> None:
        while data and not self._stopping.is_set():
            try:
                data = data[connection.send(data) :]
            except SSL.WantWriteError:
                select.select([], [connection], [], _PAUSE)
