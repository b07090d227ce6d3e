"""A plain pipe between a client's TLS connection and a gRPC server on a local socket, holding little either way."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable

from cvmproof_agent.limits import PIPE_SIZE
from cvmproof_agent.tls_stream import TlsStream

_TURNS = 16  # chunks before others get their turn, however fast this peer is


async def splice(stream: TlsStream, local: socket.socket) -> None:
    """Carry bytes both ways until either end is done; what the server said last still goes out.

    Raises ConnectionError and OSError as the two ends do.
    """
    loop = asyncio.get_running_loop()
    inbound = asyncio.ensure_future(_carry(stream.receive, lambda data: loop.sock_sendall(local, data)))
    outbound = asyncio.ensure_future(_carry(lambda size: loop.sock_recv(local, size), stream.send))
    try:
        done, _ = await asyncio.wait((inbound, outbound), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if inbound in done:
            local.shutdown(socket.SHUT_WR)
            await outbound
    finally:
        for task in (inbound, outbound):
            task.cancel()
        await asyncio.gather(inbound, outbound, return_exceptions=True)


async def _carry(receive: Callable[[int], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]) -> None:
    for turn in itertools.count(1):
        data = await receive(PIPE_SIZE)
        if not data:
            return
        await send(data)
        if turn % _TURNS == 0:
            await asyncio.sleep(0)
