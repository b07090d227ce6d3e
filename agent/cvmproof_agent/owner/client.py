"""A device that another process owns: asks it at its socket, with a connection for each request.

So either end can be restarted without the other. A request that meets a restart may fail, and the next one connects
anew.
"""

import errno
import os
import socket
from pathlib import Path
from typing import Final

from cvmproof_agent.named_socket import peer_uid
from cvmproof_agent.owner.messages import (
    ANSWER_LIMIT,
    REQUEST_LIMIT,
    Attest,
    Question,
    read_about,
    read_event_log,
    read_evidence,
    write_request,
)
from cvmproof_agent.statement import Statement
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, DeviceError, Malformed
from cvmproof_formats.evidence_fields import Evidence
from cvmproof_formats.frames import read_frame, write_frame

SOCKET: Final = Path("/run/cvmproof-device/device.sock")
ROOT: Final = 0  # uid
SECONDS: Final = 75.0  # the driver retries for 60 s (Linux, SNP_REQ_MAX_RETRY_DURATION), and the owner may have others
START_SECONDS: Final = 20.0  # the owner may just be starting
_HINT: Final = "systemctl status cvmproof-device.socket cvmproof-device.service"


class OwnedDevice:
    """An `Attester` whose device is the owner's."""

    tee: Tee
    name: str

    def __init__(self, path: Path = SOCKET, *, owner: int = ROOT) -> None:
        """Ask what device there is; `path`, and the uid that whoever listens there must have, are for tests to change.

        Raises DeviceError where nobody answers, or somebody else listens there.
        """
        self._path, self._owner = path, owner
        try:
            about = read_about(self._exchange(Question.ABOUT, START_SECONDS))
        except Malformed as error:
            raise self._misunderstood(error) from error
        self.tee, self.name = about.tee, about.name

    def attest(self, statement: Statement, *, event_log: bool = False) -> Evidence:
        """Get evidence that says this; raises DeviceError, and the owner's own as what they were there."""
        answer = self._exchange(Attest(statement=statement, event_log=event_log), SECONDS)
        try:
            evidence = read_evidence(answer, statement)
        except Malformed as error:
            raise self._misunderstood(error) from error
        if evidence.tee is not self.tee:
            raise DeviceError(f"{self._path}: expected evidence of {self.tee}, got {evidence.tee}")
        return evidence

    def event_log(self) -> bytes | None:
        """Read the event log; raises as `attest`."""
        try:
            return read_event_log(self._exchange(Question.EVENT_LOG, SECONDS))
        except Malformed as error:
            raise self._misunderstood(error) from error

    def close(self) -> None:
        """Nothing is held."""

    def _exchange(self, request: Attest | Question, seconds: float) -> bytes:
        frame = write_frame(write_request(request), limit=REQUEST_LIMIT)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as owner:
                owner.settimeout(seconds)
                owner.connect(str(self._path))
                self._require_owner(owner)
                owner.sendall(frame)
                return read_frame(owner.recv, limit=ANSWER_LIMIT)
        except OSError as error:
            raise self._unanswered(error) from error
        except Malformed as error:
            raise self._misunderstood(error) from error

    def _require_owner(self, connected: socket.socket) -> None:
        """Refuse whoever could have put a socket there; of an inherited socket it is the service manager's uid."""
        uid = peer_uid(connected)
        if uid != self._owner:
            message = f"{self._path}: expected a socket of uid {self._owner}, got one of {uid}"
            raise DeviceError(message, path=str(self._path), call="getsockopt")

    def _unanswered(self, error: OSError) -> DeviceError:
        # A unix socket says EAGAIN to whoever doesn't wait, where as many wait as may: unix(7), connect(2).
        busy = error.errno == errno.EAGAIN
        why = "too many wait already" if busy else error.strerror or str(error)
        return DeviceError(
            f"the device owner did not answer at {self._path}: {why}",
            path=str(self._path),
            call="connect",
            errno=error.errno,
            category=Category.RATE_LIMIT if busy else None,
            hint=_HINT if os.getuid() == ROOT else f"as root: {_HINT}",
        )

    def _misunderstood(self, error: Malformed) -> DeviceError:
        return DeviceError(
            f"the device owner's answer at {self._path} is no answer: {error}", path=str(self._path), hint=_HINT
        )
