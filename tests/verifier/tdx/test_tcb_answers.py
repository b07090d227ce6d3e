"""What Intel's collateral must be, and what state of the TCB a policy takes: each answer beside its refused twin."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.verifier.snp.situation import categories, ids_of_no, ids_of_open
from tests.verifier.tdx.situation import (
    ISSUED,
    NOW,
    STRANGER,
    Situation,
    assert_accepted,
    assert_refused,
    assert_undecided,
    check_of,
    later,
    policy_of,
)

from cvmproof.appraisal import Verdict
from cvmproof.high_water import QE_IDENTITY_NAME, HighWater, Mark, tcb_info_name
from cvmproof.policy.tdx_rules import STATUSES
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_simulator.tdx.collateral import EVALUATION_NUMBER, MODULE_ADVISORIES, QE_ADVISORIES, QeIdentityChanges
from cvmproof_simulator.tdx.platform import PCESVNS, SIMULATED_FMSPC
from cvmproof_simulator.tdx.td import SoftwareModule

S = TcbStatus
GOOD = Situation()
FIFTH = Situation(version=5)
SECOND = timedelta(seconds=1)
JSON = ("tcb_info", "qe_identity")


def with_json(situation: Situation, name: str, changes: QeIdentityChanges) -> Situation:
    """One of the two changed in what both have."""
    if name == "qe_identity":
        return replace(situation, qe_identity=changes)
    return replace(situation, tcb_info={**changes})  # type: ignore[typeddict-item]  # dates and numbers


# --- whose, and until when --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("grace", [0, 1, 3600])
def test_ac_049_intels_json_counts_from_its_issue_to_the_last_second_of_its_grace(name: str, grace: int) -> None:
    question = f"tdx.{name}.current"
    end = NOW - timedelta(seconds=grace)

    def dated(issued: datetime, until: datetime) -> Situation:
        changed = with_json(GOOD, name, {"issue_date": issued, "next_update": until})
        return replace(changed, rules={"collateral_grace": grace})

    assert_accepted(dated(NOW, later(days=1)))
    assert_undecided(dated(later(seconds=1), later(days=1)), Category.EXPIRED, question)
    assert_accepted(dated(later(days=-1), end))
    assert_undecided(dated(later(days=-1), end - SECOND), Category.EXPIRED, question)


@pytest.mark.parametrize("name", JSON)
def test_what_is_signed_and_read_is_said_to_be_and_what_can_not_be_verified_is_named(name: str) -> None:
    form, signature = check_of(GOOD, f"tdx.{name}.form"), check_of(GOOD, f"tdx.{name}.signature")
    assert form.expected == form.got == "a form that is read here"
    assert signature.expected == signature.got == "Intel's signature over these bytes"
    unsigned = check_of(replace(GOOD, without=frozenset({"signer"})), f"tdx.{name}.signature")
    assert unsigned.expected == signature.expected
    assert unsigned.got == "none at hand: certificate of Intel's TCB signing key"


@pytest.mark.parametrize("name", JSON)
def test_ac_049_a_grace_is_one_policys_alone(name: str) -> None:
    overdue = replace(with_json(GOOD, name, {"next_update": later(seconds=-1)}), rules={"collateral_grace": 60})
    assert_accepted(overdue)
    strict = overdue.appraise(policy_of("genuine", "required", {"collateral_grace": 0}))
    assert (strict.verdict, ids_of_open(strict)) == (Verdict.UNDECIDED, [f"tdx.{name}.current"])
    assert "for use until 2026-11-21" in strict.undecided[0].got


def test_ac_049_ninety_days_is_the_longest_grace() -> None:
    most = replace(GOOD, rules={"collateral_grace": 90 * 24 * 3600})
    assert_accepted(replace(most, now=ISSUED + timedelta(days=30 + 90) - SECOND))
    assert_undecided(
        replace(most, now=ISSUED + timedelta(days=30 + 90) + SECOND),
        Category.EXPIRED,
        "tdx.pck_crl.current",
        "tdx.tcb_info.current",
        "tdx.qe_identity.current",
    )


@pytest.mark.parametrize("name", JSON)
def test_without_it_nothing_that_rests_on_it_is_decided(name: str) -> None:
    appraisal = replace(GOOD, without=frozenset({name})).appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert ids_of_no(appraisal) == []
    assert categories(appraisal) == {Category.UNAVAILABLE}
    rest = {"tdx.tcb.level", "tdx.tcb.revoked", "tdx.tcb.status"}
    rest |= {f"tdx.{name}.signature", f"tdx.{name}.form", f"tdx.{name}.current"}
    if name == "tcb_info":
        rest |= {"tdx.tcb_info.fmspc", "tdx.tcb_info.pceid"}
        rest |= {"tdx.module.identity", "tdx.module.signer", "tdx.module.attributes"}
    else:
        rest |= {"tdx.qe.mrsigner", "tdx.qe.product", "tdx.qe.miscselect", "tdx.qe.attributes"}
    assert set(ids_of_open(appraisal)) == rest


def test_every_rule_of_the_tcb_stays_undecided_without_collateral() -> None:
    rules = {
        "tcb_statuses": ["UpToDate"],
        "denied_advisories": ["INTEL-SA-01397"],
        "minimum_evaluation_number": 1,
        "evaluation_numbers": "equal",
        "minimum_tcb_date": "2024-01-01",
    }
    asked = {"status", "advisories", "evaluation_number", "evaluation_numbers", "date", "level", "revoked"}
    for missing in (JSON, JSON[:1], JSON[1:]):
        appraisal = replace(GOOD, without=frozenset(missing), rules=rules).appraise()
        assert {f"tdx.tcb.{name}" for name in asked} <= set(ids_of_open(appraisal))
        assert ids_of_no(appraisal) == []


def test_a_no_outweighs_what_is_missing() -> None:
    appraisal = replace(GOOD, without=frozenset(JSON), quote={"signed_by": STRANGER}).appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert categories(appraisal) == {Category.SIGNATURE, Category.UNAVAILABLE}


# --- about what: AC-037 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(6))
def test_ac_037_tcb_info_about_another_kind_of_platform_is_refused(index: int) -> None:
    other = bytes(value ^ (1 if i == index else 0) for i, value in enumerate(SIMULATED_FMSPC))
    about_another = replace(GOOD, tcb_info={"fmspc": other})
    assert_refused(about_another, Category.COLLATERAL_MISMATCH, "tdx.tcb_info.fmspc")
    assert_accepted(replace(about_another, machine={"fmspc": other}))
    assert check_of(about_another, "tdx.tcb_info.fmspc").got == other.hex()


def test_ac_037_tcb_info_about_another_provisioning_enclave_is_refused() -> None:
    for other in (b"\0\1", b"\1\0"):
        about_another = replace(GOOD, tcb_info={"pce_id": other})
        assert_refused(about_another, Category.COLLATERAL_MISMATCH, "tdx.tcb_info.pceid")
        assert_accepted(replace(about_another, machine={"pceid": other}))


def test_without_a_certificate_that_can_be_read_no_platform_is_known() -> None:
    nameless = replace(GOOD, pck={"drop": ("1.2.840.113741.1.13.1",)}, rules={"fmspcs": [SIMULATED_FMSPC.hex()]})
    appraisal = nameless.appraise()
    assert ids_of_no(appraisal) == ["tdx.pck.profile"]
    assert {"tdx.tcb_info.fmspc", "tdx.tcb_info.pceid", "tdx.tcb.level", "tdx.fmspc"} <= set(ids_of_open(appraisal))


# --- statuses and advisories: AC-041 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", STATUSES)
def test_ac_041_a_policy_takes_the_states_it_names_and_no_others(taken: TcbStatus) -> None:
    rules: dict[str, object] = {"tcb_statuses": [taken.value]}
    for status, pcesvn in PCESVNS.items():
        machine = Situation(machine={"pcesvn": pcesvn}, rules=rules)
        expected = {S.REVOKED: ["tdx.tcb.revoked"], S.NOT_SUPPORTED: ["tdx.tcb.level"]}.get(
            status, [] if status is taken else ["tdx.tcb.status"]
        )
        assert ids_of_no(machine.appraise()) == expected
    relaunch = replace(FIFTH, launched_by=SoftwareModule.rated(S.OUT_OF_DATE), rules=rules)
    assert (relaunch.appraise().verdict is Verdict.ACCEPTED) is (taken is S.TD_RELAUNCH_ADVISED)


def test_ac_041_revoked_and_no_level_are_refused_by_every_policy() -> None:
    for base, rules in (("genuine", {}), ("recommended", {"mr_tds": "any", "minimum_module_svns": "any"})):
        for status, question in ((S.REVOKED, "tdx.tcb.revoked"), (S.NOT_SUPPORTED, "tdx.tcb.level")):
            for situation in (
                Situation(machine={"pcesvn": PCESVNS[status]}),
                Situation(module=SoftwareModule.rated(status)),
                Situation(rating={"quoting_enclave": status}),
                replace(FIFTH, launched_by=SoftwareModule(), module=SoftwareModule.rated(status)),
            ):
                asked = replace(situation, base=base, rules=rules)
                assert ids_of_no(asked.appraise()) == [question]
                assert categories(asked.appraise()) == {Category.TCB}


def test_the_recommended_policy_takes_what_is_up_to_date_and_nothing_else() -> None:
    recommended = Situation(base="recommended", rules={"mr_tds": "any"})
    assert_accepted(recommended)
    for status, pcesvn in PCESVNS.items():
        if status is not S.UP_TO_DATE:
            assert recommended.appraise().verdict is Verdict.ACCEPTED
            assert replace(recommended, machine={"pcesvn": pcesvn}).appraise().verdict is Verdict.REJECTED


def test_ac_041_an_advisory_that_a_policy_names_is_refused_wherever_it_comes_from() -> None:
    denied = ["SIMULATED-SA-00003", *MODULE_ADVISORIES, *QE_ADVISORIES]
    for name, situation in (
        ("SIMULATED-SA-00003", Situation(machine={"pcesvn": PCESVNS[S.OUT_OF_DATE]})),
        (MODULE_ADVISORIES[0], Situation(module=SoftwareModule.rated(S.OUT_OF_DATE))),
        (QE_ADVISORIES[0], Situation(machine={"qe_svn": 5})),
        # At launch, and now.
        (MODULE_ADVISORIES[0], replace(FIFTH, launched_by=SoftwareModule.rated(S.OUT_OF_DATE))),
        (MODULE_ADVISORIES[0], replace(FIFTH, launched_by=SoftwareModule(), module=SoftwareModule(svn=6))),
    ):
        assert_refused(replace(situation, rules={"denied_advisories": denied}), Category.TCB, "tdx.tcb.advisories")
        assert_refused(replace(situation, rules={"denied_advisories": [name]}), Category.TCB, "tdx.tcb.advisories")
        assert_accepted(replace(situation, rules={"denied_advisories": ["SIMULATED-SA-99999"]}))
        assert check_of(replace(situation, rules={"denied_advisories": denied}), "tdx.tcb.advisories").got == name


def test_an_advisory_that_an_up_to_date_level_names_counts_as_well() -> None:
    info = GOOD.intel.tcb_info
    named = replace(info.levels[0], advisories=("INTEL-SA-01397",))
    situation = replace(GOOD, tcb_info={"levels": (named, *info.levels[1:])})
    assert_accepted(situation)
    assert_refused(
        replace(situation, rules={"denied_advisories": ["INTEL-SA-01397"]}), Category.TCB, "tdx.tcb.advisories"
    )


# --- evaluation numbers and dates: AC-043 -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize(("number", "passes"), [(19, False), (20, True), (21, True), (0, False)])
def test_ac_043_both_must_reach_the_minimum(name: str, number: int, passes: bool) -> None:
    situation = replace(with_json(GOOD, name, {"evaluation_number": number}), rules={"minimum_evaluation_number": 20})
    if passes:
        assert_accepted(situation)
    else:
        assert_refused(situation, Category.ROLLBACK, "tdx.tcb.evaluation_number")


@pytest.mark.parametrize("name", JSON)
def test_ac_043_both_must_be_of_one_number_where_a_policy_says_so(name: str) -> None:
    for number in (EVALUATION_NUMBER - 1, EVALUATION_NUMBER + 1):
        differing = with_json(GOOD, name, {"evaluation_number": number})
        assert_accepted(differing)
        equal = replace(differing, rules={"evaluation_numbers": "equal"})
        assert_refused(equal, Category.ROLLBACK, "tdx.tcb.evaluation_numbers")
        other = "qe_identity" if name == "tcb_info" else "tcb_info"
        assert str(number) in check_of(equal, "tdx.tcb.evaluation_numbers").got
        both = with_json(equal, other, {"evaluation_number": number})
        assert_accepted(replace(both, number=number, tcb_info={}, qe_identity={}))


@pytest.mark.parametrize(
    ("day", "passes"), [("2025-08-12", True), ("2025-08-13", True), ("2025-08-14", False), ("2026-08-12", False)]
)
def test_the_oldest_part_decides_how_old_a_tcb_is(day: str, passes: bool) -> None:
    rules = {"minimum_tcb_date": day}
    for situation in (
        Situation(machine={"pcesvn": PCESVNS[S.OUT_OF_DATE]}, rules=rules),
        Situation(module=SoftwareModule.rated(S.OUT_OF_DATE), rules=rules),
        Situation(machine={"qe_svn": 5}, rules=rules),
        replace(FIFTH, launched_by=SoftwareModule.rated(S.OUT_OF_DATE), rules=rules),
    ):
        if passes:
            assert_accepted(situation)
        else:
            assert_refused(situation, Category.TCB, "tdx.tcb.date")
    # The launch decides; a TCB without a level has no date, and is refused for that.
    now_older = replace(FIFTH, launched_by=SoftwareModule(), module=SoftwareModule(svn=6))
    assert_accepted(replace(now_older, rules={"minimum_tcb_date": "2026-08-12"}))
    nothing = Situation(rating={"platform": S.NOT_SUPPORTED}, rules=rules)
    assert_refused(nothing, Category.TCB, "tdx.tcb.level")


# --- versions of enclave and module -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("minimum", "passes"), [(0, True), (6, True), (7, True), (8, False), (0xFFFF, False)])
def test_a_quoting_enclave_below_the_minimum_is_refused(minimum: int, passes: bool) -> None:
    situation = replace(GOOD, rules={"minimum_qe_svn": minimum})
    if passes:
        assert_accepted(situation)
    else:
        assert_refused(situation, Category.TCB, "tdx.qe.svn")


@pytest.mark.parametrize(
    ("minimums", "passes"),
    [
        ({"TDX_01": 13}, True),
        ({"TDX_01": 14}, False),
        ({"TDX_01": "any"}, True),
        ({"TDX_03": 1}, False),
        ({"TDX_00": "any", "TDX_03": "any"}, False),
        ({"TDX_01": 12, "TDX_03": 99}, True),
    ],
)
def test_ac_038_a_module_must_be_of_a_version_that_is_named_and_reach_its_minimum(
    minimums: dict[str, object],
    passes: bool,
) -> None:
    for machine in (GOOD, FIFTH):
        situation = replace(machine, rules={"minimum_module_svns": minimums})
        if passes:
            assert_accepted(situation)
        else:
            assert_refused(situation, Category.TCB, "tdx.module.svn")


def test_ac_038_a_module_without_a_version_is_taken_where_it_is_named() -> None:
    first = Situation(module=SoftwareModule(version=0, svn=5), rules={"minimum_module_svns": {"TDX_00": 5}})
    assert_accepted(first)
    assert_refused(replace(first, rules={"minimum_module_svns": {"TDX_00": 6}}), Category.TCB, "tdx.module.svn")
    assert_refused(replace(first, rules={"minimum_module_svns": {"TDX_01": 0}}), Category.TCB, "tdx.module.svn")
    assert check_of(replace(first, rules={"minimum_module_svns": {"TDX_01": 0}}), "tdx.module.svn").got == "TDX_00"


def test_the_module_that_launched_a_td_is_the_one_that_must_reach_the_minimum() -> None:
    rules: dict[str, object] = {"minimum_module_svns": {"TDX_01": 13}}
    stale = replace(FIFTH, launched_by=SoftwareModule(svn=12), rules=rules)
    assert_refused(stale, Category.TCB, "tdx.module.svn")
    assert_accepted(replace(FIFTH, launched_by=SoftwareModule(), module=SoftwareModule(svn=12), rules=rules))


# --- what was seen before: AC-042, AC-043 -----------------------------------------------------------------------------


def remembering(**marks: Mark) -> Situation:
    """The ordinary machine, and what was seen before."""
    names = {"tcb_info": tcb_info_name(SIMULATED_FMSPC), "qe_identity": QE_IDENTITY_NAME}
    seen = {names[name]: mark for name, mark in marks.items()}
    return replace(GOOD, high_water=HighWater(trust="simulated", marks=seen))


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize(
    ("number", "issued", "passes"),
    [
        (EVALUATION_NUMBER, ISSUED, True),
        (EVALUATION_NUMBER, ISSUED - SECOND, True),
        (EVALUATION_NUMBER, ISSUED + SECOND, False),
        (EVALUATION_NUMBER + 1, ISSUED - timedelta(days=9), False),
        (EVALUATION_NUMBER - 1, ISSUED + timedelta(days=9), True),
    ],
)
def test_ac_043_collateral_older_than_what_was_seen_before_is_refused(
    name: str,
    number: int,
    issued: datetime,
    passes: bool,
) -> None:
    situation = remembering(**{name: Mark(number=number, issued=issued)})
    if passes:
        assert_accepted(situation)
    else:
        assert_refused(situation, Category.ROLLBACK, f"tdx.{name}.rollback")
        # What is of another platform says nothing about this one.
        if name == "tcb_info":
            assert_accepted(replace(situation, machine={"fmspc": bytes(6)}))


@pytest.mark.parametrize("missing", ["tcb_info", "qe_identity", "root_crl", "pck_crl"])
def test_what_is_missing_is_not_older_than_anything(missing: str) -> None:
    situation = replace(
        remembering(tcb_info=Mark(number=1, issued=ISSUED)), without=frozenset({missing}), revocation="if-available"
    )
    assert check_of(situation, f"tdx.{missing}.rollback").outcome == "pass"
