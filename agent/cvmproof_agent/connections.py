"""Accepts the connections of one listening socket, each a task of its own, and ends them when it is time."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.1  # out of descriptors: some connection has to end first


class Connections:
    """Owns a listening socket that doesn't block; all calls come from one event loop."""

    def __init__(self, listening: socket.socket, serve: Callable[[socket.socket, str], Awaitable[None]]) -> None:
        """Take what serves a connection, for its socket and the peer's host ("" for a unix socket).

        It may raise nothing but OSError; the socket is closed when it is done.
        """
        self._listening, self._serve = listening, serve
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self) -> None:
        """Accept until cancelled; what was accepted goes on."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    client, address = await loop.sock_accept(self._listening)
                except OSError as error:  # out of descriptors, or a client that left in the queue
                    _log.warning("could not accept a connection: %s", error.strerror)
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                task = loop.create_task(self._connection(client, str(address[0]) if address else ""))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            self._listening.close()

    async def drain(self, seconds: float) -> None:
        """Give open connections that long to end, then end them."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _connection(self, client: socket.socket, host: str) -> None:
        try:
            await self._serve(client, host)
        except OSError as error:  # the peer's doing: ConnectionError and TimeoutError are OSErrors
            _log.debug("%s: %s", host, error)
        except Exception:  # noqa: BLE001 -- our own bug ends this connection and no other
            _log.exception("%s: a bug of cvmproof-agent", host)
        finally:
            client.close()
