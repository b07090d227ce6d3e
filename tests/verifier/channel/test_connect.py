import gc
import logging
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL
from tests.agent.machine import eventually
from tests.verifier.channel.fake_agent import (
    EITHER,
    PROMPT,
    PSP,
    Answer,
    FakeAgent,
    certificates,
    collateral,
    evidence_for,
    framed,
    honest,
    policy,
    spki_of,
    tee_of,
)
from tests.verifier.channel.leaves import SIGNATURES_ONLY, key, leaf
from tests.verifier.channel.wire import OVERHEAD, Wire

import cvmproof
import cvmproof.channel
from cvmproof.appraisal import Appraisal, Assurance, Verdict
from cvmproof.channel import challenge, deadline, tls
from cvmproof.channel import connect as connect_module
from cvmproof.channel.channel import AttestedChannel
from cvmproof.channel.connect import connect, open_accepted, require_grade
from cvmproof.channel.judging import Terms
from cvmproof.channel.tls import TlsConnection
from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.store import CollateralStore
from cvmproof.errors import CvmproofError, EndpointError, EvidenceError, Malformed, Misuse, Rejected, Undecided
from cvmproof.live import READER, Live
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy
from cvmproof.trust import TrustRoots
from cvmproof_formats import der
from cvmproof_formats.binding import (
    SPKI_PREFIX,
    BindingKind,
    Role,
    channel_report_data,
    key_report_data,
    nonce_report_data,
)
from cvmproof_formats.errors import Category
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.frames import ANSWER_LIMIT, write_frame
from cvmproof_formats.x509 import read_certificate
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest, Refusal
from cvmproof_simulator.tdx.td import SoftwareTd

on_either = pytest.mark.parametrize("td", EITHER.values(), ids=EITHER)
FRAME_OF_A_NONCE = 4 + 2 + 32  # bytes: length, protobuf tag and length, nonce


def connected(url: str, *policies: Policy) -> AttestedChannel:
    return connect(url, policies=policies or [policy()], trust=TrustRoots.simulated(), collateral=collateral())


def say(channel: grpc.Channel, words: bytes, *, timeout: float = PROMPT) -> bytes:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Say")
    return call(words, timeout=timeout)


def rejected(agent: FakeAgent, *ids: str) -> Appraisal:
    with agent, pytest.raises(Rejected) as caught:
        connected(agent.url)
    appraisal = caught.value.appraisal
    assert appraisal.verdict is Verdict.REJECTED
    assert appraisal.assurance is Assurance.EVIDENCE_ONLY
    assert set(ids) <= {check.id for check in appraisal.failed}
    assert not agent.received
    return appraisal


@on_either
def test_an_accepted_connection_is_handed_out_as_a_channel(td: SoftwareTd | None, echo: str) -> None:
    with FakeAgent(td=td, service=echo) as agent, connected(agent.url) as attested:
        assert attested.appraisal.assurance is Assurance.CHANNEL_BOUND
        assert attested.appraisal.simulated
        assert say(attested.channel, b"hello") == b"hello"
        assert attested.ended is None
        assert "channel-bound, open until" in repr(attested)
    assert attested.ended == "closed here"


def test_it_is_public() -> None:
    assert cvmproof.connect is connect
    assert cvmproof.AttestedChannel is AttestedChannel
    with pytest.raises(AttributeError, match="no attribute 'fallback'"):
        _ = cvmproof.fallback


def test_much_goes_through_both_ways(echo: str) -> None:
    with FakeAgent(service=echo) as agent, connected(agent.url) as attested:
        words = bytes(range(256)) * 12_000
        assert say(attested.channel, words, timeout=20) == words


def test_the_appraisal_holds_both_policies_and_a_pin() -> None:
    with FakeAgent() as agent, connected(agent.url, policy(), builtin_policy("genuine")) as attested:
        assert {check.asked_by for check in attested.appraisal.checks} >= {"ours", "builtin:genuine"}


# --- what the evidence must be bound to ------------------------------------------------------------------------------


def answering(*, role: Role = Role.SERVER, **changes: bytes) -> Answer:
    """Answer with evidence of other values than those of the connection."""

    def answer(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        values = {"nonce": request.nonce, "ekm": connection.exporter_value(request.nonce)}
        return framed(evidence_for(agent, role=role, **(values | changes)))

    return answer


@on_either
def test_ac_061_evidence_for_another_nonce_is_refused_as_stale(td: SoftwareTd | None) -> None:
    appraisal = rejected(FakeAgent(td=td, answer=answering(nonce=bytes(32))), "freshness.nonce", "binding.report_data")
    assert {check.category for check in appraisal.failed} == {Category.FRESHNESS, Category.BINDING}


@on_either
def test_ac_061_evidence_for_another_nonce_under_our_label_is_refused(td: SoftwareTd | None) -> None:
    def relabelled(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        other = bytes(32)
        evidence = evidence_for(agent, nonce=other, ekm=connection.exporter_value(other))
        evidence.nonce = request.nonce
        return framed(evidence)

    appraisal = rejected(FakeAgent(td=td, answer=relabelled), "binding.report_data")
    assert [check.id for check in appraisal.failed] == ["binding.report_data"]


@on_either
def test_ac_067_report_data_right_in_its_first_half_only_is_refused(td: SoftwareTd | None) -> None:
    def half(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        right = channel_report_data(
            role=Role.SERVER,
            tee=tee_of(agent.machine),
            nonce=request.nonce,
            spki=spki_of(agent),
            ekm=connection.exporter_value(request.nonce),
        )
        return framed(
            evidence_for(agent, nonce=request.nonce, ekm=bytes(32), report_data=right[:32] + b"\1" * 32),
        )

    appraisal = rejected(FakeAgent(td=td, answer=half), "binding.report_data")
    assert {check.category for check in appraisal.failed} == {Category.BINDING}


def in_domain(kind: BindingKind, *, labelled: BindingKind) -> Answer:
    def answer(agent: FakeAgent, _: TlsConnection, request: AttestedRequest) -> bytes:
        spki = spki_of(agent)
        made = {
            BindingKind.NONCE: nonce_report_data(role=Role.SERVER, tee=tee_of(agent.machine), nonce=request.nonce),
            BindingKind.KEY: key_report_data(
                role=Role.SERVER, tee=tee_of(agent.machine), nonce=request.nonce, spki=spki
            ),
        }[kind]
        evidence = evidence_for(agent, nonce=request.nonce, ekm=bytes(32), report_data=made)
        evidence.binding = labelled
        return framed(evidence)

    return answer


@on_either
@pytest.mark.parametrize(
    ("kind", "got"),
    [(BindingKind.NONCE, "bound to the nonce alone"), (BindingKind.KEY, "bound to the TLS key alone")],
)
def test_ac_069_evidence_of_a_weaker_kind_is_refused_however_it_is_labelled(
    td: SoftwareTd | None, kind: BindingKind, got: str
) -> None:
    honest_label = rejected(
        FakeAgent(td=td, answer=in_domain(kind, labelled=kind)), "binding.labels", "binding.report_data"
    )
    lying_label = rejected(
        FakeAgent(td=td, answer=in_domain(kind, labelled=BindingKind.CHANNEL)), "binding.report_data"
    )
    for appraisal in (honest_label, lying_label):
        assert {check.category for check in appraisal.failed} == {Category.BINDING}
        assert got in {check.got for check in appraisal.failed}


@on_either
def test_ac_072_evidence_that_names_another_key_is_refused(td: SoftwareTd | None) -> None:
    other = FakeAgent(td=td, private=key(b"another"))
    appraisal = rejected(
        FakeAgent(td=td, answer=answering(spki=spki_of(other))), "binding.labels", "binding.report_data"
    )
    assert {check.category for check in appraisal.failed} == {Category.BINDING}


@on_either
def test_ac_075_an_exporter_value_of_another_label_context_or_length_is_refused(td: SoftwareTd | None) -> None:
    def with_ekm(*arguments: object) -> Answer:
        def answer(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
            label, size, context = (request.nonce if each == "nonce" else each for each in arguments)
            ekm = connection.ssl.export_keying_material(label, size, context)  # type: ignore[arg-type]  # as each case says
            return framed(evidence_for(agent, nonce=request.nonce, ekm=ekm[:32]))

        return answer

    for arguments in (
        (b"EXPORTER-Channel-Binding", 32, "nonce"),
        (b"EXPORTER-cvmproof-v1", 32, b""),
        (b"EXPORTER-cvmproof-v1", 64, "nonce"),
    ):
        appraisal = rejected(FakeAgent(td=td, answer=with_ekm(*arguments)), "binding.report_data")
        assert {check.category for check in appraisal.failed} == {Category.BINDING}


@on_either
def test_ac_079_evidence_by_the_other_end_is_refused(td: SoftwareTd | None) -> None:
    appraisal = rejected(FakeAgent(td=td, answer=answering(role=Role.CLIENT)), "binding.labels", "binding.report_data")
    assert any("sent back" in check.got for check in appraisal.failed)


@on_either
@pytest.mark.parametrize("more", [None, "content_commitment", "key_agreement", "key_cert_sign", "crl_sign"])
def test_ac_078_a_leaf_whose_key_may_do_more_than_shake_hands_is_refused(
    td: SoftwareTd | None, more: str | None
) -> None:
    private = key(b"agent")
    usages = None if more is None else SIGNATURES_ONLY | {more}
    appraisal = rejected(FakeAgent(td=td, private=private, certificate=leaf(private, usages=usages)), "binding.leaf")
    assert [check.id for check in appraisal.failed] == ["binding.leaf"]
    assert {check.category for check in appraisal.failed} == {Category.BINDING}


@on_either
def test_ac_078_a_leaf_whose_key_may_not_sign_is_refused(td: SoftwareTd | None) -> None:
    private = key(b"agent")
    agent = FakeAgent(td=td, private=private, certificate=leaf(private, usages=frozenset({"key_agreement"})))
    appraisal = rejected(agent, "binding.leaf")
    assert {check.category for check in appraisal.failed} == {Category.BINDING}


@on_either
def test_ac_078_a_key_on_another_curve_is_refused(td: SoftwareTd | None) -> None:
    appraisal = rejected(
        FakeAgent(
            td=td, private=key(b"agent", "P-384"), answer=answering(report_data=bytes(64), spki=SPKI_PREFIX + bytes(64))
        )
    )
    assert {check.category for check in appraisal.failed} == {Category.BINDING}
    (no,) = [check for check in appraisal.failed if check.id == "binding.report_data"]
    assert "uncompressed P-256 key" in no.expected


@on_either
def test_ac_078_a_compressed_point_is_refused(td: SoftwareTd | None) -> None:
    private = key(b"agent")
    right = leaf(private)
    appraisal = rejected(
        FakeAgent(
            td=td,
            private=private,
            certificate=compressed(right),
            answer=answering(report_data=bytes(64), spki=SPKI_PREFIX + bytes(64)),
        )
    )
    assert "binding.report_data" in {check.id for check in appraisal.failed}
    assert {check.category for check in appraisal.failed} == {Category.BINDING}


def compressed(certificate: bytes) -> bytes:
    """The same certificate with its key's point compressed, signed anew."""

    read = read_certificate(certificate)
    x, y = read.spki[len(SPKI_PREFIX) :][:32], read.spki[-32:]
    algorithm = der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"))
    spki = der.sequence(algorithm, der.bit_string(bytes([2 + (y[-1] & 1)]) + x))
    head, tail = read.tbs.split(read.spki)
    body = head + spki + tail
    start = 4 if body[1] == 0x82 else 3
    tbs = der.sequence(body[start:])
    signature = key(b"agent").sign(tbs, ec.ECDSA(SHA256()))
    made = der.sequence(tbs, read.signature_algorithm, der.bit_string(signature))
    assert x509.load_der_x509_certificate(made).public_key() == key(b"agent").public_key()
    return made


@on_either
def test_ac_074_a_verdict_is_for_one_connection_and_dies_with_it(td: SoftwareTd | None, echo: str) -> None:
    with FakeAgent(td=td, service=echo) as agent, connected(agent.url) as attested:
        assert say(attested.channel, b"one") == b"one"
        agent.connections[0].sock.shutdown(2)
        with pytest.raises(grpc.RpcError) as caught:
            say(attested.channel, b"two")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError):
            say(attested.channel, b"three", timeout=1.0)
        assert len(agent.connections) == 1
        assert attested.ended


@on_either
def test_ac_075_a_reconnect_is_another_appraisal_with_another_nonce(td: SoftwareTd | None, echo: str) -> None:
    with FakeAgent(td=td, service=echo) as agent, connected(agent.url) as first, first.renew() as second:
        assert first.ended == "closed here"
        assert say(second.channel, b"again") == b"again"
        assert second.appraisal is not first.appraisal
        assert len(set(agent.requests)) == 2


# --- not one byte too many -------------------------------------------------------------------------------------------


@on_either
def test_ac_077_nothing_but_the_nonce_leaves_before_the_verdict(td: SoftwareTd | None) -> None:
    seen = []

    def judge(evidence: Evidence, expected: Live) -> Appraisal:
        time.sleep(0.1)  # whatever is on its way has arrived
        seen.append((bytes(wire.sent), list(wire.protected)))
        return terms().judge(evidence, expected)

    with FakeAgent(td=td) as agent, Wire(agent.port) as wire:
        accepted = open_accepted(wire.url, judge)
        before, protected = seen[0]
        assert [record.size for record in protected] == [FRAME_OF_A_NONCE + OVERHEAD]
        assert bytes(wire.sent) == before
        assert not agent.received
        accepted.connection.close()


@on_either
def test_ac_077_after_a_rejected_verdict_nothing_leaves_at_all(td: SoftwareTd | None) -> None:
    seen = []

    def judge(evidence: Evidence, expected: Live) -> Appraisal:
        seen.append(bytes(wire.sent))
        return terms(policy(measurement=b"\1" * 48, mr_td=b"\1" * 48)).judge(evidence, expected)

    with FakeAgent(td=td) as agent, Wire(agent.port) as wire:
        with pytest.raises(Rejected, match=r"snp\.measurement" if td is None else r"tdx\.mr_td"):
            open_accepted(wire.url, judge)
        assert wire.client_is_gone.wait(PROMPT)
        assert bytes(wire.sent) == seen[0]
        assert not agent.received


def test_after_the_verdict_and_before_the_first_call_grpc_only_says_that_it_is_there() -> None:
    with FakeAgent() as agent, connected(agent.url):
        time.sleep(0.1)
    assert bytes(agent.received).startswith(PREFACE)
    assert frame_types(bytes(agent.received).removeprefix(PREFACE)) <= {SETTINGS, PING, GOAWAY, WINDOW_UPDATE}


def test_grpc_goes_through_the_door_at_once_and_nobody_after_it() -> None:
    with FakeAgent() as agent, connected(agent.url) as attested:
        name = "\0" + attested._tunnel.target.removeprefix("unix-abstract:")
        ends = time.monotonic() + PROMPT
        while not agent.received and time.monotonic() < ends:
            time.sleep(0.01)
        assert agent.received
        with socket.socket(socket.AF_UNIX) as late, pytest.raises(ConnectionRefusedError):
            late.connect(name)


def test_a_call_leaves_after_the_verdict(echo: str) -> None:
    with FakeAgent(service=echo) as agent, Wire(agent.port) as wire, connected(wire.url) as attested:
        time.sleep(0.1)
        before = len(wire.protected)
        assert say(attested.channel, b"hello") == b"hello"
        assert len(wire.protected) > before


# RFC 9113 sections 3.4 and 6
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 4, 6, 7, 8


def frame_types(data: bytes) -> set[int]:
    """Types of the HTTP/2 frames that stand in a row, RFC 9113 section 4.1."""
    types = set()
    while data:
        types.add(data[3])
        data = data[9 + int.from_bytes(data[:3]) :]
    return types


def terms(*policies: Policy) -> Terms:
    return Terms(policies=policies or (policy(),), trust=TrustRoots.simulated(), collateral=collateral())


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_ac_075_tls_1_2_is_unsupported() -> None:
    def older(context: SSL.Context) -> None:
        context.set_max_proto_version(SSL.TLS1_2_VERSION)

    with FakeAgent(context=older) as agent, pytest.raises(EndpointError, match="TLS handshake") as caught:
        connected(agent.url)
    assert caught.value.category is Category.UNSUPPORTED
    assert agent.requests == []


@pytest.mark.parametrize("alpn", [(b"h2",), (b"cvmproof/2",)])
def test_another_protocol_is_unsupported(alpn: tuple[bytes, ...]) -> None:
    with FakeAgent(alpn=alpn) as agent, pytest.raises(EndpointError, match="with the protocol cvmproof/1") as caught:
        connected(agent.url)
    assert caught.value.category is Category.UNSUPPORTED
    assert agent.requests == []


def test_a_server_that_negotiates_no_protocol_gets_nothing() -> None:
    class Silent(FakeAgent):
        def context(self) -> SSL.Context:
            context = SSL.Context(SSL.TLS_SERVER_METHOD)
            context.use_privatekey(self.private)

            context.use_certificate(x509.load_der_x509_certificate(self.certificate))
            return context

    with Silent() as agent, Wire(agent.port) as wire:
        with pytest.raises(EndpointError, match=r"expected TLSv1\.3 with the protocol cvmproof/1") as caught:
            connected(wire.url)
        assert caught.value.category is Category.UNSUPPORTED
        assert wire.client_is_gone.wait(PROMPT)
        assert wire.protected == []


def test_ac_075_every_connection_is_a_full_handshake_even_where_the_server_offers_tickets() -> None:
    def resuming(context: SSL.Context) -> None:
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        context.set_session_id(b"cvmproof")

    hellos = []
    with FakeAgent(context=resuming) as agent:
        for _ in range(2):
            with Wire(agent.port) as wire, connected(wire.url):
                hellos.append(bytes(wire.sent))
    for hello in hellos:
        assert not has_extension(hello, 41)  # RFC 8446 section 4.2: pre_shared_key
        assert not has_extension(hello, 42)  # early_data
        assert has_extension(hello, 43)  # supported_versions, as a proof that extensions are found


def has_extension(hello: bytes, wanted: int) -> bool:
    at = 5 + 4 + 2 + 32  # record and handshake headers, legacy_version, random
    at += 1 + hello[at]  # legacy_session_id
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # cipher_suites
    at += 1 + hello[at]  # legacy_compression_methods
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    found = set()
    while at < end:
        found.add(int.from_bytes(hello[at : at + 2], "big"))
        at += 4 + int.from_bytes(hello[at + 2 : at + 4], "big")
    return wanted in found


@on_either
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ac_076_a_callback_that_raises_changes_no_verdict(
    td: SoftwareTd | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    plain = tls.client_context

    def with_callbacks(alpn: bytes) -> SSL.Context:
        context = plain(alpn)

        def breaking(*_: object) -> None:
            raise RuntimeError("out of order")

        context.set_info_callback(breaking)
        context.set_keylog_callback(breaking)
        return context

    monkeypatch.setattr(tls, "client_context", with_callbacks)
    with FakeAgent(td=td, answer=answering(ekm=bytes(32))) as agent, pytest.raises(CvmproofError) as caught:
        connected(agent.url)
    assert isinstance(caught.value, Rejected)
    capsys.readouterr()  # cffi tells of exceptions in callbacks there


def test_ac_076_nothing_is_decided_in_a_callback() -> None:

    for path in Path(cvmproof.channel.__path__[0]).glob("*.py"):
        assert "_callback(" not in path.read_text(encoding="utf-8").replace("add_done_callback(", "")


def test_nobody_there_is_unavailable() -> None:
    with FakeAgent() as agent:
        url = agent.url
    with pytest.raises(EndpointError, match="Connection refused") as caught:
        connected(url)
    assert caught.value.category is Category.UNAVAILABLE


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://user@127.0.0.1:1", "127.0.0.1:1"])
def test_a_url_that_is_none_is_refused_before_anything_is_dialled(url: str) -> None:
    with pytest.raises(EndpointError, match="agent URL"):
        connected(url)


# --- answers ---------------------------------------------------------------------------------------------------------


def saying(data: bytes) -> Answer:
    return lambda *_: data


@pytest.mark.parametrize(
    ("data", "category", "message"),
    [
        (b"\0\0\0\0", Category.MALFORMED, "got neither"),
        (write_frame(b"\xff" * 40, limit=ANSWER_LIMIT), Category.MALFORMED, "other bytes"),
        ((ANSWER_LIMIT + 1).to_bytes(4, "big"), Category.SIZE_LIMIT, "at most 5242880 bytes"),
        (b"\xff\xff\xff\xff", Category.SIZE_LIMIT, "at most 5242880 bytes"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Category.SIZE_LIMIT, "at most"),
        (framed(evidence_for(FakeAgent(), nonce=bytes(32), ekm=bytes(32)))[:-1], None, "the connection was cut|closed"),
    ],
    ids=["empty", "noise", "too long", "much too long", "http", "cut short"],
)
def test_an_answer_that_is_none_is_refused(data: bytes, category: Category | None, message: str) -> None:
    class Closing(FakeAgent):
        """Says it and goes."""

        def _pipe(self, connection: TlsConnection) -> None:
            connection.close()

    with Closing(answer=saying(data), service="none") as agent, pytest.raises(CvmproofError, match=message) as caught:
        connected(agent.url)
    if category is None:
        assert isinstance(caught.value, EndpointError)
        assert caught.value.category is Category.UNAVAILABLE
    else:
        assert isinstance(caught.value, Malformed)
        assert caught.value.category is category


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("RATE_LIMIT", Category.RATE_LIMIT),
        ("UNAVAILABLE", Category.UNAVAILABLE),
        ("MALFORMED", Category.MALFORMED),
        ("ACCEPTED", Category.ENDPOINT),
        ("INTERNAL", Category.ENDPOINT),
        ("", Category.ENDPOINT),
    ],
)
def test_a_refusal_is_told_with_its_category_and_its_words_escaped(said: str, category: Category) -> None:
    refusal = AttestedAnswer(refusal=Refusal(category=said, message="busy\x1b[2J\n" + "x" * 10_000))
    answer = write_frame(refusal.SerializeToString(), limit=ANSWER_LIMIT)
    with FakeAgent(answer=saying(answer)) as agent, pytest.raises(EndpointError, match="refused: busy") as caught:
        connected(agent.url)
    assert caught.value.category is category
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_agent_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(challenge, "TIME_TO_LIVE", 0.3)

    def never(_: FakeAgent, connection: TlsConnection, __: AttestedRequest) -> bytes:
        connection.receive(1, deadline.Deadline(PROMPT))
        return b""

    began = time.monotonic()
    with FakeAgent(answer=never) as agent, pytest.raises(EndpointError, match="no answer within") as caught:
        connected(agent.url)
    assert caught.value.category is Category.UNAVAILABLE
    assert time.monotonic() - began < PROMPT


@on_either
def test_ac_062_an_answer_that_dribbles_in_is_left_when_the_nonce_is_old(
    td: SoftwareTd | None, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(challenge, "TIME_TO_LIVE", 0.5)

    def dribbling(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        answer = honest(agent, connection, request)
        for at in range(0, 1000, 10):
            connection.send(answer[at : at + 10], deadline.Deadline(PROMPT))
            time.sleep(0.05)
        return b""

    with FakeAgent(td=td, answer=dribbling) as agent, pytest.raises(CvmproofError) as caught:
        connected(agent.url)
    assert isinstance(caught.value, EndpointError | EvidenceError)
    assert caught.value.category in {Category.UNAVAILABLE, Category.FRESHNESS}


def test_a_server_that_does_not_shake_hands_is_left(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(connect_module, "DIAL_LIMIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(EndpointError, match=r"TLS handshake .* no answer within") as caught:
            connected(f"https://127.0.0.1:{port}")
    assert caught.value.category is Category.UNAVAILABLE


def test_what_is_no_tls_is_unsupported() -> None:

    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            client, _ = plain.accept()
            with client:
                client.recv(4096)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(EndpointError, match="TLS handshake") as caught:
            connected(f"https://127.0.0.1:{plain.getsockname()[1]}")
        thread.join()
    assert caught.value.category is Category.UNSUPPORTED


# --- terms -----------------------------------------------------------------------------------------------------------


def test_software_must_be_named_unless_any_will_do() -> None:
    open_policy = builtin_policy("genuine")
    with pytest.raises(Misuse, match="no policy says which software") as caught:
        connected("https://127.0.0.1:1", open_policy)
    assert caught.value.category is Category.POLICY_INVALID
    with FakeAgent() as agent:
        arguments = {"trust": TrustRoots.simulated(), "collateral": collateral()}
        with connect(agent.url, policies=[open_policy], any_software=True, **arguments) as attested:  # type: ignore[arg-type]  # by name
            assert attested.appraisal.verdict is Verdict.ACCEPTED
        with connected(agent.url, open_policy, policy()):
            pass


@pytest.mark.parametrize("policies", [[], ["builtin:genuine"], [None]])
def test_ac_088_without_policies_nothing_is_dialled(policies: list[Policy]) -> None:
    with pytest.raises(Misuse, match="one or more Policy objects"):
        connect("https://127.0.0.1:1", policies=policies, trust=TrustRoots.simulated(), collateral=collateral())


@on_either
def test_ac_095_a_simulated_agent_convinces_no_production_trust_set(td: SoftwareTd | None) -> None:
    with FakeAgent(td=td) as agent, pytest.raises(Rejected) as caught:
        connect(agent.url, policies=[policy()], trust=TrustRoots.production(), collateral=collateral())
    assert Category.SIMULATED in {check.category for check in caught.value.appraisal.failed}


def test_without_a_revocation_list_the_verdict_is_open_and_there_is_no_channel() -> None:
    with FakeAgent() as agent, pytest.raises(Undecided, match="revocation list"):
        connect(agent.url, policies=[policy()], trust=TrustRoots.simulated(), collateral=Collateral())
    assert not agent.received


def test_a_store_of_another_trust_set_is_refused(tmp_path: Path) -> None:

    store = CollateralStore(folder=tmp_path, trust=TrustRoots.production())
    with pytest.raises(Misuse, match="expected one for simulated"):
        connect("https://127.0.0.1:1", policies=[policy()], trust=TrustRoots.simulated(), collateral=store)


def test_only_an_accepted_appraisal_of_the_right_grade_opens_a_channel() -> None:
    with FakeAgent() as agent, connected(agent.url) as attested:
        require_grade(attested.appraisal, Assurance.CHANNEL_BOUND)
        with pytest.raises(CvmproofError, match="expected an appraisal that is key-bound"):
            require_grade(attested.appraisal, Assurance.KEY_BOUND)


def test_what_a_judge_raises_closes_the_connection() -> None:
    def breaking(_: Evidence, __: Live) -> Appraisal:
        raise RuntimeError("out of order")

    with FakeAgent() as agent:
        with pytest.raises(RuntimeError, match="out of order"):
            open_accepted(agent.url, breaking)
        assert not agent.received


# --- the end ---------------------------------------------------------------------------------------------------------


def test_a_channel_ends_with_its_verdict(echo: str) -> None:
    with FakeAgent(service=echo) as agent, connected(agent.url, policy(valid_for=2)) as attested:
        channel = attested.channel
        assert say(channel, b"hello") == b"hello"
        assert attested.expires_at is not None
        eventually(lambda: attested.ended == "the verdict has expired")
        assert datetime.now(UTC) >= attested.expires_at
        with pytest.raises(grpc.RpcError) as caught:
            say(channel, b"hello", timeout=1.0)
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        with pytest.raises(Undecided, match="the verdict is for") as expired:
            _ = attested.channel
        assert expired.value.category is Category.EXPIRED


def test_a_clock_set_forward_ends_a_channel(echo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeAgent(service=echo) as agent, connected(agent.url) as attested:
        channel = attested.channel
        assert say(channel, b"hello") == b"hello"
        moved = datetime.now(UTC) + timedelta(hours=1)
        monkeypatch.setattr(attested._tunnel._pipe._lease, "_now", lambda: moved)
        with pytest.raises(grpc.RpcError):
            say(channel, b"hello", timeout=1.0)
        eventually(lambda: attested.ended == "the verdict has expired")


@on_either
def test_ac_080_a_renewal_that_fails_leaves_no_channel(td: SoftwareTd | None, echo: str) -> None:
    with FakeAgent(td=td, service=echo) as agent:
        attested = connected(agent.url)
        channel = attested.channel
        assert say(channel, b"hello") == b"hello"
    with pytest.raises(EndpointError) as caught:
        attested.renew()
    assert caught.value.category is Category.UNAVAILABLE
    assert attested.ended
    with pytest.raises(ValueError, match="closed channel"):
        say(channel, b"hello")


@on_either
def test_ac_080_a_renewal_that_takes_too_long_leaves_no_channel(
    td: SoftwareTd | None, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    def slow(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        if len(agent.requests) > 1:
            connection.receive(1, deadline.Deadline(PROMPT))
        return honest(agent, connection, request)

    with FakeAgent(td=td, answer=slow, service=echo) as agent:
        attested = connected(agent.url)
        monkeypatch.setattr(challenge, "TIME_TO_LIVE", 0.3)
        with pytest.raises(EndpointError, match="no answer within") as caught:
            attested.renew()
    assert caught.value.category is Category.UNAVAILABLE
    assert attested.ended == "closed here"


def test_closing_twice_is_closing_once(echo: str) -> None:
    with FakeAgent(service=echo) as agent:
        attested = connected(agent.url)
        attested.close()
        attested.close()


def test_a_channel_that_nobody_closed_ends_with_its_last_reference(echo: str) -> None:
    with FakeAgent(service=echo) as agent:
        attested = connected(agent.url)
        assert say(attested.channel, b"hello") == b"hello"
        pipe = attested._tunnel._pipe
        del attested
        gc.collect()
        pipe.join()
        assert pipe.ended == "closed here"


def test_a_stub_that_outlives_its_channel_reaches_nobody_and_nobody_can_take_the_channels_place(echo: str) -> None:
    with FakeAgent(service=echo) as agent:
        attested = connected(agent.url)
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = attested.channel.unary_unary("/test.Echo/Say")
        assert call(b"hello", timeout=PROMPT) == b"hello"
        pipe, name = attested._tunnel._pipe, "\0" + attested._tunnel.target.removeprefix("unix-abstract:")
        del attested
        gc.collect()
        pipe.join()
        del pipe
        gc.collect()
        assert_taken(name)
        with pytest.raises(grpc.RpcError) as caught:  # it connects again, or tries to
            call(b"still there?", timeout=PROMPT)
        assert "UNAVAILABLE" in str(caught.value)
        assert_taken(name)
        del call, caught
        gc.collect()
        with socket.socket(socket.AF_UNIX) as free:
            free.bind(name)


def assert_taken(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as stranger, pytest.raises(OSError, match="Address already in use"):
        stranger.bind(name)


def test_a_channel_that_nobody_used_leaves_nothing() -> None:
    with FakeAgent() as agent, connected(agent.url):
        pass


# --- quiet -----------------------------------------------------------------------------------------------------------


@on_either
def test_ac_126_logs_hold_no_nonce_key_or_evidence(
    td: SoftwareTd | None, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeAgent(td=td, service=echo) as agent:
        with connected(agent.url) as attested:
            say(attested.channel, b"hello")
            claims = attested.appraisal.claims
        with pytest.raises(Rejected):
            connected(agent.url, policy(measurement=b"\1" * 48, mr_td=b"\1" * 48))
        secrets = [AttestedRequest.FromString(request).nonce for request in agent.requests]
        if isinstance(claims, TdxClaims):
            secrets += [claims.quote.body.report_data, claims.quote.signature, claims.quote.attestation_key]
        else:
            secrets += [claims.report.report_data, claims.report.signature_r, *certificates(PSP)]
    text = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records if "cvmproof" in record.name)
    assert "accepted, channel-bound" in text
    for secret in secrets:
        assert secret.hex()[:16] not in text
        assert repr(secret)[2:18] not in text
    assert "hello" not in text


@on_either
def test_ac_126_what_is_expected_does_not_show_itself(td: SoftwareTd | None) -> None:
    seen: list[str] = []

    def judge(evidence: Evidence, expected: Live) -> Appraisal:
        seen.append(repr(expected) + repr(replace(expected, reader=READER)))
        return terms().judge(evidence, expected)

    with FakeAgent(td=td) as agent:
        open_accepted(agent.url, judge).connection.close()
        nonce = AttestedRequest.FromString(agent.requests[0]).nonce
    assert nonce.hex() not in seen[0]
    assert repr(nonce) not in seen[0]
