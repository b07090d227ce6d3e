"""The relay matrix, live: real agent, real client, real sockets, and somebody in between. security.md section 4.4.

Channel-bound evidence refuses every one of them. The key-bound column shows what binding to the TLS key alone lets by,
which is why `connect` never takes it.
"""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from tests.system.relay import Relay, Strategy, ask_on_a_connection, ask_over_h2
from tests.verifier.channel.fake_agent import collateral as collateral_of_both
from tests.verifier.channel.fake_agent import policy

from cvmproof.appraisal import Appraisal, Assurance
from cvmproof.channel.channel import AttestedChannel
from cvmproof.channel.connect import connect
from cvmproof.channel.key_bound import connect_key_bound
from cvmproof.channel.tls import TlsConnection
from cvmproof.collateral.collateral import Collateral
from cvmproof.errors import Rejected
from cvmproof.trust import TrustRoots
from cvmproof_agent import serve
from cvmproof_agent.device import open_device
from cvmproof_agent.limits import Limits
from cvmproof_agent.tls_key import TlsKey
from cvmproof_formats.binding import BindingKind, Role, Tee, channel_report_data
from cvmproof_formats.errors import Category
from cvmproof_protos.v1.evidence_pb2 import Evidence

SECRET = b"for the machine that was verified and nobody else"
QUICK = Limits(reports_per_second=1000, report_burst=1000, handshakes_per_second=1000, handshake_burst=1000)
POLICY = policy()
DEVICES = {Tee.SEV_SNP: "simulated:snp", Tee.TDX: "simulated:tdx"}


@pytest.fixture(scope="module")
def collateral() -> Collateral:
    return collateral_of_both()


@pytest.fixture(params=Tee)
def tee(request: pytest.FixtureRequest) -> Tee:
    return Tee(request.param)


@dataclass(frozen=True, slots=True)
class Machine:
    """An honest agent, and the TLS key that leaked from it."""

    url: str
    leaked: TlsKey
    tee: Tee


@dataclass(frozen=True, slots=True)
class Leaking:
    """Makes the one key that the attacker has as well."""

    key: TlsKey

    def generate(self) -> TlsKey:
        return self.key


@pytest.fixture
def machine(tee: Tee, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    key = TlsKey.generate()
    monkeypatch.setattr(serve, "TlsKey", Leaking(key))
    with serve.Agent(open_device(DEVICES[tee]), limits=QUICK) as agent:
        host, port = agent.address
        yield Machine(f"https://{host}:{port}", key, tee)


def channel_bound(url: str, collateral: Collateral) -> AttestedChannel:
    return connect(url, policies=[POLICY], trust=TrustRoots.simulated(), collateral=collateral)


def key_bound(url: str, collateral: Collateral) -> AttestedChannel:
    return connect_key_bound(url, policies=[POLICY], trust=TrustRoots.simulated(), collateral=collateral)


# --- how an attacker comes by evidence -------------------------------------------------------------------------------


def forwarding(relay: Relay, nonce: bytes, _: TlsConnection) -> Evidence:
    """Passes the client's nonce on, over a connection of its own, and gives back what comes."""
    return ask_on_a_connection(relay.behind, nonce)


def asking_as_an_oracle(relay: Relay, nonce: bytes, _: TlsConnection) -> Evidence:
    """Has the agent answer the client's nonce over gRPC, as anybody may."""
    return ask_over_h2(relay.behind, nonce)


def asking_for_its_own_session(relay: Relay, nonce: bytes, session: TlsConnection) -> Evidence:
    """Has the agent sign the exporter value of the session with the client, as a nonce."""
    return ask_over_h2(relay.behind, session.exporter_value(nonce))


def replaying(relay: Relay, _: bytes, __: TlsConnection) -> Evidence:
    """Shows what the agent answered to another nonce before."""
    return ask_on_a_connection(relay.behind, secrets.token_bytes(32))


def replaying_key_bound(relay: Relay, _: bytes, __: TlsConnection) -> Evidence:
    """Shows what the agent answered to another nonce over gRPC before."""
    return ask_over_h2(relay.behind, secrets.token_bytes(32))


def relabelled(strategy: Strategy, kind: BindingKind) -> Strategy:
    """Makes the evidence say of itself what the client wants to read."""

    def lying(relay: Relay, nonce: bytes, session: TlsConnection) -> Evidence:
        evidence = strategy(relay, nonce, session)
        evidence.nonce, evidence.spki, evidence.binding, evidence.role = nonce, relay.key.spki, kind, Role.SERVER
        return evidence

    return lying


STRATEGIES: dict[str, Strategy] = {
    "forwarding": forwarding,
    "oracle": asking_as_an_oracle,
    "oracle for its own session": asking_for_its_own_session,
    "replay": replaying,
    "replay of key-bound evidence": replaying_key_bound,
}
# What binding to the key alone lets by: with the leaked key, whoever can ask the agent can be taken for it.
KEY_BOUND_ACCEPTS = {("leaked", "oracle")}


def keys(machine: Machine) -> dict[str, TlsKey]:
    return {"own": TlsKey.generate(), "leaked": machine.leaked, "leaked, in another leaf": another_leaf(machine.leaked)}


def another_leaf(key: TlsKey) -> TlsKey:
    """The same key in a certificate of other bytes."""
    old = x509.load_der_x509_certificate(key.certificate)
    usage = old.extensions.get_extension_for_class(x509.KeyUsage).value
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(old.subject, old.issuer, key.private.public_key(), 7, begin, end)
    leaf = builder.add_extension(usage, critical=True).sign(key.private, SHA256())
    return TlsKey(key.private, leaf.public_bytes(Encoding.DER))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("key", ["own", "leaked", "leaked, in another leaf"])
@pytest.mark.parametrize("labels", ["as made", "forged"])
def test_ac_071_ac_072_ac_073_a_channel_bound_client_refuses_every_relay(
    machine: Machine, collateral: Collateral, strategy: str, key: str, labels: str
) -> None:
    made = STRATEGIES[strategy]
    honest_labels = labels == "as made"
    attack = made if honest_labels else relabelled(made, BindingKind.CHANNEL)
    with Relay(machine.url, keys(machine)[key], attack) as relay:
        with pytest.raises(Rejected) as caught:
            channel_bound(relay.url, collateral)
        assert relay.answered  # it did show evidence: genuine, and signed by the machine
        failed = {check.id: check.category for check in caught.value.appraisal.failed}
        assert failed["binding.report_data"] is Category.BINDING
        assert set(failed.values()) <= {Category.BINDING, Category.FRESHNESS}
        assert honest_labels or list(failed) == ["binding.report_data"]
        assert ("freshness.nonce" in failed) is (honest_labels and strategy not in {"forwarding", "oracle"})
        assert not relay.heard
        assert SECRET not in relay.heard


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("key", ["own", "leaked"])
def test_what_binding_to_the_key_alone_lets_by(
    machine: Machine, collateral: Collateral, strategy: str, key: str
) -> None:
    with Relay(machine.url, keys(machine)[key], relabelled(STRATEGIES[strategy], BindingKind.KEY)) as relay:
        if (key, strategy) not in KEY_BOUND_ACCEPTS:
            with pytest.raises(Rejected) as caught:
                key_bound(relay.url, collateral)
            assert Category.BINDING in {check.category for check in caught.value.appraisal.failed}
            assert not relay.heard
            return
        with key_bound(relay.url, collateral) as deceived:
            assert deceived.appraisal.assurance is Assurance.KEY_BOUND
            tell(deceived, SECRET)
        assert SECRET in relay.heard  # in clear, at somebody who is not the machine


def tell(attested: AttestedChannel, words: bytes) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = attested.channel.unary_unary("/application/Tell")
    call(words, timeout=10)


def test_without_anybody_in_between_both_are_accepted_and_graded(machine: Machine, collateral: Collateral) -> None:
    with channel_bound(machine.url, collateral) as attested:
        assert attested.appraisal.assurance is Assurance.CHANNEL_BOUND
        assert healthy(attested)
    with key_bound(machine.url, collateral) as attested:
        assert attested.appraisal.assurance is Assurance.KEY_BOUND
        assert healthy(attested)


def healthy(attested: AttestedChannel) -> bool:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = attested.channel.unary_unary("/grpc.health.v1.Health/Check")
    return call(b"", timeout=10) == b"\x08\x01"  # status: SERVING


@pytest.mark.parametrize("wanted", ["report data", "its first half", "nothing", "a byte too many"])
def test_ac_073_the_agent_signs_nothing_that_a_client_chose(
    machine: Machine, collateral: Collateral, wanted: str
) -> None:
    """The attacker computes what the client will expect of its own session, and asks the agent for just that."""
    refusals: list[grpc.StatusCode] = []

    def asking_for_exactly_that(relay: Relay, nonce: bytes, session: TlsConnection) -> Evidence:
        expected = channel_report_data(
            role=Role.SERVER, tee=machine.tee, nonce=nonce, spki=relay.key.spki, ekm=session.exporter_value(nonce)
        )
        asked = {"report data": expected, "its first half": expected[:32], "nothing": b"", "a byte too many": bytes(33)}
        try:
            evidence = ask_over_h2(relay.behind, asked[wanted])
        except grpc.RpcError as error:
            refusals.append(code_of(error))
            evidence = ask_over_h2(relay.behind, nonce)
        assert expected not in evidence.report
        assert expected[:32] not in evidence.report
        return evidence

    attack = relabelled(asking_for_exactly_that, BindingKind.CHANNEL)
    with Relay(machine.url, TlsKey.generate(), attack) as relay, pytest.raises(Rejected) as caught:
        channel_bound(relay.url, collateral)
    assert Category.BINDING in {check.category for check in caught.value.appraisal.failed}
    assert refusals == ([] if wanted == "its first half" else [grpc.StatusCode.INVALID_ARGUMENT])


def test_ac_074_evidence_of_one_connection_is_none_of_another(machine: Machine, collateral: Collateral) -> None:
    """The certificate is seen on one connection, the evidence comes from a second, calls would go over a third."""

    def splicing(relay: Relay, nonce: bytes, _: TlsConnection) -> Evidence:
        second = ask_on_a_connection(relay.behind, nonce)
        evidence = ask_on_a_connection(relay.behind, nonce)
        evidence.report = second.report
        return evidence

    with Relay(machine.url, machine.leaked, splicing) as relay, pytest.raises(Rejected) as caught:
        channel_bound(relay.url, collateral)
    assert {check.category for check in caught.value.appraisal.failed} == {Category.BINDING}


@pytest.mark.parametrize("client", [channel_bound, key_bound], ids=["cvmproof/1", "h2"])
def test_ac_069_evidence_of_one_protocol_path_is_none_of_the_other(
    machine: Machine, collateral: Collateral, client: object
) -> None:
    """Each path's evidence, for the very nonce and key, shown on the other; once as it is and once relabelled."""
    for_channel = client is channel_bound
    other: Strategy = asking_as_an_oracle if for_channel else forwarding
    expected = BindingKind.CHANNEL if for_channel else BindingKind.KEY
    for attack in (other, relabelled(other, expected)):
        with Relay(machine.url, machine.leaked, attack) as relay, pytest.raises(Rejected) as caught:
            (channel_bound if for_channel else key_bound)(relay.url, collateral)
        categories = {check.category for check in caught.value.appraisal.failed}
        assert categories == {Category.BINDING}
        assert not relay.heard


def test_a_replayed_answer_is_refused_by_its_nonce_and_by_its_session(machine: Machine, collateral: Collateral) -> None:
    taken = ask_on_a_connection(machine.url, secrets.token_bytes(32))
    with Relay(machine.url, machine.leaked, lambda *_: taken) as relay, pytest.raises(Rejected) as caught:
        channel_bound(relay.url, collateral)
    appraisal: Appraisal = caught.value.appraisal
    assert {check.category for check in appraisal.failed} == {Category.FRESHNESS, Category.BINDING}


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    assert isinstance(error, grpc.Call)
    return error.code()


RIDE = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1].replace("@", "\\0"))
try:
    s.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes(9))
    print(len(s.recv(1)))
except ConnectionError:
    print(0)
"""


def test_a_verified_channel_is_not_for_other_processes(machine: Machine, collateral: Collateral) -> None:
    with channel_bound(machine.url, collateral) as attested:
        through = attested._tunnel.target.replace("unix-abstract:", "@")
        before = ride(through)
        assert healthy(attested)  # and for us it works still
        after = ride(through)
    assert before == "0" or "refused" in before  # let in, and shown the door without a byte; or gRPC was there first
    assert "refused" in after


LISTEN = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1].replace("@", "\\0"))
"""


def test_no_other_process_takes_the_place_of_a_verified_channel(machine: Machine, collateral: Collateral) -> None:
    with channel_bound(machine.url, collateral) as attested:
        name = attested._tunnel.target.replace("unix-abstract:", "@")
        assert "Address already in use" in run(LISTEN, name)
        assert healthy(attested)
        assert "Address already in use" in run(LISTEN, name)  # nor once it is in use
        attested._tunnel._pipe.close()
        assert "Address already in use" in run(LISTEN, name)  # nor once it has ended: gRPC may try to come back
    assert run(LISTEN, name) == ""  # nothing is kept of a channel that was closed


def ride(path: str) -> str:
    return run(RIDE, path)


def run(script: str, path: str) -> str:
    done = subprocess.run([sys.executable, "-c", script, path], check=False, capture_output=True, text=True, timeout=20)
    return done.stdout.strip() or "".join(done.stderr.strip().splitlines()[-1:])
