"""What the exchanges with a client on the network and with a process of this guest have in common."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future

from cvmproof_agent.evidence_message import evidence_message
from cvmproof_formats.errors import CvmproofError, DeviceError
from cvmproof_formats.evidence_fields import Evidence
from cvmproof_formats.frames import ANSWER_LIMIT, HEADER_SIZE, message_size, write_frame
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, Refusal


async def read_message(receive: Callable[[int], Awaitable[bytes]], *, limit: int, seconds: float) -> bytes:
    """Read the message of one frame of at most `limit` bytes within so many seconds.

    Raises Malformed (SIZE_LIMIT) for a larger one, ConnectionError where it doesn't come in time or at all.
    """
    try:
        async with asyncio.timeout(seconds):
            size = message_size(await _exactly(receive, HEADER_SIZE), limit=limit)
            return await _exactly(receive, size)
    except TimeoutError as error:
        raise ConnectionError(f"the request was not complete after {seconds:g} s") from error


async def answer_in_time(
    future: Future[Evidence], early: Coroutine[object, object, object], *, seconds: float
) -> Evidence:
    """Wait for evidence while the peer keeps still; `early` ends once it says anything or leaves.

    Raises ConnectionError where it does, DeviceError after so many seconds, and what the future raises. However it
    ends, nothing waits for the evidence any more.
    """
    answer, peer = asyncio.wrap_future(future), asyncio.ensure_future(early)
    try:
        done, _ = await asyncio.wait((answer, peer), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if peer in done:
            raise ConnectionError("the client said something, or left, before it had its answer")
        if not done:
            raise DeviceError(f"the device did not answer within {seconds:g} s")
        return answer.result()
    finally:
        peer.cancel()
        answer.cancel()
        # It lets go of the socket only once it runs again, and would take the next reader's place with it.
        await asyncio.gather(peer, return_exceptions=True)


def evidence_frame(evidence: Evidence) -> bytes:
    """Put evidence into a frame."""
    return _frame(AttestedAnswer(evidence=evidence_message(evidence)))


def refusal_frame(error: CvmproofError) -> bytes:
    """Say in a frame why there is none."""
    return _frame(AttestedAnswer(refusal=Refusal(category=error.category, message=str(error))))


def _frame(answer: AttestedAnswer) -> bytes:
    return write_frame(answer.SerializeToString(), limit=ANSWER_LIMIT)


async def _exactly(receive: Callable[[int], Awaitable[bytes]], size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = await receive(size - len(received))
        if not part:
            raise ConnectionError("the connection ended within a frame")
        received += part
    return bytes(received)
