"""Answers statements at a unix socket, one at a time, for those who may ask.

It knows no network, no TLS and no gRPC, and takes no REPORT_DATA: a request names what it wants said, and the 64 bytes
are made here. The queue is the socket's own backlog; whoever left it is not asked for any more. What a front that was
taken over can do is to be a front: make statements of the domains there are, at the rate there is.
"""

import logging
import pwd
import select
import socket
import threading
import time
from typing import Final, Self

from cvmproof_agent.attester import Attester
from cvmproof_agent.device import DeviceLost
from cvmproof_agent.limits import Limits
from cvmproof_agent.named_socket import peer_uid
from cvmproof_agent.owner.messages import (
    ANSWER_LIMIT,
    REQUEST_LIMIT,
    About,
    Attest,
    Question,
    read_request,
    write_answer,
    write_event_log,
    write_failure,
)
from cvmproof_agent.token_bucket import TokenBucket
from cvmproof_formats.errors import CvmproofError, DeviceError, Malformed
from cvmproof_formats.frames import read_frame, write_frame

_log = logging.getLogger(__name__)
FRONT: Final = "cvmproof"  # the user that the front runs as
_REQUEST_SECONDS: Final = 2.0  # until a request is complete: it comes in one piece from this machine
_ANSWER_SECONDS: Final = 5.0
STUCK_SECONDS: Final = 120.0  # one request; the driver's own limit is 60 s (Linux, SNP_REQ_MAX_RETRY_DURATION)


class DeviceOwner:
    """Has the device while its context lasts, and closes it in the end, once no call of the driver is under way."""

    def __init__(
        self, attester: Attester, listening: socket.socket, *, uids: frozenset[int], limits: Limits | None = None
    ) -> None:
        """Take the device, the socket and who may ask; of the limits only rate and burst count."""
        limits = limits or Limits()
        self._attester, self._listening, self._uids = attester, listening, uids
        self._bucket = TokenBucket(rate=limits.reports_per_second, burst=limits.report_burst, now=time.monotonic())
        self._lost = b""  # what everybody is told once the device is gone for good
        self._stopped = threading.Event()
        self._waking, self._woken = socket.socketpair()
        self._since: float | None = None
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._listening.settimeout(0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop(0)

    def stop(self, seconds: float) -> bool:
        """Take no more requests and wait so long for one under way; gives whether it ended."""
        self._stopped.set()
        self._waking.close()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def responds(self, _: float = 0) -> bool:
        """Whether requests are being served, for watchdogs: none takes longer than any driver should."""
        since = self._since
        return self._thread.is_alive() and (since is None or time.monotonic() - since < STUCK_SECONDS)

    def _run(self) -> None:
        with self._woken:
            while not self._stopped.is_set():
                ready, _, _ = select.select([self._listening, self._woken], [], [])
                if self._listening in ready and not self._stopped.is_set():
                    self._serve_next()
        self._attester.close()

    def _serve_next(self) -> None:
        try:
            client, _ = self._listening.accept()
        except OSError as error:  # it left again, or there is no descriptor to be had: others go on waiting
            _log.warning("could not accept: %s", error.strerror)
            self._stopped.wait(0.05)
            return
        self._since = time.monotonic()
        try:
            with client:
                self._serve(client)
        except (OSError, Malformed) as error:
            _log.info("a request was left unanswered: %s", error)
        finally:
            self._since = None

    def _serve(self, client: socket.socket) -> None:
        uid = peer_uid(client)
        if uid not in self._uids:
            _log.warning("uid %d is not one that may ask", uid)
            return
        message = read_frame(_Receiving(client, _REQUEST_SECONDS).receive, limit=REQUEST_LIMIT)
        try:
            answer = self._answer(client, read_request(message))
        except CvmproofError as error:
            _log.warning("no answer: %s: %s", error.category, error)
            answer = write_failure(error)
        client.settimeout(_ANSWER_SECONDS)
        client.sendall(write_frame(answer, limit=ANSWER_LIMIT))

    def _answer(self, client: socket.socket, request: Attest | Question) -> bytes:
        if request is Question.ABOUT:
            return write_answer(About(tee=self._attester.tee, name=self._attester.name))
        if self._lost:
            return self._lost
        self._take_token(client)
        try:
            return self._ask(request)
        except DeviceLost as error:
            self._lost = write_failure(error)
            _log.error("the device is lost until this guest restarts: %s", error)
            return self._lost
        except CvmproofError:
            raise
        except Exception as error:  # whatever a driver does, who waits hears of it and we go on
            raise DeviceError(f"the device failed: {type(error).__name__}: {error}") from error

    def _ask(self, request: Attest | Question) -> bytes:
        if isinstance(request, Attest):
            return write_answer(self._attester.attest(request.statement, event_log=request.event_log))
        return write_event_log(self._attester.event_log())

    def _take_token(self, client: socket.socket) -> None:
        """Wait for a token; raises OSError where whoever asked has left by then, or says more than it may."""
        while seconds := self._bucket.wait(time.monotonic()):
            if self._stopped.wait(seconds):
                raise DeviceError("the device owner is stopping")
        _require_waiting(client)
        self._bucket.take(time.monotonic())


class _Receiving:
    """Receives from a peer until one deadline for all of it."""

    def __init__(self, peer: socket.socket, seconds: float) -> None:
        self._peer, self._deadline = peer, time.monotonic() + seconds

    def receive(self, size: int) -> bytes:
        """Receive 1 to `size` bytes, none at the end; raises TimeoutError."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the request was not complete in time")
        self._peer.settimeout(remaining)
        return self._peer.recv(size)


def _require_waiting(client: socket.socket) -> None:
    client.settimeout(0)
    try:
        said = client.recv(1)
    except BlockingIOError:
        return
    raise ConnectionError(
        "who asked said something more, or left, before it had its answer" if said else "who asked left"
    )


def front_uids() -> frozenset[int]:
    """Who may ask on an installed system: root, and the front's user where there is one."""
    try:
        return frozenset({0, pwd.getpwnam(FRONT).pw_uid})
    except KeyError:
        return frozenset({0})
