"""A weaker channel, for those who ask for it: ordinary gRPC over TLS, with evidence bound to the TLS key alone.

Whoever has got hold of that key can stand in between and is not noticed; `connect` is for everybody else. The key is
read off the very connection that carries the calls: nothing is pinned, and nothing reconnects to somebody else.
"""

from collections.abc import Callable, Sequence
from typing import Final

import grpc

from cvmproof.appraisal import Assurance
from cvmproof.channel.address import AddressRules, read_agent_url, resolve
from cvmproof.channel.challenge import Challenge
from cvmproof.channel.channel import AttestedChannel, channel_through
from cvmproof.channel.connect import DIAL_LIMIT, lease_of, require_grade, terms_of
from cvmproof.channel.deadline import Deadline, lease_for
from cvmproof.channel.exchange import expecting_key
from cvmproof.channel.judging import Judge
from cvmproof.channel.message import read_message
from cvmproof.channel.tls import TlsConnection, dial
from cvmproof.channel.tunnel import Options, Tunnel
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.store import CollateralStore
from cvmproof.high_water_store import HighWaterStore
from cvmproof.policy.policy import Policy
from cvmproof.spelling import escape
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Role
from cvmproof_formats.errors import Category, EndpointError
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tls import ALPN_H2
from cvmproof_protos.v1 import attestation_pb2, evidence_pb2

_GET_EVIDENCE: Final = "/cvmproof.v1.Attestation/GetEvidence"
_CATEGORIES: Final = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Category.RATE_LIMIT,
    grpc.StatusCode.UNAVAILABLE: Category.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Category.UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: Category.UNSUPPORTED,
}


def connect_key_bound(
    agent_url: str,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    collateral: Collateral | CollateralStore | None = None,
    any_software: bool = False,
    offline: bool = False,
    high_water: HighWaterStore | None = None,
    rules: AddressRules | None = None,
    options: Options = (),
) -> AttestedChannel:
    """Connect as `connect` does, but over `h2`: what is accepted is graded key-bound."""
    terms = terms_of(policies, trust, collateral, any_software=any_software, offline=offline, high_water=high_water)

    def reopen() -> AttestedChannel:
        address = read_agent_url(agent_url)
        connection = dial(address, resolve(address, rules), alpn=ALPN_H2, deadline=Deadline(DIAL_LIMIT))
        return _open(connection, terms.judge, options, reopen)

    return reopen()


def _open(
    connection: TlsConnection, judge: Judge, options: Options, reopen: Callable[[], AttestedChannel]
) -> AttestedChannel:
    challenge = Challenge()
    try:
        expecting = expecting_key(connection, challenge, role=Role.SERVER)
    except BaseException:
        connection.close()
        raise
    tunnel = Tunnel(connection, lease_for(challenge.remaining))
    channel = channel_through(tunnel, options)
    try:
        evidence = get_evidence(channel, challenge)
        appraisal = judge(evidence, expecting())
        require_grade(appraisal, Assurance.KEY_BOUND)
        tunnel.extend(lease_of(appraisal))
    except BaseException:
        channel.close()
        tunnel.close()
        raise
    return AttestedChannel(tunnel, channel, appraisal, reopen=reopen)


def get_evidence(channel: grpc.Channel, challenge: Challenge) -> Evidence:
    """Ask for evidence over gRPC; raises EndpointError for no answer, Malformed for one that is none."""
    call: grpc.UnaryUnaryMultiCallable[attestation_pb2.EvidenceRequest, evidence_pb2.Evidence] = channel.unary_unary(
        _GET_EVIDENCE,
        request_serializer=attestation_pb2.EvidenceRequest.SerializeToString,
        response_deserializer=evidence_pb2.Evidence.FromString,
    )
    try:
        answer = call(attestation_pb2.EvidenceRequest(nonce=challenge.nonce), timeout=challenge.remaining)
    except grpc.RpcError as error:
        code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
        details = escape((error.details() if isinstance(error, grpc.Call) else None) or "")
        category = _CATEGORIES.get(code, Category.ENDPOINT)
        raise EndpointError(f"GetEvidence: {code.name}: {details}", category=category) from error
    return read_message(answer)
