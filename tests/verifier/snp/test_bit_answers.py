"""Truth tables of the two bit fields: each bit, each demand, each value."""

from dataclasses import replace

import pytest
from tests.verifier.snp.situation import Situation, categories, ids_of_no

from cvmproof.appraisal import Verdict
from cvmproof_formats.errors import Category
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS, RESERVED_ONE
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS

GOOD = Situation()
PASSES = {("required", 1), ("forbidden", 0), ("any", 0), ("any", 1)}
EVERY_DEMAND = pytest.mark.parametrize("demand", ["required", "forbidden", "any"])
EVERY_VALUE = pytest.mark.parametrize("value", [0, 1])


@pytest.mark.parametrize("bit", PLATFORM_INFO_BITS, ids=lambda bit: bit.name)
@EVERY_DEMAND
@EVERY_VALUE
def test_ac_028_a_platform_bit_is_as_demanded(bit: object, demand: str, value: int) -> None:
    (found,) = (known for known in PLATFORM_INFO_BITS if known is bit)
    others = sum(known.mask for known in PLATFORM_INFO_BITS) & ~found.mask
    for rest in (0, others):
        machine = replace(
            GOOD,
            report={"platform_info": rest | value << found.index},
            rules={"platform_info": {found.name: demand}},
        )
        appraisal = machine.appraise()
        if (demand, value) in PASSES:
            assert appraisal.verdict is Verdict.ACCEPTED
        else:
            assert ids_of_no(appraisal) == [f"snp.platform_info.{found.name}"]
            assert categories(appraisal) == {Category.PLATFORM}


@pytest.mark.parametrize("bit", GUEST_POLICY_BITS, ids=lambda bit: bit.name)
@EVERY_DEMAND
@EVERY_VALUE
def test_ac_030_a_guest_policy_bit_is_as_demanded(bit: object, demand: str, value: int) -> None:
    (found,) = (known for known in GUEST_POLICY_BITS if known is bit)
    machine = replace(
        GOOD,
        report={"policy": RESERVED_ONE | value << found.index},
        rules={"guest_policy": {"debug": "any", found.name: demand}},
    )
    appraisal = machine.appraise()
    if (demand, value) in PASSES:
        assert appraisal.verdict is Verdict.ACCEPTED
    else:
        assert ids_of_no(appraisal) == [f"snp.guest_policy.{found.name}"]
        assert categories(appraisal) == {Category.DEBUG if found.name == "debug" else Category.POLICY_MISMATCH}


def test_ac_021_a_debug_guest_is_refused_by_both_built_in_policies() -> None:
    for base in ("genuine", "recommended"):
        rules = {} if base == "genuine" else {"measurements": "any"}
        machine = Situation(base=base, rules=rules, report={"policy": 0xB0000})
        assert ids_of_no(machine.appraise()) == ["snp.guest_policy.debug"]
        assert categories(machine.appraise()) == {Category.DEBUG}
        assert replace(machine, report={}).appraise().verdict is Verdict.ACCEPTED


def test_ac_022_a_guest_that_may_migrate_is_refused_where_that_is_forbidden() -> None:
    machine = replace(GOOD, report={"policy": 0x70000}, rules={"guest_policy": {"migrate_ma": "forbidden"}})
    assert ids_of_no(machine.appraise()) == ["snp.guest_policy.migrate_ma"]
    assert categories(machine.appraise()) == {Category.POLICY_MISMATCH}
    assert replace(machine, report={}).appraise().verdict is Verdict.ACCEPTED


def test_ac_028_the_bit_that_says_memory_was_checked_for_aliases_is_good_when_it_is_there() -> None:
    # Others have had this one the wrong way round.
    rules = {"platform_info": {"alias_check_complete": "required"}}
    assert replace(GOOD, report={"platform_info": 1 << 5}, rules=rules).appraise().verdict is Verdict.ACCEPTED
    assert replace(GOOD, report={"platform_info": 0}, rules=rules).appraise().verdict is Verdict.REJECTED
