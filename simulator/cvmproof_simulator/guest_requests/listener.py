"""Answers one virtual machine's requests at a unix socket, to which its virtio-serial port leads.

    with GuestListener(answers_of(read_machine("snp")), path):          qemu -chardev socket,path=PATH,reconnect=1

One connection at a time. The guest is untrusted: a frame that is not exactly as declared ends the connection, and a
frame that stops half-way does after ten seconds.
"""

import socket
from pathlib import Path
from typing import Self

from cvmproof_formats.errors import Malformed
from cvmproof_simulator.guest_requests.answering import Answers, Reply
from cvmproof_simulator.guest_requests.connections import OneAtATime, read
from cvmproof_simulator.guest_requests.frames import (
    ANSWER_MAGIC,
    ANSWER_MAX,
    QUESTION_SIZES,
    REQUEST_MAGIC,
    AnswerHead,
    Kind,
    RequestHead,
)


class GuestListener:
    """Listens while its context lasts; the socket is gone afterwards."""

    def __init__(self, answers: Answers, path: Path) -> None:
        """Listen at `path`, where nothing may be yet."""
        self._answers = answers
        self._answered: dict[Kind, int] = {}
        self._connections = OneAtATime(path, self._answer)

    def __enter__(self) -> Self:
        self._connections.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.__exit__()

    def answered(self, kind: Kind) -> int:
        """How many questions of a kind were answered so far."""
        return self._answered.get(kind, 0)

    @property
    def answered_in_all(self) -> int:
        """How many questions were answered so far."""
        return sum(self._answered.values())

    def _answer(self, first: bytes, connection: socket.socket) -> None:
        head = RequestHead.parse(first + read(connection, RequestHead.layout_size - 1))
        kind = _require(head)
        reply = self._answers.answer(kind, read(connection, head.size))
        answer = build_answer(head, reply)
        self._answered[kind] = self.answered(kind) + 1  # before it leaves, so that whoever has it finds it counted
        connection.sendall(answer)


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
