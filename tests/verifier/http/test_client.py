"""The two httpx clients against a server of a few lines: a request's body arrives, and one deadline ends everything."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from cvmproof.http.client import open_async_client, open_client

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\nok"
Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve, times: int = 1) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for _ in range(times):
                connection, _ = listener.accept()
                connection.settimeout(10)
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        continue  # the client went away

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(10)


def exchange(url: str, method: str, content: bytes | None, *, seconds: float) -> tuple[int, bytes]:
    ends = time.monotonic() + seconds
    with open_client(
        ssl.create_default_context(), lambda: ends - time.monotonic(), connect_timeout=5, read_timeout=5
    ) as client:
        answer = client.request(method, url, content=content)
        return answer.status_code, answer.content


def exchange_async(url: str, method: str, content: bytes | None, *, seconds: float) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        context = ssl.create_default_context()
        async with asyncio.timeout(seconds), open_async_client(context, connect_timeout=5, read_timeout=5) as client:
            answer = await client.request(method, url, content=content)
            return answer.status_code, answer.content

    return asyncio.run(run())


Exchange = Callable[..., tuple[int, bytes]]
both = pytest.mark.parametrize("exchange", [exchange, exchange_async], ids=["blocking", "asyncio"])


@both
@pytest.mark.parametrize("content", [None, b"", b"x", b"x" * 1_000_000])
def test_a_body_arrives_as_it_was_given(exchange: Exchange, content: bytes | None) -> None:
    arrived = bytearray()

    def serve(connection: socket.socket) -> None:
        wanted = len(content or b"")
        while b"\r\n\r\n" not in arrived or len(arrived.split(b"\r\n\r\n", 1)[1]) < wanted:
            arrived.extend(connection.recv(65536))
        connection.sendall(OK)

    with serving(serve) as url:
        assert exchange(url, "POST", content, seconds=10) == (200, b"ok")
    head, body = bytes(arrived).split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert body == (content or b"")
    assert f"content-length: {len(content or b'')}".encode() in head.lower()
    assert b"accept-encoding: identity" in head.lower()
    assert b"user-agent: cvmproof\r\n" in head.lower() + b"\r\n"


def drip(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(400):
        connection.sendall(b"x")
        time.sleep(0.02)


def take_nothing(connection: socket.socket) -> None:
    time.sleep(3)


@both
@pytest.mark.parametrize(
    ("serve", "size"), [(drip, 0), (take_nothing, 50_000_000)], ids=["slow to send", "slow to take"]
)
def test_one_deadline_ends_sending_and_receiving(exchange: Exchange, serve: Serve, size: int) -> None:
    with serving(serve) as url:
        start = time.monotonic()
        with pytest.raises((httpx.TimeoutException, TimeoutError)):
            exchange(url, "POST", b"x" * size, seconds=0.5)
        assert time.monotonic() - start < 5


@both
def test_past_the_deadline_nothing_is_sent(exchange: Exchange) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises((httpx.TimeoutException, TimeoutError)):
            exchange(url, "GET", None, seconds=-1)
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_every_request_has_its_own_connection_and_no_cookie() -> None:
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(connection.recv(65536))
        connection.sendall(OK)

    with (
        serving(serve, times=2) as url,
        open_client(ssl.create_default_context(), lambda: 5.0, connect_timeout=5, read_timeout=5) as client,
    ):
        assert [client.get(url).text for _ in range(2)] == ["ok", "ok"]
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()
