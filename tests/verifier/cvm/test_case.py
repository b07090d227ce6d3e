"""A CVM before anybody connects: record, policies, and what is remembered of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import pytest
from tests.verifier.cvm.scene import FLOOR, POLICY, SIGNED_ONLY, TRUST, DemandChanges, policy_bytes, signed
from tests.verifier.policy.tables import snp
from tests.verifier.snp.situation import Situation

from cvmproof.appraisal import Appraisal
from cvmproof.cvm.case import CvmCase, Demands, open_case, remember_accepted
from cvmproof.cvm.finding import FindingId
from cvmproof.errors import Category, Misuse, Rejected
from cvmproof.marks import AnotherMachine, CvmKey, Marks
from cvmproof.policy.policy import Authority
from cvmproof.policy.reading import read_policy
from cvmproof.prism.cvm import Cvm
from cvmproof_formats.snp.report import read_report

RECORD = Cvm(id="cvm-1", agent_url="https://agent.example.com")
KEY = CvmKey(trust=TRUST.name, api="https://api.example.com", domain="d", cvm="cvm-1")
TODAY = datetime.now(UTC)
CHANGED = POLICY + b"# another day\n"
ACCEPTED = Situation().appraise()
REPORT = read_report(Situation().signed_report)

Open = Callable[..., CvmCase]


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(folder=tmp_path / "marks")


@pytest.fixture
def open_(marks: Marks) -> Open:
    def opened(fetched: bytes = POLICY, **changes: Unpack[DemandChanges]) -> CvmCase:
        demands = replace(Demands(marks=marks, floors=(FLOOR,)), **changes)
        return open_case(RECORD, fetched, demands, key=KEY, now=TODAY)

    return opened


def names(case: CvmCase) -> list[str]:
    return [policy.name for policy in case.policies]


def test_the_fetched_policy_and_every_floor_and_pin_are_asked(open_: Open) -> None:
    pin = read_policy(policy_bytes(), name="pin")
    case = open_(pins=(pin,))
    assert names(case) == ["prism:cvm-1", "floor", "pin"]
    assert case.policies[0].authority is Authority.CONTROL_PLANE
    assert case.url == "https://agent.example.com"
    assert case.findings == ()


def test_a_policy_of_the_operators_own_takes_the_place_of_the_fetched_one(open_: Open) -> None:
    case = open_(b"not looked at", policy=FLOOR, floors=())
    assert names(case) == ["floor"]
    assert case.fetched is None


def test_the_control_planes_word_alone_is_refused_before_anybody_connects(open_: Open) -> None:
    with pytest.raises(Misuse, match="the word of the control plane alone"):
        open_(floors=())
    assert names(open_(floors=(), trust_control_plane=True)) == ["prism:cvm-1"]


def test_yesterdays_signed_policy_is_refused_by_its_serial_ac_093(open_: Open) -> None:
    open_(signed("cvm-1", serial=2), vouching=SIGNED_ONLY)
    with pytest.raises(Misuse, match="expected serial 2 or higher, got 1") as caught:
        open_(signed("cvm-1", serial=1), vouching=SIGNED_ONLY)
    assert caught.value.category is Category.ROLLBACK
    open_(signed("cvm-1", serial=2), vouching=SIGNED_ONLY)
    open_(signed("cvm-1", serial=3, policy=CHANGED), vouching=SIGNED_ONLY)


def test_another_policy_under_the_same_serial_is_refused_ac_093(open_: Open) -> None:
    open_(signed("cvm-1", serial=2), vouching=SIGNED_ONLY)
    with pytest.raises(Misuse) as caught:
        open_(signed("cvm-1", serial=2, policy=CHANGED), vouching=SIGNED_ONLY)
    assert caught.value.category is Category.ROLLBACK


def test_an_unsigned_policy_that_changed_is_found_until_one_is_accepted(open_: Open, marks: Marks) -> None:
    remember_accepted(open_(), ACCEPTED, marks)
    assert open_().findings == ()
    for _ in range(2):
        assert [finding.id for finding in open_(CHANGED).findings] == [FindingId.POLICY_CHANGED]
    remember_accepted(open_(CHANGED), ACCEPTED, marks)
    assert open_(CHANGED).findings == ()


def test_a_policy_that_takes_more_than_the_floor_is_found(open_: Open) -> None:
    loose = policy_bytes(rules="vmpls = [0, 1, 2]\n")
    assert [finding.id for finding in open_(loose).findings] == [FindingId.POLICY_LOOSER]


def test_which_machine_it_was_the_first_time_is_demanded_from_then_on_ac_048(open_: Open, marks: Marks) -> None:
    first = open_(pin_first_use=True)
    assert first.first_use
    assert names(first) == ["prism:cvm-1", "floor"]
    remember_accepted(first, ACCEPTED, marks)
    again = open_(pin_first_use=True)
    assert not again.first_use
    pin = again.policies[-1]
    assert (pin.name, pin.authority) == ("--pin first-use", Authority.FIRST_USE)
    assert snp(pin).chip_ids == frozenset({REPORT.chip_id})
    assert snp(pin).report_ids == frozenset({REPORT.report_id})
    assert names(open_()) == ["prism:cvm-1", "floor"]


def launched_anew() -> Appraisal:
    return Situation(report={"report_id": b"\x55" * 32}).appraise()


def test_of_two_at_once_one_is_the_first_ac_048(open_: Open, marks: Marks) -> None:
    one, other = open_(pin_first_use=True), open_(pin_first_use=True)
    remember_accepted(one, ACCEPTED, marks)
    with pytest.raises(AnotherMachine):
        remember_accepted(other, launched_anew(), marks)
    assert marks.identity(KEY) is not None


def test_a_machine_whose_chip_is_hidden_is_known_by_its_launch(open_: Open, marks: Marks) -> None:
    hidden = Situation(report={"chip_id": bytes(64)}, base="genuine", rules={"masked_chip_id": "any"}).appraise()
    if hidden.verdict != "accepted":
        pytest.fail(f"{[str(check) for check in hidden.failed]}")
    remember_accepted(open_(pin_first_use=True), hidden, marks)
    pin = open_(pin_first_use=True).policies[-1]
    assert not snp(pin).constrains("chip_ids")
    assert snp(pin).constrains("report_ids")


def test_nothing_is_remembered_of_what_was_not_accepted(open_: Open, marks: Marks) -> None:
    rejected = Situation(report={"policy": 0xB0000}).appraise()
    with pytest.raises(Rejected):
        remember_accepted(open_(pin_first_use=True), rejected, marks)
    assert marks.identity(KEY) is None
    assert marks.policy_digest(KEY) is None


def test_nothing_is_remembered_of_a_policy_that_was_not_taken(open_: Open, marks: Marks) -> None:
    with pytest.raises(Misuse):
        open_(signed("cvm-2", serial=9), vouching=SIGNED_ONLY)
    open_(signed("cvm-1", serial=1), vouching=SIGNED_ONLY)
