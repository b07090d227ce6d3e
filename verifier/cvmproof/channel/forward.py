"""Forwarding: a local address whose every connection becomes an attested connection of its own.

For programs that can't be given a channel. For each local connection one is dialled, appraised and ended: no verdict
serves two. Whoever may use the local address uses what was verified: loopback only, or a socket of mode 0600.
"""

import contextlib
import logging
import re
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Final

from cvmproof.channel.connect import Accepted
from cvmproof.channel.pipe import Pipe
from cvmproof.errors import CvmproofError, Misuse
from cvmproof.spelling import escape

_log = logging.getLogger(__name__)
_LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|\[::1\]):([0-9]{1,5})", re.ASCII)
_UNIX: Final = "unix:"
_CONNECTIONS: Final = 64  # at a time
_BACKLOG: Final = 16
_HIGHEST_PORT: Final = 65535
_POLL_MS: Final = 500
_PATIENCE: Final = 2.0  # seconds for what is still being opened; it closes itself later

Open = Callable[[], Accepted]
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAddress:
    """Where to listen: a loopback address and port (0 for any), or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None


def read_local_address(text: str) -> LocalAddress:
    """Read 127.0.0.1:PORT, [::1]:PORT or unix:PATH; raises Misuse for anything else, other interfaces among it."""
    if text.startswith(_UNIX) and len(text) > len(_UNIX):
        return LocalAddress(path=Path(text.removeprefix(_UNIX)))
    match = _LOOPBACK.fullmatch(text)
    if match is None or int(match[2]) > _HIGHEST_PORT:
        raise Misuse(f"forward: expected 127.0.0.1:PORT, [::1]:PORT or unix:PATH, got {escape(text)}")
    return LocalAddress(host=match[1].strip("[]"), port=int(match[2]))


class Forwarder:
    """Listens, from its making until its end."""

    def __init__(self, where: LocalAddress, open_: Open, *, report: Report = _log.warning) -> None:
        """Take where to listen, how to get an accepted connection, and whom to tell what went wrong.

        Raises Misuse where nothing can listen there.
        """
        self._open, self._report, self._path = open_, report, where.path
        self._stopping = Event()
        self._flows: list[_Flow] = []
        try:
            self._listening = _listen(where)
        except OSError as error:
            raise Misuse(f"forward: can't listen there: {error.strerror or error}") from error

    @property
    def address(self) -> str:
        """Where it listens: 127.0.0.1:PORT, [::1]:PORT or unix:PATH."""
        if self._path is not None:
            return f"{_UNIX}{self._path}"
        host, port = self._listening.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def serve(self) -> None:
        """Take connections until `stop` is called, then end them all."""
        try:
            while not self._stopping.is_set():
                self._flows = [flow for flow in self._flows if flow.is_alive()]
                if (taken := self._take()) is not None:
                    self._begin(taken)
        finally:
            self._end()

    def stop(self) -> None:
        """Let `serve` come back; may be called from anywhere."""
        self._stopping.set()

    def _take(self) -> socket.socket | None:
        poll = select.poll()
        poll.register(self._listening, select.POLLIN)
        if not poll.poll(_POLL_MS):
            return None
        try:
            return self._listening.accept()[0]
        except OSError as error:
            _log.warning("could not accept a connection: %s", error.strerror)
            return None

    def _begin(self, taken: socket.socket) -> None:
        if len(self._flows) >= _CONNECTIONS:
            taken.close()
            self._report(f"forward: {_CONNECTIONS} connections are open: one more was refused")
            return
        flow = _Flow(taken, self._open, self._report)
        flow.start()
        self._flows.append(flow)

    def _end(self) -> None:
        self._listening.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
        for flow in self._flows:
            flow.stop()
        for flow in self._flows:
            flow.join(_PATIENCE)


class _Flow(Thread):
    """One local connection and the attested one that was opened for it."""

    def __init__(self, local: socket.socket, open_: Open, report: Report) -> None:
        super().__init__(name="cvmproof forward", daemon=True)
        self._local, self._open, self._report = local, open_, report
        self._stopping = Event()
        self._pipe: Pipe | None = None

    def run(self) -> None:
        try:
            accepted = self._open()
        except CvmproofError as error:
            self._local.close()
            self._report(f"forward: {error.category}: {error}")
            return
        except BaseException:
            self._local.close()
            raise
        self._local.settimeout(0)
        self._pipe = Pipe(accepted.connection, self._local, accepted.lease)
        if self._stopping.is_set():
            self._pipe.close()
        self._pipe.start()
        self._pipe.join()

    def stop(self) -> None:
        self._stopping.set()
        if self._pipe is not None:
            self._pipe.close()


def _listen(where: LocalAddress) -> socket.socket:
    if where.path is not None:
        return _listen_at(where.path)
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    return socket.create_server((where.host, where.port), family=family, backlog=_BACKLOG)


def _listen_at(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        path.chmod(0o600)  # before it listens: nobody was let in
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening
