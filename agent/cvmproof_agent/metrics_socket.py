"""Metrics for a scraper of this guest: HTTP/1.0, one path, read-only, on a unix socket or a loopback address."""

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Final

from cvmproof_agent.listener import listen_on
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.named_socket import listen_at
from cvmproof_formats.errors import EndpointError, Misuse

MODE: Final = 0o660
_UNIX: Final = "unix:"
_REQUEST_LIMIT: Final = 4096  # bytes
_SECONDS: Final = 5.0
_CONNECTIONS: Final = 4  # at a time; another waits for a moment


class MetricsSocket:
    """Answers `GET /metrics`; all calls come from one event loop."""

    def __init__(self, metrics: Metrics) -> None:
        """Take what is counted."""
        self._metrics = metrics
        self._places = asyncio.Semaphore(_CONNECTIONS)

    async def serve(self, client: socket.socket, _: str) -> None:
        """Serve one connection; raises OSError."""
        async with self._places, asyncio.timeout(_SECONDS):
            loop = asyncio.get_running_loop()
            received = b""
            while b"\r\n\r\n" not in received and len(received) < _REQUEST_LIMIT:
                part = await loop.sock_recv(client, _REQUEST_LIMIT - len(received))
                if not part:
                    return
                received += part
            await loop.sock_sendall(client, self._answer(received))

    def _answer(self, request: bytes) -> bytes:
        if not request.startswith(b"GET /metrics HTTP/1."):
            return _response("404 Not Found", "GET /metrics\n")
        return _response("200 OK", self._metrics.render())


def listen_for_metrics(where: str) -> tuple[socket.socket, Path | None]:
    """Listen at "unix:PATH" or at a loopback "ADDRESS:PORT"; gives a socket that doesn't block, and its path.

    Raises Misuse for any other address, EndpointError where it can't.
    """
    if where.startswith(_UNIX):
        path = Path(where.removeprefix(_UNIX))
        return listen_at(path, MODE), path
    host, port = _loopback(where)
    try:
        return listen_on(host, port), None
    except OSError as error:
        raise EndpointError(f"can't listen on {where} for metrics: {error.strerror or error}") from error


def _loopback(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    try:
        if ipaddress.ip_address(host).is_loopback and port.isascii() and int(port) in range(1 << 16):
            return host, int(port)
    except ValueError:
        pass  # refused below, like an address of the network
    raise Misuse(f"metrics: expected unix:PATH or a loopback ADDRESS:PORT, got {where!r:.100}")


def _response(status: str, body: str) -> bytes:
    kind = "text/plain; version=0.0.4; charset=utf-8"
    head = f"HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    return (head + body).encode()
