"""The bytes between a local connection and an attested one: both ways, 64 KiB at most on their way in each.

One thread moves them, since an OpenSSL connection is for one thread at a time. It ends, and closes both, when either
end does or when the lease runs out; not a byte is moved afterwards.
"""

import logging
import select
import socket
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final, Protocol, TypeVar

from OpenSSL import SSL

from cvmproof.channel.deadline import Lease
from cvmproof.channel.door import Door
from cvmproof.channel.tls import RECORD, TlsConnection, explain

_log = logging.getLogger(__name__)
BUFFER: Final = 64 * 1024  # bytes each way, design section 4
_LONGEST_WAIT: Final = 3600.0  # seconds; poll takes no more than 2^31 ms
_FAREWELL: Final = 2.0  # seconds without progress, once one end has closed
_READ, _WRITE = select.POLLIN, select.POLLOUT
# The local end closed while there is no room for what it said: it must not be waited for until the verdict expires.
_GONE = select.POLLHUP | getattr(select, "POLLRDHUP", 0)
_T = TypeVar("_T")


class Closer(Protocol):
    """Something with an end."""

    def close(self) -> None:
        """End it."""


class Pipe:
    """Moves bytes between `local`, or whoever comes through a door, and the attested connection, in its own thread.

    `ended` says why it ended, and is None while it has not.
    """

    def __init__(self, remote: TlsConnection, local: socket.socket | Door, lease: Lease) -> None:
        """Take over both ends, which are closed with the pipe."""
        self._remote, self._lease = remote, lease
        self._door = local if isinstance(local, Door) else None
        self._local = None if isinstance(local, Door) else local
        self._bell, self._ring = socket.socketpair()
        self._bell.settimeout(0)
        self._ringing, self._starting = Lock(), Lock()
        self._to_remote, self._to_local = bytearray(), bytearray()
        # What is known to be possible without waiting, and what TLS waits for.
        self._local_readable = self._local_writable = False
        self._remote_readable, self._remote_writable = True, True
        self._remote_over = self._local_over = self._local_gone = False
        self._why = ""
        self._farewell: float | None = None
        self.ended: str | None = None
        self._thread = Thread(target=self._run, name=f"cvmproof {remote.peer}", daemon=True)

    def start(self) -> None:
        """Begin, unless it was closed before."""
        with self._starting:
            if self.ended is None:
                self._thread.start()

    def extend(self, lease: Lease) -> None:
        """Go by another lease from now on."""
        self._lease = lease
        self._wake()

    def close(self) -> None:
        """End it, and come back when it has ended."""
        self.abandon()
        self.join()

    def abandon(self) -> None:
        """End it, and don't wait."""
        with self._starting:
            self.ended = self.ended or "closed here"
            started = self._thread.ident is not None
        if started:
            self._wake()
        else:
            self._release()

    def join(self) -> None:
        """Come back when it has ended."""
        if self._thread.ident is not None:
            self._thread.join()

    def _wake(self) -> None:
        with self._ringing:
            if self._ring.fileno() >= 0:
                self._ring.send(b"\0")

    def _run(self) -> None:
        try:
            self._move()
            self._say_goodbye()
        except OSError as error:
            self.ended = self.ended or explain(error)
        except BaseException as error:
            self.ended = self.ended or f"a bug of cvmproof: {type(error).__name__}"
            raise
        finally:
            self._release()
            _log.debug("channel to %s: %s", self._remote.peer, self.ended)

    def _release(self) -> None:
        ends: list[Closer | None] = [self._remote, self._local]
        for end in ends:
            if end is not None:
                end.close()
        if self._door is not None:
            self._door.shut()
        with self._ringing:
            self._ring.close()
            self._bell.close()

    def _move(self) -> None:
        """Move bytes until one end is over and what it said was passed on, or the lease runs out.

        Written before read: the lease is looked at between the two, so that nothing said after its end gets through.
        """
        while not self._is_over():
            moved = self._write_local() | self._write_remote() | self._read_remote() | self._read_local()
            if moved and self._farewell is not None:
                self._begin_farewell()
            elif not moved and not self._is_over():
                self._wait()

    def _is_over(self) -> bool:
        if self.ended is None and self._lease.remaining() <= 0:
            self.ended = "the verdict has expired"
        elif self.ended is None and self._remote_over and not self._to_local:
            self.ended = self._why
        elif self.ended is None and self._local_over and not self._to_remote:
            self.ended = "closed here"
        elif self.ended is None and self._farewell is not None and time.monotonic() > self._farewell:
            self.ended = "one end closed, and the other no longer listens"
        return self.ended is not None

    def _say_goodbye(self) -> None:
        if self._remote_over:
            return
        try:
            self._remote.ssl.shutdown()
        except (SSL.Error, OSError) as error:
            _log.debug("close_notify: %s", explain(error))

    def _read_remote(self) -> bool:
        room = BUFFER - len(self._to_local)
        if self._remote_over or room <= 0 or not (self._remote_readable or self._remote.ssl.pending()):
            return False
        received = self._try(lambda: self._remote.ssl.recv(min(room, RECORD)))
        if received:
            self._to_local += received
        return bool(received)

    def _write_remote(self) -> bool:
        if self._remote_over or not self._to_remote or not self._remote_writable:
            return False
        sent = self._try(lambda: self._remote.ssl.send(self._to_remote[:RECORD])) or 0
        del self._to_remote[:sent]
        return sent > 0

    def _try(self, act: Callable[[], _T]) -> _T | None:
        try:
            return act()
        except SSL.WantReadError:
            self._remote_readable = False
        except SSL.WantWriteError:
            self._remote_writable = False
        except (SSL.Error, OSError) as error:
            self._end_remote(explain(error))
        return None

    def _read_local(self) -> bool:
        room = BUFFER - len(self._to_remote)
        if self._local is None or self._local_over or room <= 0 or not self._local_readable:
            return False
        try:
            received = self._local.recv(room)
        except BlockingIOError:
            self._local_readable = False
            return False
        except OSError:
            received = b""  # reset: over as well
        if not received:
            self._end_local()
        self._to_remote += received
        return True

    def _write_local(self) -> bool:
        if self._local is None or not self._to_local or not self._local_writable:
            return False
        try:
            sent = self._local.send(self._to_local)
        except BlockingIOError:
            self._local_writable = False
            return False
        except OSError:
            sent = len(self._to_local)  # nobody is there to read it
            self._end_local()
        del self._to_local[:sent]
        return True

    def _end_remote(self, why: str) -> None:
        self._remote_over, self._why = True, why
        self._to_remote.clear()
        self._begin_farewell()
        if self._local is None:
            self._to_local.clear()

    def _end_local(self) -> None:
        self._local_over = True
        self._begin_farewell()

    def _begin_farewell(self) -> None:
        self._farewell = time.monotonic() + _FAREWELL

    def _wait(self) -> None:
        poll, bell, remote = select.poll(), self._bell, self._remote.sock
        poll.register(bell, _READ)
        if events := self._remote_events():
            poll.register(remote, events)
        entrance = self._door.socket if self._door is not None and self._local is None else None
        if entrance is not None:
            poll.register(entrance, _READ)
        if self._local is not None and not self._local_gone:
            poll.register(self._local, self._local_events())
        for descriptor, events in poll.poll(self._patience() * 1000):
            if descriptor == bell.fileno():
                bell.recv(64)
            elif descriptor == remote.fileno():
                self._remote_readable |= bool(events & ~_WRITE)
                self._remote_writable |= bool(events & ~_READ)
            elif entrance is not None and descriptor == entrance.fileno():
                self._let_in()
            else:
                self._note_local(events)

    def _note_local(self, events: int) -> None:
        self._local_readable |= bool(events & ~_WRITE)
        self._local_writable |= bool(events & ~_READ)
        if events & (_GONE | select.POLLERR):
            self._local_gone = True
            self._begin_farewell()

    def _remote_events(self) -> int:
        reading = 0 if self._remote_readable or self._remote_over else _READ
        return reading | (0 if self._remote_writable else _WRITE)

    def _local_events(self) -> int:
        reading = _READ if len(self._to_remote) < BUFFER and not self._local_over else 0
        return reading | (_WRITE if self._to_local else 0) | _GONE

    def _patience(self) -> float:
        left = min(self._lease.remaining(), _LONGEST_WAIT)
        if self._farewell is not None:
            left = min(left, self._farewell - time.monotonic())
        return max(left, 0.001)

    def _let_in(self) -> None:
        if self._door is not None and (taken := self._door.take()) is not None:
            self._local, self._local_readable, self._local_writable = taken, True, True
