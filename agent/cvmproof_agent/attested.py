"""The exchange at the start of a cvmproof/1 connection: one frame with a nonce, one with evidence of this session.

Follows docs/binding.md. Nothing may come between the client's frame and the answer: what a client says before it has
seen evidence was not meant for this machine.
"""

import asyncio
from collections.abc import Hashable

from google.protobuf.message import DecodeError

from cvmproof_agent.binder import Binder
from cvmproof_agent.evidence_message import evidence_message
from cvmproof_agent.limits import Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.tls_stream import TlsStream
from cvmproof_formats.binding import NONCE_SIZE
from cvmproof_formats.errors import CvmproofError, DeviceError, Malformed
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.frames import ANSWER_LIMIT, HEADER_SIZE, REQUEST_LIMIT, message_size, write_frame
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest, Refusal


async def exchange(
    stream: TlsStream, binder: Binder, *, limits: Limits, metrics: Metrics, network: Hashable = None
) -> None:
    """Read the request and answer it with evidence of this very session.

    Raises CvmproofError once the client was told why it gets none, ConnectionError where it is gone or broke the rules.
    """
    try:
        request = await _read_request(stream, limits)
        evidence = await _evidence(stream, binder, request, limits=limits, network=network)
    except CvmproofError as error:
        metrics.count("cvmproof_agent_refusals_total", category=error.category)
        await stream.send(_frame(AttestedAnswer(refusal=Refusal(category=error.category, message=str(error)))))
        raise
    await stream.send(_frame(AttestedAnswer(evidence=evidence_message(evidence))))
    metrics.count("cvmproof_agent_evidence_total", binding="channel")


async def _read_request(stream: TlsStream, limits: Limits) -> AttestedRequest:
    try:
        async with asyncio.timeout(limits.request_seconds):
            size = message_size(await _exactly(stream, HEADER_SIZE), limit=REQUEST_LIMIT)
            message = await _exactly(stream, size)
    except TimeoutError as error:
        raise ConnectionError(f"the request was not complete after {limits.request_seconds:g} s") from error
    try:
        request = AttestedRequest.FromString(message)
    except DecodeError as error:
        raise Malformed("frame: expected an AttestedRequest") from error
    if len(request.nonce) != NONCE_SIZE:
        raise Malformed(f"nonce: expected exactly {NONCE_SIZE} bytes, got {len(request.nonce)}")
    return request


async def _exactly(stream: TlsStream, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = await stream.receive(size - len(received))
        if not part:
            raise ConnectionError("the connection ended within a frame")
        received += part
    return bytes(received)


async def _evidence(
    stream: TlsStream, binder: Binder, request: AttestedRequest, *, limits: Limits, network: Hashable
) -> Evidence:
    ekm = stream.export(request.nonce)
    future = binder.channel(nonce=request.nonce, ekm=ekm, event_log=request.event_log, network=network)
    answer = asyncio.wrap_future(future)
    early = asyncio.ensure_future(stream.anything())
    try:
        done, _ = await asyncio.wait(
            (answer, early), timeout=limits.deadline_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if early in done:
            raise ConnectionError("the client said something, or left, before it had its answer")
        if not done:
            raise DeviceError(f"the device did not answer within {limits.deadline_seconds:g} s")
        return answer.result()
    finally:
        early.cancel()
        answer.cancel()


def _frame(answer: AttestedAnswer) -> bytes:
    return write_frame(answer.SerializeToString(), limit=ANSWER_LIMIT)
