"""What the answers about chain and revocation say, what they name as missing, and until when a list counts."""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from tests.verifier.snp.situation import categories, ids_of_no, ids_of_open
from tests.verifier.tdx.faults import FAULTS
from tests.verifier.tdx.situation import (
    ISSUED,
    NOW,
    STRANGER,
    ListChanges,
    Situation,
    assert_accepted,
    assert_refused,
    assert_undecided,
    check_of,
    later,
    policy_of,
)

from cvmproof.appraisal import Verdict
from cvmproof.check import Outcome
from cvmproof.collateral.collateral import Collateral
from cvmproof.high_water import HighWater, Mark, crl_name
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_simulator.psp import spki_of

GOOD = Situation()
LISTS = ("root_crl", "pck_crl")
OF_LISTS = {name: (f"tdx.{name}.signature", f"tdx.{name}.current", "tdx.crl.revoked") for name in LISTS}
SECOND = timedelta(seconds=1)


def with_list(situation: Situation, name: str, changes: ListChanges) -> Situation:
    """One of the two lists changed."""
    return replace(situation, root_crl=changes) if name == "root_crl" else replace(situation, pck_crl=changes)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("tdx.chain.trust_set", "simulated"),
        ("tdx.chain.root", "SHA-256 of its key"),
        ("tdx.chain.validity", "valid from 2026-01-01 to 2026-11-20"),
        ("tdx.signer.validity", "valid from 2026-01-01 to 2026-11-20"),
        ("tdx.crl.revoked", f"serial number {GOOD.platform.pck_serial:#x} revoked"),
        ("tdx.root_crl.current", "a list from 2026-11-01 to 2026-11-20"),
        ("tdx.pck.signature", "its signature is not the issuer's"),
    ],
)
def test_a_no_says_what_was_found(question: str, words: str) -> None:
    assert words in check_of(FAULTS[question][1], question).got


def test_a_root_that_nobody_pins_is_of_no_set() -> None:
    check = check_of(FAULTS["tdx.chain.root"][1], "tdx.chain.trust_set")
    assert (check.outcome, check.got) == (Outcome.PASS, "of none")


def test_a_root_in_another_profile_is_refused_in_words_about_its_profile() -> None:
    check = check_of(replace(GOOD, root={"path_length": 7}), "tdx.chain.root")
    assert (check.expected, check.got) == ("a root key that is pinned", "its basic constraints are CA, path length 7")


def test_ac_095_a_simulated_root_is_refused_by_the_production_set_and_said_to_be_simulated() -> None:
    appraisal = replace(GOOD, trust="production").appraise()
    assert ids_of_no(appraisal) == ["tdx.chain.trust_set"]
    assert categories(appraisal) == {Category.SIMULATED}
    assert appraisal.simulated
    assert GOOD.appraise().simulated


# --- what is missing --------------------------------------------------------------------------------------------------

OF_SIGNER = ("tdx.signer.profile", "tdx.signer.signature", "tdx.signer.validity")


def test_without_the_signers_certificate_nobody_can_say_whose_json_it_is() -> None:
    without = replace(GOOD, without=frozenset({"signer"}))
    missing = (*OF_SIGNER, "tdx.tcb_info.signature", "tdx.qe_identity.signature")
    assert_undecided(without, Category.UNAVAILABLE, *missing)
    for question in missing:
        assert check_of(without, question).got == "none at hand: certificate of Intel's TCB signing key"


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("ca", Ca)
def test_ac_042_without_a_list_a_policy_that_needs_it_stays_undecided(name: str, ca: Ca) -> None:
    machine = Situation(ca=ca, without=frozenset({name}))
    assert_undecided(machine, Category.UNAVAILABLE, *OF_LISTS[name])
    whose = "the root" if name == "root_crl" else "the PCK CA"
    for question in OF_LISTS[name]:
        assert check_of(machine, question).got == f"none at hand: revocation list of {whose}"


@pytest.mark.parametrize("name", LISTS)
def test_where_revocation_is_wanted_if_available_an_absent_list_is_listed_as_left_open(name: str) -> None:
    appraisal = replace(GOOD, revocation="if-available", without=frozenset({name})).appraise()
    assert appraisal.verdict is Verdict.ACCEPTED
    assert set(OF_LISTS[name]) <= {check.id for check in appraisal.unconstrained}
    both = replace(GOOD, revocation="if-available", without=frozenset(LISTS)).appraise()
    assert both.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("of", ["signature", "current", "revoked"])
def test_where_revocation_is_wanted_if_available_a_bad_list_is_still_no_absence(name: str, of: str) -> None:
    question = "tdx.crl.revoked" if of == "revoked" else f"tdx.{name}.{of}"
    if of == "revoked":
        serial = GOOD.authorities.serial("platform") if name == "root_crl" else GOOD.platform.pck_serial
        faulty = with_list(GOOD, name, {"revoked": (serial,)})
    else:
        faulty = FAULTS[question][1]
    appraisal = replace(faulty, revocation="if-available").appraise()
    assert appraisal.verdict is not Verdict.ACCEPTED
    assert ids_of_no(appraisal) + ids_of_open(appraisal) == [question]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_can_not_be_read_is_no_absence_and_changes_nothing_beside_a_good_one(name: str) -> None:
    junk = Collateral(intel_crls=(b"junk",))
    alone = replace(GOOD, without=frozenset({name}), after=junk, revocation="if-available").appraise()
    assert alone.verdict is Verdict.REJECTED
    assert f"tdx.{name}.signature" in ids_of_no(alone)
    assert_accepted(replace(GOOD, after=junk))


def test_a_list_that_one_policy_needs_is_not_excused_by_one_that_does_not() -> None:
    tolerant, strict = policy_of("genuine", "if-available", {}), policy_of("genuine", "required", {})
    without = replace(GOOD, revocation="if-available", without=frozenset({"pck_crl"}))
    assert without.appraise(tolerant).verdict is Verdict.ACCEPTED
    assert without.appraise(strict).verdict is Verdict.UNDECIDED


def test_a_forged_list_that_names_the_platform_is_refused_for_both() -> None:
    forged = replace(GOOD, pck_crl={"signed_by": STRANGER, "revoked": (GOOD.platform.pck_serial,)})
    assert ids_of_no(forged.appraise()) == ["tdx.pck_crl.signature", "tdx.crl.revoked"]


def test_ac_037_the_list_of_the_other_ca_is_as_good_as_none() -> None:
    other = GOOD.authorities.pck_crl(Ca.PROCESSOR, NOW)
    swapped = replace(GOOD, without=frozenset({"pck_crl"}), after=Collateral(intel_crls=(other,)))
    assert_undecided(swapped, Category.UNAVAILABLE, *OF_LISTS["pck_crl"])


# --- until when -------------------------------------------------------------------------------------------------------


def until(name: str, since: datetime, end: datetime, grace: int = 0) -> Situation:
    """A list of this time under a policy with this grace."""
    changes: ListChanges = {"this_update": since, "lifetime": end - since}
    return replace(with_list(GOOD, name, changes), rules={"collateral_grace": grace})


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("grace", [0, 1, 3600])
def test_ac_049_a_list_counts_from_its_first_second_to_the_last_one_before_its_grace_ends(
    name: str, grace: int
) -> None:
    question = f"tdx.{name}.current"
    past = later(days=-1)
    end = NOW - timedelta(seconds=grace)
    assert_accepted(until(name, NOW, later(days=1), grace))
    assert_undecided(until(name, later(seconds=1), later(days=1), grace), Category.EXPIRED, question)
    assert_accepted(until(name, past, end + SECOND, grace))
    assert_undecided(until(name, past, end, grace), Category.EXPIRED, question)
    assert_undecided(until(name, past, end - SECOND, grace), Category.EXPIRED, question)


@pytest.mark.parametrize("name", LISTS)
def test_ac_049_a_longer_grace_of_one_policy_lengthens_no_others(name: str) -> None:
    overdue = until(name, later(days=-1), later(seconds=-1), grace=60)
    assert_accepted(overdue)
    assert overdue.appraise(policy_of("genuine", "required", {"collateral_grace": 60})).verdict is Verdict.ACCEPTED
    strict = overdue.appraise(policy_of("genuine", "required", {}))
    assert (strict.verdict, ids_of_open(strict)) == (Verdict.UNDECIDED, [f"tdx.{name}.current"])


@pytest.mark.parametrize("name", LISTS)
def test_of_several_lists_one_that_is_current_is_enough(name: str) -> None:
    old = with_list(GOOD, name, {"this_update": later(days=-400), "lifetime": timedelta(days=1)}).collateral
    coming = with_list(GOOD, name, {"this_update": later(days=3)}).collateral
    strays = Collateral(intel_crls=(*old.intel_crls, *coming.intel_crls))
    assert_accepted(replace(GOOD, before=strays))
    alone = replace(GOOD, without=frozenset({name}), after=strays)
    assert_undecided(alone, Category.EXPIRED, f"tdx.{name}.current")
    assert "a list from 2026-11-24" in check_of(alone, f"tdx.{name}.current").got


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("newer", "passes"), [(-1, True), (0, True), (1, False)])
def test_ac_042_a_list_older_than_one_seen_before_is_refused(
    name: str,
    newer: int,
    passes: bool,
) -> None:
    key = GOOD.authorities.key("root" if name == "root_crl" else "platform")
    mark = Mark(number=0, issued=ISSUED + newer * SECOND)
    seen = HighWater(trust="simulated", marks={crl_name(sha256(spki_of(key)).digest()): mark})
    situation = replace(GOOD, high_water=seen)
    if passes:
        assert_accepted(situation)
    else:
        assert_refused(situation, Category.ROLLBACK, f"tdx.{name}.rollback")
        # Of several the newest counts.
        newest = with_list(GOOD, name, {"this_update": ISSUED + SECOND}).collateral.intel_crls
        assert_accepted(replace(situation, before=Collateral(intel_crls=newest)))
        forged = with_list(GOOD, name, {"this_update": ISSUED + SECOND, "signed_by": STRANGER}).collateral.intel_crls
        beside = replace(situation, before=Collateral(intel_crls=forged))
        assert_refused(beside, Category.ROLLBACK, f"tdx.{name}.rollback")


def test_no_authentic_list_is_not_current_either_and_revokes_what_it_names() -> None:
    checks = {check.id: check for check in FAULTS["tdx.root_crl.signature"][1].appraise().checks}
    assert checks["tdx.root_crl.current"].outcome is Outcome.PASS  # another question says no
    unreadable = replace(GOOD, without=frozenset({"root_crl"}), after=Collateral(intel_crls=(b"junk",)))
    assert "a revocation list that the root signed" in check_of(unreadable, "tdx.root_crl.current").got
    assert check_of(unreadable, "tdx.crl.revoked").got == "none at hand: an authentic list"
    assert_refused(with_list(GOOD, "root_crl", {"signed_by": STRANGER}), Category.CHAIN, "tdx.root_crl.signature")
