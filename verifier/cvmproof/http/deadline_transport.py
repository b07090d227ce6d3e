"""One deadline over everything a connection does.

Timeouts of HTTP libraries start anew with every read, so a peer that sends one byte now and then holds a connection for
as long as it likes. Here each wait is cut to what is left of the deadline; only the resolver, which takes
no timeout, keeps its own. Imported only when something is fetched. Its twin for asyncio is `asyncio.timeout`, which
ends every kind of waiting.
"""

import ssl
from collections.abc import Callable, Iterable, Iterator

import httpcore
import httpx

Remaining = Callable[[], float]


class DeadlineTransport(httpx.BaseTransport):
    """HTTP/1.1 with a new connection per request; no proxy, no redirect, no retry, no cookie.

    Raises httpx.TransportError, httpx.TimeoutException among them, for all that goes wrong.
    """

    def __init__(self, context: ssl.SSLContext, remaining: Remaining) -> None:
        backend = _Backend(remaining)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_keepalive_connections=0, network_backend=backend, http1=True, http2=False
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, its body already in memory, and give the response, its body still to be read."""
        url = request.url
        wire = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.read(),
            extensions=request.extensions,
        )
        try:
            response = self._pool.handle_request(wire)
        except _ERRORS as error:
            raise _as_httpx(error) from error
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


def _as_httpx(error: Exception) -> httpx.TransportError:
    if isinstance(error, httpcore.TimeoutException):
        return httpx.TimeoutException(str(error) or "timed out")
    if isinstance(error, httpcore.NetworkError):
        return httpx.NetworkError(str(error))
    return httpx.RemoteProtocolError(str(error))


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_stream()
        except _ERRORS as error:
            raise _as_httpx(error) from error

    def close(self) -> None:
        self._response.close()


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, remaining: Remaining) -> None:
        self._stream, self._remaining = stream, remaining

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _cut(timeout, self._remaining, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _cut(timeout, self._remaining, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        cut = _cut(timeout, self._remaining, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, cut), self._remaining)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, remaining: Remaining) -> None:
        self._sockets, self._remaining = httpcore.SyncBackend(), remaining

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        cut = _cut(timeout, self._remaining, httpcore.ConnectTimeout)
        return _Stream(self._sockets.connect_tcp(host, port, cut, local_address, socket_options), self._remaining)


def _cut(timeout: float | None, remaining: Remaining, error: type[httpcore.TimeoutException]) -> float:
    left = remaining()
    if left <= 0:
        raise error("the deadline of the whole fetch has passed")
    return left if timeout is None else min(timeout, left)
