"""Answers one virtual machine's requests at a unix socket, to which its virtio-serial port leads.

    with GuestListener(answers_of(read_machine("snp")), path):          qemu -chardev socket,path=PATH,reconnect=1

One connection at a time. The guest is untrusted: a frame that is not exactly as declared ends the connection, and a
frame that stops half-way does after ten seconds.
"""

import logging
import socket
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Final, Self

from cvmproof_formats.errors import Malformed
from cvmproof_simulator.guest_requests.answering import Answers, Reply
from cvmproof_simulator.guest_requests.frames import (
    ANSWER_MAGIC,
    ANSWER_MAX,
    QUESTION_SIZES,
    REQUEST_MAGIC,
    AnswerHead,
    Kind,
    RequestHead,
)

_log = logging.getLogger(__name__)

_PATIENCE: Final = 10.0  # seconds for the rest of a frame, and for taking an answer
_ENDING: Final = 5.0  # seconds for the thread to end


class GuestListener:
    """Listens while its context lasts; the socket is gone afterwards."""

    def __init__(self, answers: Answers, path: Path) -> None:
        """Listen at `path`, where nothing may be yet."""
        self._answers, self._path = answers, path
        self._lock, self._stopped = Lock(), False
        self._connection: socket.socket | None = None
        self._listening = socket.socket(socket.AF_UNIX)
        self._answered: dict[Kind, int] = {}
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

    def answered(self, kind: Kind) -> int:
        """How many questions of a kind were answered so far."""
        return self._answered.get(kind, 0)

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
                while self._answer(connection):
                    pass
            except (Malformed, OSError) as error:
                _log.warning("SIMULATED machine ends a guest's connection: %s", error)

    def _answer(self, connection: socket.socket) -> bool:
        """Answer one request; False where the guest closed instead."""
        connection.settimeout(None)
        first = connection.recv(1)
        if not first:
            return False
        connection.settimeout(_PATIENCE)
        head = RequestHead.parse(first + _read(connection, RequestHead.layout_size - 1))
        kind = _require(head)
        reply = self._answers.answer(kind, _read(connection, head.size))
        connection.sendall(build_answer(head, reply))
        self._answered[kind] = self.answered(kind) + 1
        return True


def build_answer(head: RequestHead, reply: Reply) -> bytes:
    """Write the answer to a request.

    Raises Malformed for one that is longer than a guest takes.
    """
    payload = reply.payload + reply.certificates
    if len(payload) > ANSWER_MAX:
        raise Malformed(f"answer: expected at most {ANSWER_MAX} bytes, got {len(payload)}")
    answer = AnswerHead(
        magic=ANSWER_MAGIC,
        kind=head.kind,
        sequence=head.sequence,
        size=len(payload),
        error=reply.error,
        exitinfo2=reply.exitinfo2,
        certificate_pages=reply.certificate_pages,
        certificates_size=len(reply.certificates),
    )
    return answer.build() + payload


def _require(head: RequestHead) -> Kind:
    if head.magic != REQUEST_MAGIC:
        raise Malformed(f"request: expected {REQUEST_MAGIC:#x} at its start, got {head.magic:#x}")
    if head.kind not in QUESTION_SIZES:
        raise Malformed(f"request: expected a kind of {', '.join(map(str, QUESTION_SIZES))}, got {head.kind}")
    kind = Kind(head.kind)
    if head.size != QUESTION_SIZES[kind]:
        raise Malformed(f"request: {kind.name}: expected {QUESTION_SIZES[kind]} bytes, got {head.size}")
    return kind


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise Malformed(f"request: expected {size} bytes more, got {len(data)}")
        data += piece
    return data
