"""Any client in any language: one that shares no code with grpcio or pyOpenSSL gets evidence over `h2`.

grpclib is gRPC in pure Python over h2, with TLS from the standard library. The client does what the contract asks of
anybody: read the agent's certificate, pin it, call GetEvidence with a nonce, and leave the verdict to an appraiser.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from tests.agent.machine import QUICK, SOON
from tests.verifier.channel.fake_agent import collateral, policy

from cvmproof.appraisal import Appraisal, Assurance, Verdict
from cvmproof.appraise import appraise
from cvmproof.channel.message import read_message
from cvmproof.freshness import ExpectedReportData
from cvmproof.live import READER, Expectation, ExpectedKey
from cvmproof.trust import TrustRoots
from cvmproof_agent.device import open_device
from cvmproof_agent.serve import Agent
from cvmproof_formats.binding import Role, Tee, key_report_data
from cvmproof_formats.errors import Category
from cvmproof_formats.tls import SERVER_NAME, leaf_spki
from cvmproof_formats.x509 import read_certificate
from cvmproof_protos.v1.attestation_pb2 import EvidenceRequest, InfoRequest
from cvmproof_protos.v1.evidence_pb2 import Evidence

Answer = TypeVar("Answer")


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent(open_device("simulated:snp"), limits=QUICK) as agent:
        yield agent


def context(pinned: bytes | None = None) -> ssl.SSLContext:
    """Offers h2, and takes the pinned certificate only; without one, any."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.set_alpn_protocols(["h2"])
    if pinned is None:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        made.load_verify_locations(cadata=pinned)
    return made


def leaf_of(agent: Agent) -> bytes:
    """The certificate that the agent shows, DER."""
    with (
        socket.create_connection(agent.address, timeout=SOON) as connection,
        context().wrap_socket(connection, server_hostname=SERVER_NAME) as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"
        leaf = tls.getpeercert(binary_form=True)
    assert leaf is not None
    return leaf


def over_grpclib(agent: Agent, pinned: bytes, call: Callable[[Channel], Awaitable[Answer]]) -> Answer:
    """What a call gives on a channel that takes the pinned certificate only."""

    async def run() -> Answer:
        host, port = agent.address
        config = Configuration(ssl_target_name_override=SERVER_NAME)
        async with asyncio.timeout(SOON):
            channel = Channel(host, port, ssl=context(pinned), config=config)
            connection = (await channel.__connect__()).connection._transport.get_extra_info("socket")
            try:
                return await call(channel)
            finally:
                channel.close()
                # TLS says goodbye first, and close doesn't wait for it.
                while connection.fileno() != -1:  # noqa: ASYNC110 -- there is no event to wait for
                    await asyncio.sleep(0.01)

    return asyncio.run(run())


async def get_evidence(channel: Channel, nonce: bytes) -> Evidence:
    method = UnaryUnaryMethod(channel, "/cvmproof.v1.Attestation/GetEvidence", EvidenceRequest, Evidence)
    return await method(EvidenceRequest(nonce=nonce))


async def check_health(channel: Channel) -> HealthCheckResponse:
    method = UnaryUnaryMethod(channel, "/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse)
    answer: HealthCheckResponse = await method(HealthCheckRequest())
    return answer


def appraised(evidence: Evidence, freshness: Expectation) -> Appraisal:
    return appraise(
        read_message(evidence),
        policies=[policy()],
        trust=TrustRoots.simulated(),
        freshness=freshness,
        now=datetime.now(UTC),
        collateral=collateral(),
    )


def of_key(leaf: bytes, nonce: bytes) -> ExpectedReportData:
    """What REPORT_DATA says by the contract, computed by the client itself."""
    spki = leaf_spki(leaf)
    return ExpectedReportData(key_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=nonce, spki=spki))


def test_it_learns_that_the_agent_serves(agent: Agent) -> None:
    answer = over_grpclib(agent, leaf_of(agent), check_health)
    assert answer.status == HealthCheckResponse.SERVING


def test_its_evidence_is_accepted(agent: Agent) -> None:
    leaf, nonce = leaf_of(agent), os.urandom(32)
    evidence = over_grpclib(agent, leaf, lambda channel: get_evidence(channel, nonce))
    at_hand = appraised(evidence, of_key(leaf, nonce))
    assert (at_hand.verdict, at_hand.assurance) == (Verdict.ACCEPTED, Assurance.EVIDENCE_ONLY)
    key = ExpectedKey(reader=READER, role=Role.SERVER, nonce=nonce, leaf=read_certificate(leaf))
    live = appraised(evidence, key)
    assert (live.verdict, live.assurance) == (Verdict.ACCEPTED, Assurance.KEY_BOUND)


def test_evidence_of_another_agent_is_refused(agent: Agent) -> None:
    nonce = os.urandom(32)
    with Agent(open_device("simulated:snp"), limits=QUICK) as other:
        evidence = over_grpclib(other, leaf_of(other), lambda channel: get_evidence(channel, nonce))
    leaf = leaf_of(agent)
    at_hand = appraised(evidence, of_key(leaf, nonce))
    live = appraised(evidence, ExpectedKey(reader=READER, role=Role.SERVER, nonce=nonce, leaf=read_certificate(leaf)))
    assert at_hand.verdict is live.verdict is Verdict.REJECTED
    assert {check.category for check in at_hand.failed} == {Category.FRESHNESS}
    assert {check.category for check in live.failed} == {Category.BINDING}


def test_another_certificate_than_the_pinned_one_ends_the_handshake(agent: Agent) -> None:
    with Agent(open_device("simulated:snp"), limits=QUICK) as other:
        pinned = leaf_of(other)
    with pytest.raises(ssl.SSLCertVerificationError):
        over_grpclib(agent, pinned, check_health)


def test_it_reads_a_refusal_as_a_status_with_its_category(agent: Agent) -> None:
    with pytest.raises(GRPCError) as caught:
        over_grpclib(agent, leaf_of(agent), lambda channel: get_evidence(channel, bytes(31)))
    assert caught.value.status is Status.INVALID_ARGUMENT
    assert (caught.value.message or "").startswith("MALFORMED: ")


def test_a_method_of_the_attested_path_is_not_there(agent: Agent) -> None:
    def get_info(channel: Channel) -> Awaitable[Evidence]:
        return UnaryUnaryMethod(channel, "/cvmproof.v1.Attestation/GetInfo", InfoRequest, Evidence)(InfoRequest())

    with pytest.raises(GRPCError) as caught:
        over_grpclib(agent, leaf_of(agent), get_info)
    assert caught.value.status is Status.UNIMPLEMENTED
