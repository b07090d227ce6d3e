import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from tests.verifier.channel.fake_agent import (
    EITHER,
    PROMPT,
    FakeAgent,
    certificates,
    collateral,
    policy,
    report_of,
    spki_of,
    tee_of,
)
from tests.verifier.channel.leaves import SIGNATURES_ONLY, key, leaf
from tests.verifier.channel.wire import Wire

import cvmproof
from cvmproof.appraisal import Assurance
from cvmproof.channel import challenge
from cvmproof.channel.channel import AttestedChannel
from cvmproof.channel.connect import connect
from cvmproof.channel.deadline import Deadline
from cvmproof.channel.key_bound import connect_key_bound
from cvmproof.channel.tls import TlsConnection
from cvmproof.errors import EndpointError, Malformed, Rejected
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import BindingKind, Role, Tee, key_report_data
from cvmproof_formats.errors import Category
from cvmproof_formats.tls import ALPN_ATTESTED, ALPN_H2
from cvmproof_protos.v1.attestation_pb2 import EvidenceRequest
from cvmproof_protos.v1.evidence_pb2 import Evidence
from cvmproof_simulator.tdx.td import SoftwareTd

on_either = pytest.mark.parametrize("td", EITHER.values(), ids=EITHER)
Answer = Callable[[FakeAgent, bytes, grpc.ServicerContext], Evidence]
Serving = Callable[..., FakeAgent]


class H2Agent(FakeAgent):
    """Pipes to the gRPC server at once, as the real one does on h2."""

    def _serve(self, connection: TlsConnection) -> None:
        try:
            connection.handshake(ALPN_H2, Deadline(PROMPT))
        except EndpointError:
            connection.close()
        else:
            self._pipe(connection)


def honest(agent: FakeAgent, nonce: bytes, _: grpc.ServicerContext) -> Evidence:
    spki, tee = spki_of(agent), tee_of(agent.machine)
    return Evidence(
        tee=tee,
        binding=BindingKind.KEY,
        role=Role.SERVER,
        nonce=nonce,
        spki=spki,
        report=report_of(agent.machine, key_report_data(role=Role.SERVER, tee=tee, nonce=nonce, spki=spki)),
        certificates=certificates(agent.machine),
    )


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """`serving(answer, ...)` is an agent whose GetEvidence answers so, and whose Say echoes."""
    with ExitStack() as stack:

        def start(
            answer: Answer = honest, usages: frozenset[str] = SIGNATURES_ONLY, td: SoftwareTd | None = None
        ) -> FakeAgent:
            private = key(b"agent")
            path = str(tmp_path / "h2")
            own = leaf(private, usages=usages)
            agent = H2Agent(td=td, private=private, certificate=own, alpn=(ALPN_H2,), service=path)
            server = grpc.server(ThreadPoolExecutor(4))

            def get_evidence(request: EvidenceRequest, context: grpc.ServicerContext) -> Evidence:
                agent.requests.append(request.nonce)
                return answer(agent, request.nonce, context)

            method = grpc.unary_unary_rpc_method_handler(
                get_evidence,
                request_deserializer=EvidenceRequest.FromString,
                response_serializer=Evidence.SerializeToString,
            )
            handlers = {"GetEvidence": method}
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("cvmproof.v1.Attestation", handlers), _Echo())
            )
            server.add_insecure_port(f"unix:{path}")
            server.start()
            stack.callback(lambda: server.stop(None).wait())
            return stack.enter_context(agent)

        yield start


class _Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        return grpc.unary_unary_rpc_method_handler(_echo) if details.method == "/test.Echo/Say" else None


def _echo(request: bytes, _: grpc.ServicerContext) -> bytes:
    return request


def connected(url: str) -> AttestedChannel:
    return connect_key_bound(url, policies=[policy()], trust=TrustRoots.simulated(), collateral=collateral())


@on_either
def test_an_accepted_connection_is_graded_key_bound_and_no_higher(td: SoftwareTd | None, serving: Serving) -> None:
    agent = serving(td=td)
    with connected(agent.url) as attested:
        assert attested.appraisal.assurance is Assurance.KEY_BOUND
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = attested.channel.unary_unary("/test.Echo/Say")
        assert call(b"hello", timeout=PROMPT) == b"hello"
        with attested.renew() as again:
            assert again.appraisal.assurance is Assurance.KEY_BOUND
    assert len(set(agent.requests)) == len(agent.connections) == 2
    assert cvmproof.connect_key_bound is connect_key_bound


@on_either
def test_ac_077_before_the_verdict_only_the_nonce_was_asked_with(td: SoftwareTd | None, serving: Serving) -> None:
    agent = serving(lambda agent, nonce, _: broken(honest(agent, nonce, _)), td=td)
    which = r"snp\.signature\.report" if td is None else r"tdx\.signature\.quote"
    with Wire(agent.port) as wire, pytest.raises(Rejected, match=which):
        connected(wire.url)
    assert len(agent.requests) == 1


def broken(evidence: Evidence) -> Evidence:
    # Of its signature: AMD 56860, SIGNATURE; of a quote behind header, body and a length.
    start = 48 + 584 + 4 if evidence.tee == Tee.TDX else 0x2A0
    evidence.report = evidence.report[:start] + b"\1" * 8 + evidence.report[start + 8 :]
    return evidence


def test_evidence_for_another_key_or_nonce_is_refused(serving: Serving) -> None:
    other = key(b"another")

    def of_another(agent: FakeAgent, nonce: bytes, context: grpc.ServicerContext) -> Evidence:
        evidence = honest(FakeAgent(private=other), nonce, context)
        evidence.spki = spki_of(agent)
        return evidence

    agent = serving(of_another)
    with pytest.raises(Rejected) as caught:
        connected(agent.url)
    assert {check.category for check in caught.value.appraisal.failed} == {Category.BINDING}


@on_either
def test_ac_061_evidence_for_another_nonce_is_refused(td: SoftwareTd | None, serving: Serving) -> None:
    agent = serving(lambda agent, _, context: honest(agent, bytes(32), context), td=td)
    with pytest.raises(Rejected) as caught:
        connected(agent.url)
    assert {check.category for check in caught.value.appraisal.failed} == {Category.FRESHNESS, Category.BINDING}


def test_a_leaf_whose_key_may_sign_certificates_is_refused(serving: Serving) -> None:
    agent = serving(usages=SIGNATURES_ONLY | {"key_cert_sign"})
    with pytest.raises(Rejected) as caught:
        connected(agent.url)
    assert [check.id for check in caught.value.appraisal.failed] == ["binding.leaf"]


@pytest.mark.parametrize(
    ("code", "category"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Category.RATE_LIMIT),
        (grpc.StatusCode.UNAVAILABLE, Category.UNAVAILABLE),
        (grpc.StatusCode.UNIMPLEMENTED, Category.UNSUPPORTED),
        (grpc.StatusCode.PERMISSION_DENIED, Category.ENDPOINT),
    ],
)
def test_a_call_that_fails_is_the_endpoints_fault(serving: Serving, code: grpc.StatusCode, category: Category) -> None:
    def failing(_: FakeAgent, __: bytes, context: grpc.ServicerContext) -> Evidence:
        context.abort(code, "no\x1b[2J")

    agent = serving(failing)
    with pytest.raises(EndpointError, match=f"GetEvidence: {code.name}: no") as caught:
        connected(agent.url)
    assert caught.value.category is category
    assert str(caught.value).isprintable()


def test_an_answer_that_is_no_evidence_is_malformed(serving: Serving) -> None:
    agent = serving(lambda *_: Evidence(tee="none"))
    with pytest.raises(Malformed, match="tee: expected one of"):
        connected(agent.url)


def test_an_agent_that_does_not_answer_is_left(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge, "TIME_TO_LIVE", 0.3)

    def never(_: FakeAgent, __: bytes, context: grpc.ServicerContext) -> Evidence:
        while context.is_active():
            time.sleep(0.01)
        return Evidence()

    agent = serving(never)
    with pytest.raises(EndpointError, match="GetEvidence") as caught:
        connected(agent.url)
    assert caught.value.category is Category.UNAVAILABLE


def test_neither_protocol_is_a_fallback_for_the_other(serving: Serving) -> None:
    agent = serving()
    with pytest.raises(EndpointError, match="with the protocol cvmproof/1") as caught:
        connect(agent.url, policies=[policy()], trust=TrustRoots.simulated(), collateral=collateral())
    assert caught.value.category is Category.UNSUPPORTED
    with FakeAgent(alpn=(ALPN_ATTESTED,)) as other, pytest.raises(EndpointError, match="with the protocol h2"):
        connected(other.url)
