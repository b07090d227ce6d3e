"""A SIMULATED key distribution service: AMD's URLs over real HTTP on this machine, and every way to misbehave.

    with FakeKds(SoftwarePsp(ProductLine.GENOA)) as kds:
        kds.url                                                http://127.0.0.1:40123
        kds.misbehave(status(500), path="/crl", times=2)       the next two requests whose path contains it
        kds.misbehave(slow_body(1.0))                          every request from now on
        kds.requests                                           paths asked for, in order

It serves chains and revocation lists of the authorities of the chips it is given, and each chip's VCEK at whatever TCB
is asked for, as AMD does. AMD 57230, chapter 4. It listens on loopback only, and all it does ends with the context.
"""

import gzip
import logging
import socket
import socketserver
import ssl
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.psp import SoftwarePsp

_log = logging.getLogger(__name__)

_CONNECTIONS = 64  # at once; more wait in the listening queue
_IDLE = 10.0  # seconds a client may say nothing
_ENDLESS = 64 * 1024 * 1024  # bytes that stand for a body without end
_CHUNK = bytes(64 * 1024)
# AMD 57230: the query parameter of each component.
_SPL_PARAMETERS: Final = {
    "fmcSPL": "fmc",
    "blSPL": "boot_loader",
    "teeSPL": "tee",
    "snpSPL": "snp",
    "ucodeSPL": "microcode",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response: what is declared, what is sent, and how."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    declared_length: int | None = None
    """Content-Length; None: the true one."""
    pause_per_byte: float = 0.0
    """Seconds before each byte of the body."""
    pause: float = 0.0
    """Seconds before the answer."""
    endless: bool = False
    reset: bool = False


Misbehaviour = Callable[[Answer], Answer]
"""What becomes of the right answer."""


def status(code: int, *, retry_after: str | int | None = None) -> Misbehaviour:
    """Answer with another status, such as 429 with a Retry-After."""
    headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return lambda _: Answer(status=code, headers=headers, body=b"SIMULATED failure\n")


def slow_answer(seconds: float) -> Misbehaviour:
    """Wait before answering; other requests are answered meanwhile."""
    return lambda right: replace(right, pause=seconds)


def slow_body(seconds_per_byte: float) -> Misbehaviour:
    """Send the right body one byte at a time."""
    return lambda right: replace(right, pause_per_byte=seconds_per_byte)


def endless_body() -> Misbehaviour:
    """Send a body of which no length is declared until the client has had enough."""
    return lambda right: replace(right, endless=True)


def announced_length(size: int) -> Misbehaviour:
    """Declare another length than the body has; a larger one is a body cut short."""
    return lambda right: replace(right, declared_length=size)


def cut_body(size: int) -> Misbehaviour:
    """Send only the first bytes of what was declared."""
    return lambda right: replace(right, body=right.body[:size], declared_length=len(right.body))


def html() -> Misbehaviour:
    """Answer 200 with a page for people, as a captive portal does."""
    page = b"<!DOCTYPE html><html><body>SIMULATED: please log in</body></html>"
    return lambda _: Answer(headers=(("Content-Type", "text/html"),), body=page)


def gzipped() -> Misbehaviour:
    """Send the right body compressed, which the client did not ask for."""
    return lambda right: replace(
        right, headers=(*right.headers, ("Content-Encoding", "gzip")), body=gzip.compress(right.body)
    )


def redirect(url: str) -> Misbehaviour:
    """Send the client elsewhere."""
    return lambda _: Answer(status=302, headers=(("Location", url),))


def body(data: bytes, *headers: tuple[str, str]) -> Misbehaviour:
    """Answer 200 with these bytes: another chip's certificate, a forged or a stale list."""
    return lambda _: Answer(body=data, headers=headers)


def flipped(offset: int) -> Misbehaviour:
    """Flip the lowest bit of one byte of the right body; from the end if negative."""

    def flip(right: Answer) -> Answer:
        data = bytearray(right.body)
        data[offset] ^= 1
        return replace(right, body=bytes(data))

    return flip


def with_header(name: str, value: str) -> Misbehaviour:
    """Add a header to the right answer."""
    return lambda right: replace(right, headers=(*right.headers, (name, value)))


def reset() -> Misbehaviour:
    """Reset the connection instead of answering."""
    return lambda right: replace(right, reset=True)


@dataclass(slots=True, kw_only=True)
class _Rule:
    misbehaviour: Misbehaviour
    path: str
    left: int | None


class FakeKds:
    """The SIMULATED service; `chips` are those it knows, `issued` is thisUpdate of its lists (default: a day ago)."""

    def __init__(self, *chips: SoftwarePsp, issued: datetime | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._chips: dict[tuple[ProductLine, bytes], SoftwarePsp] = {}
        self._authorities: dict[ProductLine, AmdCa] = {}
        self._issued = issued or datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        self._lock = Lock()
        self._rules: list[_Rule] = []
        self._requests: list[str] = []
        self._headers: list[tuple[tuple[str, str], ...]] = []
        self._server = _Server(self._answer, tls)
        for chip in chips:
            self.register(chip)

    def __enter__(self) -> Self:
        self._server.start()
        _log.info("SIMULATED KDS listens on %s", self.url)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._server.port

    @property
    def requests(self) -> tuple[str, ...]:
        """Paths asked for so far, in order, with their queries."""
        with self._lock:
            return tuple(self._requests)

    @property
    def request_headers(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Headers of the requests so far, in order."""
        with self._lock:
            return tuple(self._headers)

    def register(self, chip: SoftwarePsp) -> None:
        """Make a chip and its authorities known."""
        self._chips[chip.product, chip.chip_id] = chip
        self._authorities[chip.product] = chip.authorities

    def misbehave(self, misbehaviour: Misbehaviour, *, path: str = "", times: int | None = None) -> None:
        """Do this to requests whose path contains `path`, so many times, or for good; the latest said goes first."""
        with self._lock:
            self._rules.insert(0, _Rule(misbehaviour=misbehaviour, path=path, left=times))

    def behave(self) -> None:
        """Take back every misbehaviour."""
        with self._lock:
            self._rules.clear()

    def _answer(self, path: str, headers: Iterable[tuple[str, str]]) -> Answer:
        with self._lock:
            self._requests.append(path)
            self._headers.append(tuple(headers))
            rule = next((rule for rule in self._rules if rule.path in path and rule.left != 0), None)
            if rule is not None and rule.left is not None:
                rule.left -= 1
        right = self._right_answer(path)
        return right if rule is None else rule.misbehaviour(right)

    def _right_answer(self, path: str) -> Answer:
        try:
            return Answer(body=self._object(path), headers=(("Content-Type", "application/octet-stream"),))
        except (LookupError, ValueError, Malformed) as error:
            _log.info("SIMULATED KDS has nothing under %.200r: %s", path, error)
            return Answer(status=404, body=b"SIMULATED: no such object\n")

    def _object(self, path: str) -> bytes:
        """Find what a path names; raises LookupError, ValueError or Malformed for one that names nothing."""
        parts = urlsplit(path)
        _, kind_name, version, product_name, what = parts.path.split("/")
        kind, product = KeyKind(kind_name.upper()), ProductLine(product_name)
        if version != "v1":
            raise LookupError(version)
        authorities = self._authorities[product]
        if what == "cert_chain":
            return write_pem(authorities.intermediate(kind)) + write_pem(authorities.ark)
        if what == "crl":
            return authorities.crl(self._issued)
        if kind is not KeyKind.VCEK:
            raise LookupError("VLEKs go to providers only")
        chip = self._chips[product, bytes.fromhex(what).ljust(64, b"\0")]
        return replace(chip, key=kind, tcb=_read_tcb(parts.query, product)).vek()


def _read_tcb(query: str, product: ProductLine) -> Tcb:
    levels = {_SPL_PARAMETERS[name]: int(value) for name, value in parse_qsl(query, strict_parsing=True)}
    tcb = Tcb(
        fmc=levels.pop("fmc", None),
        boot_loader=levels.pop("boot_loader"),
        tee=levels.pop("tee"),
        snp=levels.pop("snp"),
        microcode=levels.pop("microcode"),
    )
    tcb.build(product)
    return tcb


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Threads by connection, a bounded number at once; each ends with its answer, or when the server stops."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, answer: Callable[[str, Iterable[tuple[str, str]]], Answer], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.stopping = Event()
        self._tls = tls
        self._slots = BoundedSemaphore(_CONNECTIONS)
        # A daemon, so that whoever forgets to stop it can still end.
        pace = {"poll_interval": 0.02}
        self._thread = Thread(target=self.serve_forever, kwargs=pace, name="SIMULATED KDS", daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.settimeout(_IDLE)
        if self._tls is None:
            return connection, address
        # The handshake belongs to the connection's own thread: a client that is silent must not hold up the others.
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        with self._slots:
            super().process_request_thread(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        _log.debug("SIMULATED KDS: %s has gone: %s", client_address, request, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answer(self.path, self.headers.items())
        self.close_connection = True
        self.server.stopping.wait(answer.pause)
        if answer.reset:
            self._reset()
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if not answer.endless:
            length = len(answer.body) if answer.declared_length is None else answer.declared_length
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        if answer.endless:
            self._send_without_end()
        elif answer.pause_per_byte:
            self._send_slowly(answer)
        else:
            self.wfile.write(answer.body)

    def _send_slowly(self, answer: Answer) -> None:
        for byte in answer.body:
            if self.server.stopping.wait(answer.pause_per_byte):
                return
            self.wfile.write(bytes([byte]))

    def _send_without_end(self) -> None:
        for _ in range(_ENDLESS // len(_CHUNK)):
            if self.server.stopping.is_set():
                return
            self.wfile.write(_CHUNK)

    def _reset(self) -> None:
        # SO_LINGER with no time: closing then sends RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name http.server calls it by
        _log.info("SIMULATED KDS: " + format, *args)
