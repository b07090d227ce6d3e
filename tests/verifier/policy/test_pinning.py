"""A policy of pins alone: it takes the machine it names, refuses another, and asks for nothing else."""

import pytest
from tests.verifier.policy.tables import snp
from tests.verifier.snp.situation import REPORT_DATA, Situation, categories

from cvmproof.appraisal import Pin, Verdict
from cvmproof.policy.pinning import pin_policy
from cvmproof.policy.policy import Authority, Policy
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
