"""A SIMULATED quote generation service, right or wrong on request; it answers one stream as the host's would."""

import hashlib
import socket
from contextlib import suppress
from typing import Final

from cvmproof_formats.errors import Malformed
from cvmproof_simulator.devices import qgs_messages as qgs
from cvmproof_simulator.devices.faults import FaultKind, Faults
from cvmproof_simulator.devices.loop import Queue
from cvmproof_simulator.devices.td_guest import TdGuest

_CHUNK: Final = 64 * 1024
_WRONG_TYPE: Final = 3  # GET_COLLATERAL_RESP
_WRONG_MAJOR: Final = 2
_PAUSE: Final = 0.001  # seconds between bytes
_TRAILING_LIMIT: Final = 64 * 1024
_U32: Final = 0xFFFFFFFF


class QgsConnection:
    """The service's end of one connection."""

    def __init__(self, end: socket.socket, td: TdGuest, faults: Faults, queue: Queue) -> None:
        """Take a connected socket, and watch it until the other end has gone."""
        end.settimeout(0)
        self._end, self._td, self._faults, self._queue = end, td, faults, queue
        self._received = b""
        self._is_open = True
        queue.loop.watch(end.fileno(), self._receive)

    def _receive(self) -> None:
        try:
            data = self._end.recv(_CHUNK)
        except OSError:
            data = b""
        self._received += data
        if not data:
            self.close()
            return
        size = qgs.FRAME.unpack(self._received[:4])[0] if len(self._received) >= qgs.FRAME.size else qgs.LARGEST_REQUEST
        if size > qgs.LARGEST_REQUEST:
            self.close()
        elif len(self._received) >= qgs.FRAME.size + size:
            message = self._received[qgs.FRAME.size : qgs.FRAME.size + size]
            self._received = self._received[qgs.FRAME.size + size :]
            self._answer(message)

    def close(self) -> None:
        """Let go of it."""
        if self._is_open:
            self._is_open = False
            self._queue.loop.unwatch(self._end.fileno())
            self._end.close()

    def _answer(self, message: bytes) -> None:
        faults = self._faults
        if faults.take(FaultKind.QGS_HANGS):
            return
        if faults.take(FaultKind.QGS_CLOSES):
            self.close()
            return
        framed = self._frame(self._response(message))
        if (size := faults.number(FaultKind.QGS_TRAILING)) is not None:
            framed += bytes(min(size, _TRAILING_LIMIT))
        if faults.take(FaultKind.QGS_HANGS_HALFWAY):
            framed = framed[: len(framed) // 2]
        truncated = faults.number(FaultKind.QGS_TRUNCATED)
        if faults.take(FaultKind.QGS_SLOW):
            self._send_slowly(framed)
        else:
            self._queue.answer(lambda: self._send(framed[:truncated], then_close=truncated is not None))

    def _frame(self, response: bytes) -> bytes:
        stated = self._faults.number(FaultKind.QGS_WRONG_FRAME)
        return qgs.FRAME.pack(len(response) if stated is None else stated & _U32) + response

    def _response(self, message: bytes) -> bytes:
        faults = self._faults
        if (code := faults.number(FaultKind.QGS_ERROR)) is not None:
            return qgs.build_error(code & _U32)
        try:
            report = qgs.read_request(message)
            quote = (
                self._other_quote(report) if faults.take(FaultKind.QGS_OTHER_QUOTE) else self._td.quote_report(report)
            )
        except Malformed:
            return qgs.build_error(qgs.ERROR_UNEXPECTED)
        size, quote_size = faults.number(FaultKind.QGS_WRONG_SIZE), faults.number(FaultKind.QGS_WRONG_QUOTE_SIZE)
        return qgs.build_response(
            quote,
            kind=_WRONG_TYPE if faults.take(FaultKind.QGS_WRONG_TYPE) else qgs.GET_QUOTE_RESPONSE,
            major=_WRONG_MAJOR if faults.take(FaultKind.QGS_WRONG_VERSION) else qgs.MAJOR,
            size=None if size is None else size & _U32,
            quote_size=-1 if quote_size is None else quote_size & _U32,
        )

    def _other_quote(self, report: bytes) -> bytes:
        return self._td.machine.quote(hashlib.sha512(report).digest())

    def _send(self, data: bytes, *, then_close: bool = False) -> None:
        # The other end may have gone.
        with suppress(OSError):
            self._end.sendall(data)
        if then_close:
            self.close()

    def _send_slowly(self, data: bytes) -> None:
        if data and self._is_open:
            self._send(data[:1])
            self._queue.loop.later(_PAUSE, lambda: self._send_slowly(data[1:]))
