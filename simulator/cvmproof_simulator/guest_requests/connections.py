"""A unix socket to which a virtual machine's port leads: connections one after the other, each answered in turn."""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Final, Self

from cvmproof_formats.errors import Malformed

_log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds for the rest of a frame, and for taking an answer."""
_ENDING: Final = 5.0  # seconds for the thread to end

Answering = Callable[[bytes, socket.socket], None]
"""Given the first byte of a request and where the others come from; raises Malformed or OSError to hang up."""


class OneAtATime:
    """Listens while its context lasts; the socket is gone afterwards."""

    def __init__(self, path: Path, answer: Answering) -> None:
        """Listen at `path`, where nothing may be yet."""
        self._path, self._answer = path, answer
        self._lock, self._stopped = Lock(), False
        self._connection: socket.socket | None = None
        self._listening = socket.socket(socket.AF_UNIX)
        self._thread = Thread(target=self._listen, name="guest-requests", daemon=True)

    def __enter__(self) -> Self:
        self._listening.bind(str(self._path))
        self._listening.listen(1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped = True
            for each in (self._listening, self._connection):
                if each is not None:
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
        self._thread.join(_ENDING)
        self._listening.close()
        self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with self._lock:
                    if self._stopped:
                        connection.close()
                        return
                    self._connection = connection
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while first := connection.recv(1):
                    connection.settimeout(PATIENCE)
                    self._answer(first, connection)
                    connection.settimeout(None)
            except (Malformed, OSError) as error:
                _log.warning("SIMULATED machine ends a guest's connection: %s", error)


def read(connection: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes; raises Malformed where the other end stops before, OSError."""
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise Malformed(f"request: expected {size} bytes more, got {len(data)}")
        data += piece
    return data
