"""Statements: one for each domain, of the lengths that the domain wants, and their labels keep the session's secret."""

from collections.abc import Callable

import pytest
from tests.agent.machine import FakeDevice

from cvmproof_agent.attester import DeviceAttester
from cvmproof_agent.statement import ChannelStatement, KeyStatement, NonceStatement, Statement, UserStatement
from cvmproof_formats.binding import (
    SPKI_PREFIX,
    BindingKind,
    Role,
    Tee,
    channel_report_data,
    key_report_data,
    nonce_report_data,
    user_report_data,
)
from cvmproof_formats.errors import Misuse

NONCE, SPKI, EKM = bytes(range(32)), SPKI_PREFIX + bytes(64), b"\xee" * 32
EVERY: tuple[Statement, ...] = (
    ChannelStatement(role=Role.SERVER, nonce=NONCE, spki=SPKI, ekm=EKM),
    KeyStatement(role=Role.SERVER, nonce=NONCE, spki=SPKI),
    NonceStatement(role=Role.SERVER, nonce=NONCE),
    UserStatement(uid=1000, user_data=b"a public key"),
)


@pytest.mark.parametrize("tee", list(Tee))
def test_each_is_the_report_data_of_its_domain(tee: Tee) -> None:
    assert [statement.report_data(tee) for statement in EVERY] == [
        channel_report_data(role=Role.SERVER, tee=tee, nonce=NONCE, spki=SPKI, ekm=EKM),
        key_report_data(role=Role.SERVER, tee=tee, nonce=NONCE, spki=SPKI),
        nonce_report_data(role=Role.SERVER, tee=tee, nonce=NONCE),
        user_report_data(tee=tee, uid=1000, user_data=b"a public key"),
    ]


def test_there_is_one_for_each_domain() -> None:
    assert [statement.kind for statement in EVERY] == list(BindingKind)


@pytest.mark.parametrize("statement", EVERY, ids=lambda statement: statement.kind)
def test_evidence_carries_its_labels_and_its_report_data(statement: Statement) -> None:
    device = FakeDevice()
    evidence = DeviceAttester(device).attest(statement)
    assert device.asked == [statement.report_data(Tee.SEV_SNP)]
    assert (evidence.binding, evidence.tee) == (statement.kind, Tee.SEV_SNP)
    for name in ("role", "nonce", "spki", "uid", "user_data"):
        assert getattr(evidence, name) == getattr(statement, name, None)


def test_ac_126_the_exporter_value_is_in_no_label() -> None:
    assert EKM not in [getattr(EVERY[0].evidence(Tee.TDX), name) for name in ("nonce", "spki", "report", "user_data")]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ChannelStatement(role=Role.SERVER, nonce=NONCE[1:], spki=SPKI, ekm=EKM), "nonce: expected exactly 32"),
        (lambda: ChannelStatement(role=Role.SERVER, nonce=NONCE, spki=SPKI[:-1], ekm=EKM), "SPKI: expected exactly 91"),
        (lambda: ChannelStatement(role=Role.SERVER, nonce=NONCE, spki=SPKI, ekm=b""), "EKM: expected exactly 32"),
        (lambda: ChannelStatement(role=Role.SERVER, nonce=NONCE, spki=bytes(91), ekm=EKM), "uncompressed P-256"),
        (lambda: KeyStatement(role=Role.SERVER, nonce=NONCE + b"\0", spki=SPKI), "nonce: expected exactly 32"),
        (lambda: KeyStatement(role=Role.SERVER, nonce=NONCE, spki=SPKI + b"\0"), "SPKI: expected exactly 91"),
        (lambda: KeyStatement(role=Role.SERVER, nonce=NONCE, spki=bytes(91)), "uncompressed P-256"),
        (lambda: NonceStatement(role=Role.SERVER, nonce=bytes(64)), "nonce: expected exactly 32"),
        (lambda: UserStatement(uid=1 << 32, user_data=b""), "uid: expected 0 to"),
        (lambda: UserStatement(uid=0, user_data=bytes(4097)), "at most 4096"),
    ],
)
def test_one_of_another_length_can_not_be_made(make: Callable[[], Statement], match: str) -> None:
    with pytest.raises(Misuse, match=match):
        make()


@pytest.mark.parametrize("statement", EVERY, ids=lambda statement: statement.kind)
def test_none_shows_what_it_holds(statement: Statement) -> None:
    assert all(str(part)[2:-1] not in repr(statement) for part in (NONCE, SPKI, EKM, b"a public key"))
