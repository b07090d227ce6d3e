"""A policy of pins alone: it takes the machine it names, refuses another, and asks for nothing else."""

import pytest
from tests.verifier.policy.tables import snp, tdx
from tests.verifier.snp.situation import REPORT_DATA, Situation, categories

from cvmproof.appraisal import Pin, Verdict
from cvmproof.policy.pinning import pin_policy
from cvmproof.policy.policy import Authority, Policy
from cvmproof.policy.tdx_rules import MAXIMUM_GRACE, STATUSES
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.snp.report import read_report

REPORT = read_report(Situation().psp.report(REPORT_DATA))


def pins(**named: list[bytes]) -> Policy:
    return pin_policy(name="pins", authority=Authority.FIRST_USE, **named)


@pytest.mark.parametrize(
    ("named", "pinned"),
    [({"chip_ids": [REPORT.chip_id]}, Pin.MACHINE), ({"report_ids": [REPORT.report_id]}, Pin.INSTANCE)],
)
def test_what_it_names_is_taken_and_something_else_is_not_ac_046(named: dict[str, list[bytes]], pinned: Pin) -> None:
    accepted = Situation().appraise(pins(**named))
    assert accepted.verdict is Verdict.ACCEPTED
    assert (accepted.identity_pinned, accepted.identity_pin_source) == (pinned, "first-use")
    other = {name: [bytes(len(values[0]) - 1) + b"\1"] for name, values in named.items()}
    rejected = Situation().appraise(pins(**other))
    assert rejected.verdict is Verdict.REJECTED
    assert categories(rejected) == {Category.IDENTITY}


def test_it_asks_for_no_software_and_for_no_setting() -> None:
    policy = pins(chip_ids=[REPORT.chip_id])
    assert not policy.constrains_software
    assert policy.authority is Authority.FIRST_USE
    assert not snp(policy).constrains("guest_policy.debug")


def test_a_pin_of_another_length_is_refused() -> None:
    with pytest.raises(Misuse, match="chip_ids"):
        pins(chip_ids=[b"\1" * 63])


PPID, PLATFORM = b"\2" * 16, b"\3" * 16


@pytest.mark.parametrize("named", [{"ppids": [PPID]}, {"platform_instance_ids": [PLATFORM]}])
def test_a_pin_of_tdx_demands_the_machine_and_nothing_else(named: dict[str, list[bytes]]) -> None:
    policy = pins(**named)
    rules, (pinned,) = tdx(policy), named
    assert getattr(rules, pinned) == frozenset(named[pinned])
    demanded = {name for name in rules.names() if rules.constrains(name)}
    # These always say something; they are as wide as they can be.
    assert demanded == {pinned, "tcb_statuses", "collateral_grace"}
    assert rules.tcb_statuses == frozenset(STATUSES)
    assert rules.collateral_grace == MAXIMUM_GRACE


def test_a_technology_of_which_nothing_is_pinned_is_refused_ac_046() -> None:
    assert pins(ppids=[PPID]).snp is None
    assert pins(report_ids=[REPORT.report_id]).tdx is None
    both = pins(chip_ids=[REPORT.chip_id], ppids=[PPID])
    assert (snp(both).chip_ids, tdx(both).ppids) == (frozenset({REPORT.chip_id}), frozenset({PPID}))


def test_pins_that_name_nothing_are_none() -> None:
    with pytest.raises(Misuse, match="a machine or an instance that is pinned, got none"):
        pins()
    with pytest.raises(Misuse, match="got none"):
        pins(chip_ids=[], ppids=[])


@pytest.mark.parametrize("name", ["ppids", "platform_instance_ids"])
@pytest.mark.parametrize("value", [bytes(16), b"\1" * 15, b"\1" * 64, b""])
def test_a_pin_of_tdx_is_sixteen_bytes_and_not_zero(name: str, value: bytes) -> None:
    with pytest.raises(Misuse, match=name):
        pins(**{name: [value]})
