"""One TLS connection on an event loop: bytes in, bytes out, and the exporter.

The socket does not block, and OpenSSL reads and writes it itself, so at most a record is held in each direction. All
calls come from the loop's thread. Faults of the peer are ConnectionError; its regular end is no bytes.
"""

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from OpenSSL import SSL

from cvmproof_formats.binding import EKM_SIZE, EXPORTER_LABEL

_Result = TypeVar("_Result")
_LINGER_SECONDS, _LINGER_READS, _LINGER_SIZE = 1.0, 16, 16 * 1024


class TlsStream:
    """The server's end of a connection; owns the socket."""

    def __init__(self, sock: socket.socket, context: SSL.Context, *, stall_seconds: float) -> None:
        """Take a connected socket that does not block, and how long a peer may take nothing of what waits for it."""
        self._loop = asyncio.get_running_loop()
        self._socket, self._fd = sock, sock.fileno()
        self._connection = SSL.Connection(context, sock)
        self._connection.set_accept_state()
        self._stall = stall_seconds
        self._waiting: dict[bool, set[asyncio.Future[None]]] = {False: set(), True: set()}

    async def handshake(self) -> bytes:
        """Complete the handshake; gives the ALPN name that was negotiated, none where there was none."""
        await self._retry(self._connection.do_handshake)
        if self._connection.get_protocol_version() != SSL.TLS1_3_VERSION:
            raise ConnectionError(f"expected TLS 1.3, got {self._connection.get_protocol_version_name()}")
        return self._connection.get_alpn_proto_negotiated()

    def export(self, nonce: bytes) -> bytes:
        """Export 32 bytes of keying material for a nonce; only once the handshake is complete."""
        return self._connection.export_keying_material(EXPORTER_LABEL, EKM_SIZE, nonce)

    async def receive(self, size: int) -> bytes:
        """Receive 1 to `size` bytes, none at the end."""
        try:
            return await self._retry(partial(self._connection.recv, size))
        except SSL.ZeroReturnError:
            return b""

    async def send(self, data: bytes) -> None:
        """Send all of it; raises ConnectionError where the peer takes nothing for too long."""
        view = memoryview(data)
        while view:
            view = view[await self._retry(partial(self._connection.send, view)) :]

    async def anything(self) -> None:
        """Return once the peer sent anything at all, or ended; what it sent is not read."""
        if not (self._connection.pending() or self._is_readable()):
            await self._until(writable=False)

    async def end(self) -> None:
        """Say goodbye, and let the peer read what it was told: closing with its bytes unread would reset them away."""
        with contextlib.suppress(SSL.Error, OSError):
            self._connection.shutdown()
            self._socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_LINGER_SECONDS):
                for _ in range(_LINGER_READS):
                    if not await self._loop.sock_recv(self._socket, _LINGER_SIZE):
                        return

    def close(self) -> None:
        """Say goodbye if that takes no waiting, and close."""
        with contextlib.suppress(SSL.Error):
            self._connection.shutdown()
        self._socket.close()

    def _is_readable(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    async def _retry(self, call: Callable[[], _Result]) -> _Result:
        while True:
            try:
                return call()
            except SSL.WantReadError:
                await self._until(writable=False)
            except SSL.WantWriteError:
                await self._until_taken()
            except SSL.ZeroReturnError:
                raise
            except SSL.Error as error:
                raise ConnectionError(_spell(error)) from error

    async def _until_taken(self) -> None:
        try:
            async with asyncio.timeout(self._stall):
                await self._until(writable=True)
        except TimeoutError as error:
            raise ConnectionError(f"the peer took nothing for {self._stall:g} s") from error

    async def _until(self, *, writable: bool) -> None:
        # Reading may have to wait for writing (a key update) while somebody writes: so any number may wait for either.
        waiting = self._waiting[writable]
        if not waiting:
            (self._loop.add_writer if writable else self._loop.add_reader)(self._fd, _wake, waiting)
        future = self._loop.create_future()
        waiting.add(future)
        try:
            await future
        finally:
            waiting.discard(future)
            if not waiting:
                (self._loop.remove_writer if writable else self._loop.remove_reader)(self._fd)


def _wake(waiting: set[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


def _spell(error: SSL.Error) -> str:
    """Name an error of OpenSSL: its reasons, which are texts of the library and not of the peer."""
    if isinstance(error, SSL.SysCallError):
        return f"TLS: {error.args[-1]}"
    return "TLS: " + "; ".join(str(reason[-1]) for reason in error.args[0]) if error.args else "TLS failed"
