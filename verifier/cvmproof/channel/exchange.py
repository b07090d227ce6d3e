"""The attested exchange: a nonce over our own connection, evidence back over the same, and what it must be bound to.

What the evidence must say is read off the connection that it came over, here and nowhere else; that is why a verdict
over it may be graded by this connection.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cvmproof.channel.challenge import Challenge
from cvmproof.channel.deadline import Deadline
from cvmproof.channel.message import read_answer, request
from cvmproof.channel.tls import TlsConnection
from cvmproof.live import READER, ExpectedChannel, ExpectedKey
from cvmproof_formats.binding import Role
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.frames import ANSWER_LIMIT, REQUEST_LIMIT, read_frame, write_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Evidence as it came over a connection, with what that connection says it must be bound to."""

    evidence: Evidence
    expected: ExpectedChannel


def ask(connection: TlsConnection, *, role: Role = Role.SERVER, event_log: bool = False) -> Answered:
    """Ask the other end of a connection for evidence bound to it; `role` is the other end's.

    One frame is sent, and nothing more. Raises EndpointError for no answer or a refusal, Malformed for an answer that
    is none, EvidenceError (FRESHNESS) for one that took longer than the nonce lives.
    """
    challenge = Challenge()
    deadline = Deadline(challenge.remaining)
    connection.send(write_frame(request(challenge.nonce, event_log=event_log), limit=REQUEST_LIMIT), deadline)
    answer = read_frame(lambda size: connection.receive(size, deadline), limit=ANSWER_LIMIT)
    return Answered(evidence=read_answer(answer), expected=expected_channel(connection, challenge, role=role))


def expected_channel(connection: TlsConnection, challenge: Challenge, *, role: Role) -> ExpectedChannel:
    """Read off a live connection what evidence of its other end must be bound to; uses the challenge up.

    Raises EvidenceError (FRESHNESS) for a challenge that was used or is too old.
    """
    nonce = challenge.take()
    ekm = connection.exporter_value(nonce)
    return ExpectedChannel(reader=READER, role=role, nonce=nonce, leaf=connection.leaf(), ekm=ekm)


def expecting_key(connection: TlsConnection, challenge: Challenge, *, role: Role) -> Callable[[], ExpectedKey]:
    """Read off a live connection which key evidence of its other end must be bound to.

    What is given back is called when the answer is there; it raises as `expected_channel` does.
    """
    leaf = connection.leaf()
    return lambda: ExpectedKey(reader=READER, role=role, nonce=challenge.take(), leaf=leaf)
