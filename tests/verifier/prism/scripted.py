"""A scripted HTTP server, and one way to ask for both clients: each test runs blocking and with asyncio."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

from cvmproof.prism.asynchronous import AsyncPrismClient
from cvmproof.prism.client import PrismClient
from cvmproof.prism.cvm import Cvm, CvmPage, CvmStat
from cvmproof.prism.platform import PlatformSpelling
from cvmproof.prism.settings import Pace
from cvmproof.prism.token import Token

T = TypeVar("T")

DOMAIN = "c1adf32-3dac-4aad-bead-ae96fe071239"
SECRET = "eyJhbGciOiJIUzUxMiJ9.c2VjcmV0LW9mLW91cnM.never_to_be_seen-anywhere"  # noqa: S105 -- opens nothing
# Waits short enough for a test, long enough for a machine of two busy cores.
QUICK = Pace(connect=5.0, read=5.0, first_wait=0.001, longest_wait=0.002)

Script = Callable[[socket.socket], None]
"""What the server does on a connection once it has read the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers each connection with the next script; the last one stays."""

    scripts: list[Script] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def answers(self, *scripts: Script) -> None:
        self.scripts[:] = scripts

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/backends"

    def ended(self, seconds: float) -> bool:
        return self._ended.wait(seconds)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._ended.is_set():
                connection.close()
                return
            self._start(lambda connection=connection: self._serve(connection))  # type: ignore[misc]  # bound as it is now

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self.seen.append(_read_request(connection))
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                script(connection)
        except OSError:
            connection.close()  # the client went away


def _read_request(connection: socket.socket) -> Seen:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, body = data.split(b"\r\n\r\n", 1)
    line, *fields = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, value in (item.split(": ", 1) for item in fields)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _some(connection)
    return Seen(line=line, headers=headers, body=body)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    return data


def raw(data: bytes) -> Script:
    return lambda connection: connection.sendall(data)


def reply(body: bytes | str = b"", status: int = 200, *headers: str) -> Script:
    data = body.encode() if isinstance(body, str) else body
    fields = "".join(f"{line}\r\n" for line in headers)
    length = "" if status == 204 else f"Content-Length: {len(data)}\r\n"
    return raw(f"HTTP/1.1 {status} X\r\n{length}Connection: close\r\n{fields}\r\n".encode() + data)


def reset(connection: socket.socket) -> None:
    connection.close()


def endless(start: bytes, chunk: bytes, pause: float = 0.0) -> Script:
    """Send a start and then chunks until the client goes away."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            connection.sendall(chunk)
            time.sleep(pause)

    return send


def silent(connection: socket.socket) -> None:
    """Say nothing until the client goes away."""
    connection.recv(1)


class Prism(Protocol):
    """What tests ask, whichever client answers."""

    def create(
        self, *, name: str, provider: str, vcpus: int, cc_platform: str, agent_log_level: str = ...
    ) -> str | None: ...
    def page(
        self,
        *,
        limit: int | None = ...,
        offset: int | None = ...,
        name: str | None = ...,
        status: str | None = ...,
        days: int | None = ...,
        cc_platform: str | None = ...,
    ) -> CvmPage: ...
    def cvms(
        self,
        *,
        name: str | None = ...,
        status: str | None = ...,
        days: int | None = ...,
        cc_platform: str | None = ...,
        page_size: int = ...,
    ) -> Iterator[Cvm]: ...
    def view(self, cvm: str) -> Cvm: ...
    def delete(self, cvm: str) -> None: ...
    def statistics(self, cvm: str, *, days: int | None = ...) -> tuple[CvmStat, ...]: ...
    def attestation_policy(self, cvm: str) -> bytes: ...
    def close(self) -> None: ...


class InALoop:
    """The asyncio client behind the blocking one's methods."""

    def __init__(self, client: AsyncPrismClient) -> None:
        self.client = client

    def create(
        self, *, name: str, provider: str, vcpus: int, cc_platform: str, agent_log_level: str = "info"
    ) -> str | None:
        return run(
            self.client.create(
                name=name, provider=provider, vcpus=vcpus, cc_platform=cc_platform, agent_log_level=agent_log_level
            )
        )

    def page(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        name: str | None = None,
        status: str | None = None,
        days: int | None = None,
        cc_platform: str | None = None,
    ) -> CvmPage:
        return run(
            self.client.page(limit=limit, offset=offset, name=name, status=status, days=days, cc_platform=cc_platform)
        )

    def cvms(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        days: int | None = None,
        cc_platform: str | None = None,
        page_size: int = 50,
    ) -> Iterator[Cvm]:
        found = self.client.cvms(name=name, status=status, days=days, cc_platform=cc_platform, page_size=page_size)

        async def collect() -> list[Cvm]:
            return [cvm async for cvm in found]

        return iter(run(collect()))

    def view(self, cvm: str) -> Cvm:
        return run(self.client.view(cvm))

    def delete(self, cvm: str) -> None:
        return run(self.client.delete(cvm))

    def statistics(self, cvm: str, *, days: int | None = None) -> tuple[CvmStat, ...]:
        return run(self.client.statistics(cvm, days=days))

    def attestation_policy(self, cvm: str) -> bytes:
        return run(self.client.attestation_policy(cvm))

    def close(self) -> None:
        run(self.client.close())


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(coroutine)


class Open(Protocol):
    """Makes a client of either kind."""

    def __call__(
        self,
        base_url: str,
        *,
        domain: str = ...,
        token: Token = ...,
        timeout: float = ...,
        tls: ssl.SSLContext | None = ...,
        pace: Pace = ...,
        spelling: PlatformSpelling | None = ...,
    ) -> Prism: ...


def open_either(
    kind: type[PrismClient] | type[AsyncPrismClient],
    base_url: str,
    *,
    domain: str = DOMAIN,
    token: Token = Token(SECRET),  # noqa: B008 -- it never changes
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
    pace: Pace = QUICK,
    spelling: PlatformSpelling | None = None,
) -> Prism:
    made = kind(base_url, domain=domain, token=token, timeout=timeout, tls=tls, pace=pace, spelling=spelling)
    return InALoop(made) if isinstance(made, AsyncPrismClient) else made
