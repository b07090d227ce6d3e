"""The exchange at the start of a cvmproof/1 connection: one frame with a nonce, one with evidence of this session.

Follows docs/binding.md. Nothing may come between the client's frame and the answer: what a client says before it has
seen evidence was not meant for this machine.
"""

from collections.abc import Hashable

from google.protobuf.message import DecodeError

from cvmproof_agent.answering import answer_in_time, evidence_frame, read_message, refusal_frame
from cvmproof_agent.binder import Binder
from cvmproof_agent.limits import Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.tls_stream import TlsStream
from cvmproof_formats.binding import NONCE_SIZE
from cvmproof_formats.errors import CvmproofError, Malformed
from cvmproof_formats.evidence_fields import Evidence
from cvmproof_formats.frames import REQUEST_LIMIT
from cvmproof_protos.v1.attestation_pb2 import AttestedRequest


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
        await stream.send(refusal_frame(error))
        await stream.end()
        raise
    await stream.send(evidence_frame(evidence))
    metrics.count("cvmproof_agent_evidence_total", binding="channel")


async def _read_request(stream: TlsStream, limits: Limits) -> AttestedRequest:
    message = await read_message(stream.receive, limit=REQUEST_LIMIT, seconds=limits.request_seconds)
    try:
        request = AttestedRequest.FromString(message)
    except DecodeError as error:
        raise Malformed("frame: expected an AttestedRequest") from error
    if len(request.nonce) != NONCE_SIZE:
        raise Malformed(f"nonce: expected exactly {NONCE_SIZE} bytes, got {len(request.nonce)}")
    return request


async def _evidence(
    stream: TlsStream, binder: Binder, request: AttestedRequest, *, limits: Limits, network: Hashable
) -> Evidence:
    ekm = stream.export(request.nonce)
    future = binder.channel(nonce=request.nonce, ekm=ekm, event_log=request.event_log, network=network)
    return await answer_in_time(future, stream.anything(), seconds=limits.deadline_seconds)
