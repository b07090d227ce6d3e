"""The exchange in both roles: the attester may stand at either end of the TLS connection."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from tests.verifier.channel.fake_agent import (
    EITHER,
    PROMPT,
    PSP,
    FakeAgent,
    Machine,
    certificates,
    collateral,
    framed,
    policy,
    report_of,
    tee_of,
)
from tests.verifier.channel.leaves import key, leaf

from cvmproof.appraisal import Appraisal, Assurance, Verdict
from cvmproof.channel.challenge import Challenge
from cvmproof.channel.deadline import Deadline
from cvmproof.channel.exchange import Answered, ask, expected_channel
from cvmproof.channel.judging import Terms
from cvmproof.channel.tls import TlsConnection, client_context
from cvmproof.errors import CvmproofError, EndpointError, EvidenceError, Misuse, Rejected
from cvmproof.live import READER, ExpectedChannel, ExpectedKey, Reader
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import (
    SPKI_PREFIX,
    BindingKind,
    Role,
    Tee,
    channel_report_data,
    key_report_data,
    nonce_report_data,
)
from cvmproof_formats.errors import Category
from cvmproof_formats.frames import REQUEST_LIMIT, read_frame
from cvmproof_formats.tls import ALPN_ATTESTED
from cvmproof_formats.x509 import read_certificate
from cvmproof_protos.v1.attestation_pb2 import AttestedRequest
from cvmproof_protos.v1.evidence_pb2 import Evidence

TERMS = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=collateral())
OURS = key(b"the verifier's own")
OUR_LEAF = leaf(OURS)


def server_context() -> SSL.Context:
    """As a verifier that appraises whoever connects to it: it asks for a certificate, and evidence decides."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.use_privatekey(OURS)
    context.use_certificate(x509.load_der_x509_certificate(OUR_LEAF))
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.set_alpn_select_callback(lambda _, offered: offered[0])
    return context


on_either = pytest.mark.parametrize("machine", [td or PSP for td in EITHER.values()], ids=EITHER)


def evidence(role: Role, spki: bytes, nonce: bytes, ekm: bytes, machine: Machine = PSP) -> Evidence:
    tee = tee_of(machine)
    data = channel_report_data(role=role, tee=tee, nonce=nonce, spki=spki, ekm=ekm)
    return Evidence(
        tee=tee,
        binding=BindingKind.CHANNEL,
        role=role,
        nonce=nonce,
        spki=spki,
        report=report_of(machine, data),
        certificates=certificates(machine),
    )


Attester = Callable[[TlsConnection, bytes], Evidence]


@pytest.fixture
def asking() -> Iterator[Callable[[Attester, bytes, bytes], Answered]]:
    """`asking(attester, seed, ...)` is a verifier at the server end asking a client, which answers so."""
    with ExitStack() as stack:

        def run(attester: Attester, private: bytes, certificate: bytes) -> Answered:
            here, there = socket.socketpair()
            for each in (here, there):
                each.settimeout(0)
                stack.callback(each.close)
            verifier = TlsConnection(SSL.Connection(server_context(), here), here, peer="the client")
            verifier.ssl.set_accept_state()
            thread = threading.Thread(target=_attest, args=(there, attester, private, certificate))
            thread.start()
            stack.callback(thread.join, PROMPT)
            verifier.handshake(ALPN_ATTESTED, Deadline(PROMPT))
            return ask(verifier, role=Role.CLIENT)

        yield run


def _attest(sock: socket.socket, attester: Attester, private: bytes, certificate: bytes) -> None:
    context = client_context(ALPN_ATTESTED)
    context.use_privatekey(key(private))
    context.use_certificate(x509.load_der_x509_certificate(certificate))
    connection = TlsConnection(SSL.Connection(context, sock), sock, peer="the verifier")
    connection.ssl.set_connect_state()
    with suppress(CvmproofError, SSL.Error):
        deadline = Deadline(PROMPT)
        connection.handshake(ALPN_ATTESTED, deadline)
        request = read_frame(lambda size: connection.receive(size, deadline), limit=REQUEST_LIMIT)
        connection.send(framed(attester(connection, AttestedRequest.FromString(request).nonce)), deadline)


def spki_of(certificate: bytes) -> bytes:
    return read_certificate(certificate).spki


CLIENT_LEAF = leaf(key(b"client"))


def judged(answered: Answered) -> Appraisal:
    return TERMS.judge(answered.evidence, answered.expected)


@on_either
def test_a_client_that_attests_is_appraised_by_the_same_code(
    machine: Machine, asking: Callable[[Attester, bytes, bytes], Answered]
) -> None:
    def honest(connection: TlsConnection, nonce: bytes) -> Evidence:
        return evidence(Role.CLIENT, spki_of(CLIENT_LEAF), nonce, connection.exporter_value(nonce), machine)

    appraisal = judged(asking(honest, b"client", CLIENT_LEAF))
    assert appraisal.verdict is Verdict.ACCEPTED
    assert appraisal.assurance is Assurance.CHANNEL_BOUND


@on_either
def test_ac_079_a_verifiers_own_evidence_sent_back_to_it_is_refused(
    machine: Machine, asking: Callable[[Attester, bytes, bytes], Answered]
) -> None:
    """The worst case: the peer has the verifier's own TLS key, so that only the role tells the two ends apart."""

    def reflecting(connection: TlsConnection, nonce: bytes) -> Evidence:
        # What the verifier's own agent says of its end of this very session.
        return evidence(Role.SERVER, spki_of(OUR_LEAF), nonce, connection.exporter_value(nonce), machine)

    def relabelling(connection: TlsConnection, nonce: bytes) -> Evidence:
        made = reflecting(connection, nonce)
        made.role = Role.CLIENT
        return made

    for attester in (reflecting, relabelling):
        with pytest.raises(Rejected) as caught:
            judged(asking(attester, b"the verifier's own", OUR_LEAF))
        failed = {check.id: check for check in caught.value.appraisal.failed}
        assert {check.category for check in failed.values()} == {Category.BINDING}
        assert "evidence by the server: somebody's own, sent back" in failed["binding.report_data"].got


def test_a_client_of_another_key_is_refused(asking: Callable[[Attester, bytes, bytes], Answered]) -> None:
    def of_another(connection: TlsConnection, nonce: bytes) -> Evidence:
        made = evidence(Role.CLIENT, spki_of(OUR_LEAF), nonce, connection.exporter_value(nonce))
        made.spki = spki_of(CLIENT_LEAF)
        return made

    with pytest.raises(Rejected, match=r"binding\.report_data"):
        judged(asking(of_another, b"client", CLIENT_LEAF))


def test_a_peer_without_a_certificate_has_no_key_to_be_bound_to() -> None:
    here, there = socket.socketpair()
    for each in (here, there):
        each.settimeout(0)
    context = server_context()
    context.set_verify(SSL.VERIFY_NONE)
    verifier = TlsConnection(SSL.Connection(context, here), here, peer="the client")
    verifier.ssl.set_accept_state()
    client = TlsConnection(SSL.Connection(client_context(ALPN_ATTESTED), there), there, peer="the verifier")
    client.ssl.set_connect_state()
    shaking = threading.Thread(target=client.handshake, args=(ALPN_ATTESTED, Deadline(PROMPT)))
    shaking.start()
    verifier.handshake(ALPN_ATTESTED, Deadline(PROMPT))
    shaking.join()
    with pytest.raises(EndpointError, match="expected a certificate, got none") as caught:
        expected_channel(verifier, Challenge(), role=Role.CLIENT)
    assert caught.value.category is Category.UNSUPPORTED
    verifier.close()
    client.close()


def test_ac_062_a_challenge_is_good_for_one_expectation() -> None:
    challenge = Challenge()
    challenge.take()
    with FakeAgent(), pytest.raises(EvidenceError, match="used once") as caught:
        expected_channel(None, challenge, role=Role.SERVER)  # type: ignore[arg-type]  # it does not come to that
    assert caught.value.category is Category.FRESHNESS


@pytest.mark.parametrize("reader", [None, Reader(), "cvmproof.channel"])
def test_nobody_else_can_say_what_a_live_connection_is(reader: Reader) -> None:
    certificate = read_certificate(CLIENT_LEAF)
    with pytest.raises(Misuse, match=r"cvmproof\.channel only"):
        ExpectedChannel(reader=reader, role=Role.SERVER, nonce=bytes(32), leaf=certificate, ekm=bytes(32))
    with pytest.raises(Misuse, match=r"cvmproof\.channel only"):
        ExpectedKey(reader=reader, role=Role.SERVER, nonce=bytes(32), leaf=certificate)
    good = ExpectedKey(reader=READER, role=Role.SERVER, nonce=bytes(32), leaf=certificate)
    with pytest.raises((Misuse, TypeError, ValueError)):
        replace(good, nonce=b"\1" * 32)  # type: ignore[call-arg]  # nor from one that somebody has


KINDS = st.sampled_from([BindingKind.CHANNEL, BindingKind.KEY, BindingKind.NONCE])
PARTS = st.tuples(
    KINDS,
    st.sampled_from(Role),
    st.sampled_from(Tee),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=64, max_size=64),
    st.binary(min_size=32, max_size=32),
)


def report_data(parts: tuple[BindingKind, Role, Tee, bytes, bytes, bytes]) -> bytes:
    kind, role, tee, nonce, point, ekm = parts
    if kind is BindingKind.CHANNEL:
        return channel_report_data(role=role, tee=tee, nonce=nonce, spki=SPKI_PREFIX + point, ekm=ekm)
    if kind is BindingKind.KEY:
        return key_report_data(role=role, tee=tee, nonce=nonce, spki=SPKI_PREFIX + point)
    return nonce_report_data(role=role, tee=tee, nonce=nonce)


def that_count(parts: tuple[BindingKind, Role, Tee, bytes, bytes, bytes]) -> tuple[object, ...]:
    return parts[: {BindingKind.CHANNEL: 6, BindingKind.KEY: 5, BindingKind.NONCE: 4}[parts[0]]]


@settings(max_examples=300)
@given(PARTS, PARTS)
def test_ac_070_no_two_bindings_give_the_same_report_data(
    one: tuple[BindingKind, Role, Tee, bytes, bytes, bytes], other: tuple[BindingKind, Role, Tee, bytes, bytes, bytes]
) -> None:
    assert (report_data(one) == report_data(other)) is (that_count(one) == that_count(other))
