"""Evidence for other processes of this guest: over their uid, as the kernel tells it, and what they have to say.

One frame with a UserRequest, one with the answer, on a unix socket with mode 0660 that is off unless asked for. Such
evidence proves no connection to anything and is always graded evidence-only; its domain keeps it from being taken for
any other. docs/binding.md
"""

import asyncio
import logging
import socket

from google.protobuf.message import DecodeError

from cvmproof_agent.answering import answer_in_time, evidence_frame, read_message, refusal_frame
from cvmproof_agent.binder import Binder
from cvmproof_agent.limits import Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.named_socket import peer_uid
from cvmproof_formats.errors import CvmproofError, Malformed
from cvmproof_formats.evidence_fields import Evidence
from cvmproof_formats.frames import USER_REQUEST_LIMIT
from cvmproof_protos.v1.attestation_pb2 import UserRequest

_log = logging.getLogger(__name__)
_CONNECTIONS = 16  # at a time; another waits for a moment
MODE = 0o660


class UserSocket:
    """Serves processes of this guest; all calls come from one event loop."""

    def __init__(self, binder: Binder, *, limits: Limits, metrics: Metrics) -> None:
        """Take what gives evidence."""
        self._binder, self._limits, self._metrics = binder, limits, metrics
        self._places = asyncio.Semaphore(_CONNECTIONS)

    async def serve(self, client: socket.socket, _: str) -> None:
        """Serve one connection; raises OSError."""
        async with self._places:
            try:
                evidence = await self._evidence(client)
            except CvmproofError as error:
                _log.debug("user socket: %s: %s", error.category, error)
                self._metrics.count("cvmproof_agent_refusals_total", category=error.category)
                await self._send(client, refusal_frame(error))
                return
            await self._send(client, evidence_frame(evidence))
            self._metrics.count("cvmproof_agent_evidence_total", binding="user")

    async def _evidence(self, client: socket.socket) -> Evidence:
        loop, uid = asyncio.get_running_loop(), peer_uid(client)
        message = await read_message(
            lambda size: loop.sock_recv(client, size), limit=USER_REQUEST_LIMIT, seconds=self._limits.request_seconds
        )
        try:
            request = UserRequest.FromString(message)
        except DecodeError as error:
            raise Malformed("frame: expected a UserRequest") from error
        future = self._binder.user(uid=uid, user_data=request.user_data)
        return await answer_in_time(future, loop.sock_recv(client, 1), seconds=self._limits.deadline_seconds)

    async def _send(self, client: socket.socket, data: bytes) -> None:
        async with asyncio.timeout(self._limits.stall_seconds):
            await asyncio.get_running_loop().sock_sendall(client, data)
