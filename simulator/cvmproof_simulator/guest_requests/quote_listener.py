"""A SIMULATED quote generation service at a unix socket, to which a virtual machine's port leads.

Follows Intel DCAP, quote_wrapper/qgs_msg_lib: a TDREPORT comes in, a quote or an error goes out; one connection at a
time, as many requests as come over it.
"""

import socket
from pathlib import Path
from typing import Self

from cvmproof_formats.errors import Malformed
from cvmproof_simulator.devices import qgs_messages as qgs
from cvmproof_simulator.guest_requests.answering import Answers
from cvmproof_simulator.guest_requests.connections import OneAtATime, read
from cvmproof_simulator.guest_requests.frames import Kind


class QuoteListener:
    """Listens while its context lasts; the socket is gone afterwards."""

    def __init__(self, answers: Answers, path: Path) -> None:
        """Listen at `path`, where nothing may be yet."""
        self._answers = answers
        self._connections = OneAtATime(path, self._answer)
        self.answered = 0
        """How many quotes were given so far."""

    def __enter__(self) -> Self:
        self._connections.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.__exit__()

    def _answer(self, first: bytes, connection: socket.socket) -> None:
        (size,) = qgs.FRAME.unpack(first + read(connection, qgs.FRAME.size - 1))
        if size > qgs.LARGEST_REQUEST:
            raise Malformed(f"QGS request: expected at most {qgs.LARGEST_REQUEST} bytes, got {size}")
        response = self._respond(read(connection, size))
        connection.sendall(qgs.FRAME.pack(len(response)) + response)

    def _respond(self, message: bytes) -> bytes:
        try:
            reply = self._answers.answer(Kind.QUOTE, qgs.read_request(message))
        except Malformed:
            return qgs.build_error(qgs.ERROR_UNEXPECTED)
        if reply.error:
            return qgs.build_error(qgs.ERROR_UNEXPECTED)
        self.answered += 1
        return qgs.build_response(reply.payload)
