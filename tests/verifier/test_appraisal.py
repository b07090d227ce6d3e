"""An appraisal is made in one place, is no truth value, and is not kept."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest
from tests.verifier.snp.situation import NOW, Situation

from cvmproof.appraisal import Appraisal, Verdict, make_appraisal
from cvmproof.errors import Rejected, Undecided
from cvmproof_formats.errors import Category, Misuse

ACCEPTED = Situation().appraise()
REJECTED = Situation(report={"policy": 0xB0000}).appraise()


def fields_of(appraisal: Appraisal) -> dict[str, object]:
    return {name: getattr(appraisal, name) for name in Appraisal.__dataclass_fields__ if name != "maker"}


def test_ac_097_an_appraisal_is_no_truth_value() -> None:
    for appraisal in (ACCEPTED, REJECTED):
        with pytest.raises(
            TypeError, match=r"^an Appraisal is not true or false: use require_accepted\(now\), or compare its verdict$"
        ):
            bool(appraisal)
        with pytest.raises(TypeError, match="is not true or false"):
            assert not appraisal


def test_ac_097_an_appraisal_is_made_by_appraise_and_nothing_else() -> None:
    values = fields_of(ACCEPTED)
    for given in (values, {}, {"verdict": Verdict.ACCEPTED}):
        with pytest.raises(Misuse, match=r"^an Appraisal is made by cvmproof\.appraise and nothing else$"):
            Appraisal(**given)


def test_ac_097_a_refused_appraisal_is_not_rewritten_into_an_accepted_one() -> None:
    with pytest.raises(Misuse, match=r"^an Appraisal is made by cvmproof\.appraise and nothing else$"):
        replace(REJECTED, verdict=Verdict.ACCEPTED)
    with pytest.raises(FrozenInstanceError):
        REJECTED.verdict = Verdict.ACCEPTED  # type: ignore[misc]  # that is the point
    assert not hasattr(REJECTED, "maker")
    assert not hasattr(REJECTED, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_ac_097_an_appraisal_is_not_stored_and_brought_back(protocol: int) -> None:
    with pytest.raises(TypeError, match=r"^an Appraisal can't be pickled: a stored verdict is not evidence$"):
        pickle.dumps(ACCEPTED, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"^an Appraisal can't be pickled: a stored verdict is not evidence$"):
            duplicate(ACCEPTED)


def test_ac_091_an_acceptance_is_not_kept_beyond_its_time_nor_before_it() -> None:
    ACCEPTED.require_accepted(NOW)
    ACCEPTED.require_accepted(NOW + timedelta(seconds=599))
    for moment in (NOW - timedelta(seconds=1), NOW + timedelta(seconds=600), NOW + timedelta(days=9000)):
        with pytest.raises(
            Undecided, match="the verdict is for 2026-11-21T12:00:00Z to 2026-11-21T12:10:00Z"
        ) as caught:
            ACCEPTED.require_accepted(moment)
        assert caught.value.category is Category.EXPIRED
        assert caught.value.appraisal is ACCEPTED


def test_what_nothing_decided_is_said_with_what_was_missing_and_the_whole_appraisal() -> None:
    open_ = Situation(without=frozenset({"crl"})).appraise()
    assert len(open_.undecided) > 1
    with pytest.raises(
        Undecided, match=r"^snp.crl.signature: expected a revocation list that the root signed"
    ) as caught:
        open_.require_accepted(NOW)
    assert caught.value.category is Category.UNAVAILABLE
    assert caught.value.appraisal is open_
    stale = Situation(crl={"this_update": NOW - timedelta(days=400)}).appraise()
    assert [check.id for check in stale.undecided] == ["snp.crl.current"]
    with pytest.raises(Undecided, match=r"^snp.crl.current: ") as caught:
        stale.require_accepted(NOW)
    assert caught.value.category is Category.EXPIRED


def test_an_acceptance_without_an_end_is_none() -> None:
    endless = make_appraisal(**{**fields_of(ACCEPTED), "expires_at": None})  # type: ignore[arg-type]  # what it had
    with pytest.raises(
        Undecided, match="is for 2026-11-21T12:00:00Z to no time, now is 2026-11-21T12:00:00Z"
    ) as caught:
        endless.require_accepted(NOW)
    assert caught.value.appraisal is endless


def test_a_refusal_stays_one_whenever_it_is_read() -> None:
    for moment in (NOW, NOW + timedelta(days=1)):
        with pytest.raises(Rejected, match=r"snp.guest_policy.debug: expected 0, got 1"):
            REJECTED.require_accepted(moment)


def test_the_checks_are_every_question_with_its_answer() -> None:
    assert len(ACCEPTED.checks) == len(ACCEPTED.given) + sum(len(plan.left_open) for plan in ACCEPTED.asked)
    assert ACCEPTED.failed == ACCEPTED.undecided == ()
    assert {check.id for check in ACCEPTED.unconstrained} <= {check.id for check in ACCEPTED.checks}
    assert [check.id for check in REJECTED.failed] == ["snp.guest_policy.debug"]


def test_what_one_policy_demands_is_not_listed_as_left_open_because_another_does_not() -> None:
    strict = Situation(rules={"vmpls": [0]}).policy
    assert "snp.vmpl" in {check.id for check in ACCEPTED.unconstrained}
    assert "snp.vmpl" not in {check.id for check in Situation().appraise(strict).unconstrained}
