"""A small HTTP/1.1 server on this machine: it sends what it is told, right or wrong, and takes bounded requests.

One connection is one request: the answer says `Connection: close`. Request bodies need a Content-Length.
"""

import logging
import re
import socket
import socketserver
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from threading import BoundedSemaphore, Event, Thread
from typing import Final

from cvmproof_simulator.misbehaviour import Answer

_log = logging.getLogger(__name__)

LOOPBACK: Final = ("127.0.0.1", 0)  # any free port
_CONNECTIONS = 64  # at once; more wait in the listening queue
_IDLE = 10.0  # seconds a client may say nothing, and for a whole request body
_LONGEST_BODY = 64 * 1024  # bytes of a request
_THROWN_AWAY = 1024 * 1024  # bytes read of a body that is too long: a client that still writes misses its answer
_ENDLESS = 64 * 1024 * 1024  # bytes that stand for a body without end
_CHUNK = bytes(64 * 1024)
_LENGTH = re.compile(r"[0-9]{1,18}")
_NO_LENGTH = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}  # RFC 9110 8.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came; `target` is the path with its query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What stands behind the question mark."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first header of this name, however it is capitalised."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Threads by connection, a bounded number at once; each ends with its answer, or when the server stops."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self,
        name: str,
        answer: Callable[[Request], Answer],
        *,
        tls: ssl.SSLContext | None = None,
        listen: tuple[str, int] = LOOPBACK,
    ) -> None:
        """Bind; `name` stands in every log line, and `listen` is an address and port. Raises OSError."""
        super().__init__(listen, _Handler)
        self.name = name
        self.answer = answer
        self.stopping = Event()
        self._tls = tls
        self._slots = BoundedSemaphore(_CONNECTIONS)
        # A daemon, so that whoever forgets to stop it can still end.
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, name=name, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"{'http' if self._tls is None else 'https'}://{self.server_address[0]!s}:{self.port}"

    def start(self) -> None:
        """Serve from now on, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End every answer, and wait until all threads have ended."""
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, object]:
        """Take a connection."""
        connection, address = super().get_request()
        connection.settimeout(_IDLE)
        if self._tls is None:
            return connection, address
        # The handshake belongs to the connection's own thread: a client that is silent must not hold up the others.
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answer, when it is this connection's turn."""
        with self._slots:
            super().process_request_thread(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Note that a client has gone."""
        _log.debug("%s: %s has gone: %s", self.name, client_address, request, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.close_connection = True
        body = self._read_body()
        if isinstance(body, Answer):
            self._send(body)
            self._throw_away()
            return
        headers = tuple((name, str(value)) for name, value in self.headers.items())
        request = Request(method=self.command, target=self.path, headers=headers, body=body)
        answer = self.server.answer(request)
        self.server.stopping.wait(answer.pause)
        if answer.reset:
            self._reset()
        else:
            self._send(answer)

    # http.server answers 501 to any other method.
    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 -- http.server's names

    def _read_body(self) -> bytes | Answer:
        """Read the body, or say what is wrong with its length; raises TimeoutError."""
        if self.headers.get("Transfer-Encoding") is not None:
            return Answer(status=HTTPStatus.LENGTH_REQUIRED)
        lengths = self.headers.get_all("Content-Length", ["0"])
        if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
            return Answer(status=HTTPStatus.BAD_REQUEST)
        if (length := int(lengths[0])) > _LONGEST_BODY:
            return Answer(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self._read(length)
        return body if len(body) == length else Answer(status=HTTPStatus.BAD_REQUEST)

    def _read(self, size: int) -> bytes:
        """Read as many bytes, or those that came before the end; raises TimeoutError."""
        data, deadline = bytearray(), time.monotonic() + _IDLE
        while len(data) < size and (piece := self.rfile.read1(size - len(data))):
            data += piece
            if time.monotonic() > deadline:
                raise TimeoutError("the body of the request takes too long")
        return bytes(data)

    def _throw_away(self) -> None:
        self.connection.settimeout(0.1)  # what is on its way is here; the client waits for us, or writes
        self._read(_THROWN_AWAY)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        length = len(answer.body) if answer.declared_length is None else answer.declared_length
        if not answer.endless and (length or answer.status not in _NO_LENGTH):
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
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
        _log.info("%s: %.300r", self.server.name, format % args)
