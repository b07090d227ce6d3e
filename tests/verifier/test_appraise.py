"""The appraisal as a whole: every question counts, nothing is accepted by accident, and what a verdict carries."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module

import pytest
from tests.verifier.snp.faults import FAULTS, VLEK
from tests.verifier.snp.situation import (
    ISSUED,
    NOW,
    REPORT_DATA,
    Situation,
    categories,
    ids_of_no,
    ids_of_open,
    policy_of,
)
from tests.verifier.sweeps import SWEEPS, Sweep
from tests.verifier.tdx.faults import FAULTS as TDX_FAULTS
from tests.verifier.tdx.situation import Situation as TdxSituation

from cvmproof.appraisal import Appraisal, Assurance, Pin, Plan, Verdict
from cvmproof.appraise import appraise, verify
from cvmproof.check import Answer, Outcome, passed
from cvmproof.claims import SnpClaims
from cvmproof.collateral.collateral import Crl
from cvmproof.errors import Rejected, Undecided
from cvmproof.freshness import ExpectedNonce, ExpectedReportData, NoFreshness
from cvmproof.high_water import HighWater
from cvmproof.policy.policy import Authority
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof.snp.answering import ANSWERS
from cvmproof.snp.case import SnpCase
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, CvmproofError, Malformed, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT

GOOD = Situation()
APPRAISE = import_module("cvmproof.appraise")  # by its name in the package it is the function

# What a check that does not do its work might give back instead of an answer.
NO_ANSWERS: dict[str, object] = {
    "False": False,
    "None": None,
    "0": 0,
    "True": True,
    "an answer without what was found": (Outcome.PASS, ""),
    "an answer and more": (Outcome.PASS, "", "", ""),
    "a word": "yes",
    "a list": [Outcome.PASS, "", ""],
    "a truth for an outcome": (True, "", ""),
    "nothing": (),
    "a word for an outcome": ("pass", "", ""),  # what a careless check would write
    "an outcome": Outcome.PASS,
}


def yes(_: object) -> Answer:
    return passed("", "")


def breaking(_: object) -> Answer:
    raise RuntimeError("out of order")


def giving(value: object) -> Callable[[object], object]:
    return lambda _: value


def forget() -> None:
    """Let everything be asked anew: what lasts was answered by whoever answered then."""
    for remembered in (APPRAISE._lasting, APPRAISE._demand):
        if hasattr(remembered, "cache_clear"):  # not where mutants are looked for
            remembered.cache_clear()


def answered_by(
    sweep: Sweep, question: str, answer: Callable[[object], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From now on somebody else answers it."""
    monkeypatch.setitem(sweep.answers(question), question, answer)
    forget()


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    forget()


def snp_claims(appraisal: Appraisal) -> SnpClaims:
    assert isinstance(appraisal.claims, SnpClaims)
    return appraisal.claims


# --- every question counts: design 8.3 -------------------------------------------------------------------------------


def each(leave_out: Callable[[Sweep], AbstractSet[str]] = lambda _: frozenset()) -> pytest.MarkDecorator:
    """Every question of every technology, but these."""
    cases = [
        pytest.param(sweep, question, id=f"{tee} {question}")
        for tee, sweep in SWEEPS.items()
        for question in sweep.questions
        if question not in leave_out(sweep)
    ]
    return pytest.mark.parametrize(("sweep", "question"), cases)


every_question = each()
each_alone = each(lambda sweep: sweep.never_alone)


def test_every_technology_is_swept_by_its_own_questions() -> None:
    assert SWEEPS.keys() == set(Tee)
    for tee, sweep in SWEEPS.items():
        appraisal = sweep.good.appraise()
        assert sweep.technology.tee is appraisal.tee is tee
        assert {check.id for check in appraisal.checks} <= sweep.questions.keys()


@pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)
def test_every_question_has_a_situation_that_it_alone_refuses(sweep: Sweep) -> None:
    assert sweep.faults.keys() == sweep.questions.keys() - sweep.never_alone


def test_the_list_of_questions_that_never_say_no_alone_only_shrinks() -> None:
    assert SWEEPS[Tee.SEV_SNP].never_alone == frozenset()
    assert SWEEPS[Tee.TDX].never_alone <= {"tdx.tcb_info.form", "tdx.qe_identity.form", "tdx.module.identity"}


@each_alone
def test_the_twin_of_each_fault_is_accepted(sweep: Sweep, question: str) -> None:
    twin, _ = sweep.faults[question]
    appraisal = twin.appraise()
    assert ids_of_no(appraisal) + ids_of_open(appraisal) == []
    assert appraisal.verdict is Verdict.ACCEPTED


@each(lambda sweep: sweep.never_alone | sweep.leaves_undecided)
def test_a_fault_is_refused_by_its_question_alone(sweep: Sweep, question: str) -> None:
    _, faulty = sweep.faults[question]
    appraisal = faulty.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert (ids_of_no(appraisal), ids_of_open(appraisal)) == ([question], [])
    assert categories(appraisal) == {sweep.questions[question].category}


@each(lambda sweep: sweep.questions.keys() - sweep.leaves_undecided)
def test_a_fault_leaves_its_question_alone_undecided(sweep: Sweep, question: str) -> None:
    _, faulty = sweep.faults[question]
    appraisal = faulty.appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert (ids_of_no(appraisal), ids_of_open(appraisal)) == ([], [question])
    assert categories(appraisal) == {sweep.questions[question].category}


@each_alone
def test_without_that_question_the_fault_would_be_accepted(
    sweep: Sweep, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, faulty = sweep.faults[question]
    answered_by(sweep, question, yes, monkeypatch)
    assert faulty.appraise().verdict is Verdict.ACCEPTED


@every_question
def test_ac_090_a_check_that_raises_is_our_error_and_never_accepted(
    sweep: Sweep, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = sweep.asking(question)
    answered_by(sweep, question, breaking, monkeypatch)
    appraisal = twin.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert ids_of_no(appraisal) == [question]
    assert categories(appraisal) == {Category.INTERNAL}
    monkeypatch.undo()
    assert twin.appraise().verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), RecursionError(), MemoryError(), Malformed("no")])
def test_ac_090_whatever_a_check_raises_the_other_checks_are_asked(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: SnpCase) -> Answer:
        raise error

    monkeypatch.setitem(ANSWERS, "snp.chain.validity", failing)
    appraisal = replace(GOOD, report={"vmpl": 0xFFFFFFFF}).appraise()
    assert ids_of_no(appraisal) == ["snp.chain.validity", "snp.report.guest_requested"]
    assert categories(appraisal) == {Category.INTERNAL, Category.POLICY_MISMATCH}
    with pytest.raises(Rejected, match=type(error).__name__) as caught:
        appraisal.require_accepted(NOW)
    assert caught.value.category is Category.INTERNAL


@every_question
def test_ac_089_a_check_that_vanishes_is_our_error_and_never_accepted(
    sweep: Sweep, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = sweep.asking(question)
    monkeypatch.delitem(sweep.answers(question), question)
    forget()
    appraisal = twin.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert categories(appraisal) == {Category.INTERNAL}


@every_question
def test_ac_089_what_is_no_answer_is_our_error_and_never_accepted(
    sweep: Sweep, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = sweep.asking(question)
    for name, value in NO_ANSWERS.items():
        answered_by(sweep, question, giving(value), monkeypatch)
        appraisal = twin.appraise()
        assert appraisal.verdict is Verdict.REJECTED, name
        assert ids_of_no(appraisal) == [question], name
        assert categories(appraisal) == {Category.INTERNAL}, name


@every_question
def test_ac_089_a_question_that_was_asked_can_not_be_waved_through(
    sweep: Sweep, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = sweep.asking(question)
    for outcome in (Outcome.UNCONSTRAINED, Outcome.NOT_APPLICABLE):
        answered_by(sweep, question, giving((outcome, "", "")), monkeypatch)
        with pytest.raises(CvmproofError, match=r"not what was asked for|an answer") as caught:
            twin.appraise().require_accepted(NOW)
        assert caught.value.category is Category.INTERNAL


@pytest.mark.parametrize("tee", Tee)
def test_ac_064_a_wrong_expectation_is_refused_on_every_tee(tee: Tee) -> None:
    for binding, (twin, faulty) in SWEEPS[tee].wrong_expectations.items():
        assert twin.appraise().verdict is Verdict.ACCEPTED, binding
        appraisal = faulty.appraise()
        assert appraisal.verdict is Verdict.REJECTED, binding
        assert Category.FRESHNESS in categories(appraisal), binding


@pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)
def test_everything_that_can_be_asked_is_asked_by_the_most_demanding_policy(sweep: Sweep) -> None:
    twins = [twin for twin, _ in sweep.faults.values()]
    asked = {check.id for twin in twins for check in twin.appraise().checks if check.outcome is Outcome.PASS}
    assert asked == sweep.questions.keys()


# --- what is missing leaves it undecided -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "undecided"),
    [
        (
            "leaf",
            {
                "snp.vek.profile", "snp.vek.kind", "snp.vek.product", "snp.vek.tcb", "snp.vek.chip_id",
                "snp.vek.signature", "snp.chain.intermediate", "snp.chain.intermediate_signature", "snp.chain.root",
                "snp.chain.root_signature", "snp.chain.trust_set", "snp.chain.product", "snp.chain.validity",
                "snp.crl.signature", "snp.crl.current", "snp.crl.revoked", "snp.signature.report",
            },
        ),
        (
            "intermediate",
            {
                "snp.vek.signature", "snp.chain.intermediate", "snp.chain.intermediate_signature", "snp.chain.root",
                "snp.chain.root_signature", "snp.chain.trust_set", "snp.chain.product", "snp.chain.validity",
                "snp.crl.signature", "snp.crl.current", "snp.crl.revoked",
            },
        ),
        (
            "root",
            {
                "snp.chain.intermediate_signature", "snp.chain.root", "snp.chain.root_signature",
                "snp.chain.trust_set", "snp.chain.product", "snp.chain.validity", "snp.crl.signature",
                "snp.crl.current", "snp.crl.revoked",
            },
        ),
        ("crl", {"snp.crl.signature", "snp.crl.current", "snp.crl.revoked"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("situation", [GOOD, VLEK], ids=["VCEK", "VLEK"])
def test_what_nobody_supplied_leaves_it_undecided(situation: Situation, missing: str, undecided: set[str]) -> None:
    appraisal = replace(situation, without=frozenset({missing})).appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert ids_of_no(appraisal) == []
    assert set(ids_of_open(appraisal)) == undecided
    assert categories(appraisal) == {Category.UNAVAILABLE}
    with pytest.raises(Undecided, match="none at hand") as caught:
        appraisal.require_accepted(NOW)
    assert caught.value.category is Category.UNAVAILABLE


def test_a_version_2_report_without_certificate_leaves_its_product_line_undecided() -> None:
    rules = {"tcb_floor": "amd-sb-3019", "launch_mitigations": {p: [0] for p in ("Milan", "Genoa", "Turin")}}
    appraisal = replace(
        GOOD, version=2, without=frozenset({"leaf"}), rules={**rules, "products": {"Turin": "forbidden"}}
    )
    found = appraisal.appraise()
    assert found.verdict is Verdict.UNDECIDED
    assert {"snp.product", "snp.tcb.layout", "snp.tcb.floor.reported", "snp.mitigations.launch"} <= set(
        ids_of_open(found)
    )
    assert snp_claims(found).product is None
    assert snp_claims(found).tcb(snp_claims(found).report.reported_tcb) is None


def test_a_no_outweighs_what_is_missing() -> None:
    appraisal = replace(GOOD, without=frozenset({"crl"}), report={"policy": 0xB0000}).appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert categories(appraisal) == {Category.DEBUG, Category.UNAVAILABLE}


def test_where_revocation_is_wanted_if_available_its_absence_is_listed_as_left_open() -> None:
    appraisal = replace(GOOD, revocation="if-available", without=frozenset({"crl"})).appraise()
    assert appraisal.verdict is Verdict.ACCEPTED
    left_open = {check.id for check in appraisal.unconstrained}
    assert {"snp.crl.signature", "snp.crl.current", "snp.crl.revoked"} <= left_open


@pytest.mark.parametrize("question", ["snp.crl.signature", "snp.crl.current", "snp.crl.revoked"])
def test_where_revocation_is_wanted_if_available_a_bad_list_is_still_no_absence(question: str) -> None:
    _, faulty = FAULTS[question]
    appraisal = replace(faulty, revocation="if-available").appraise()
    assert appraisal.verdict is not Verdict.ACCEPTED
    assert ids_of_no(appraisal) + ids_of_open(appraisal) == [question]


def test_a_list_that_one_policy_needs_is_not_excused_by_one_that_does_not() -> None:
    tolerant = policy_of("genuine", "if-available", {})
    strict = policy_of("genuine", "required", {})
    without = replace(GOOD, revocation="if-available", without=frozenset({"crl"}))
    assert without.appraise(tolerant).verdict is Verdict.ACCEPTED
    assert without.appraise(strict).verdict is Verdict.UNDECIDED
    assert replace(without, revocation="required").appraise(tolerant).verdict is Verdict.UNDECIDED


# --- several policies are a conjunction ------------------------------------------------------------------------------


@pytest.mark.parametrize(("vmpl", "accepted"), [(0, False), (1, True), (2, False)])
def test_two_policies_must_both_accept(vmpl: int, accepted: bool) -> None:
    fetched = replace(GOOD, report={"vmpl": vmpl}, rules={"vmpls": [0, 1]})
    floor = policy_of("genuine", "required", {"vmpls": [1, 2]})
    appraisal = fetched.appraise(floor)
    assert (appraisal.verdict is Verdict.ACCEPTED) is accepted
    assert set(ids_of_no(appraisal)) <= {"snp.vmpl"}


def test_a_fetched_policy_can_not_loosen_the_floor() -> None:
    debug = replace(GOOD, report={"policy": 0xB0000}, rules={"guest_policy": {"debug": "any"}})
    assert debug.appraise().verdict is Verdict.ACCEPTED
    assert debug.appraise(builtin_policy("genuine")).verdict is Verdict.REJECTED
    assert replace(debug, rules={}).appraise(debug.policy).verdict is Verdict.REJECTED


def test_a_check_says_which_policy_asked() -> None:
    appraisal = replace(GOOD, report={"vmpl": 2}, rules={"vmpls": [0, 1]}).appraise(builtin_policy("genuine"))
    (no,) = appraisal.failed
    assert no.asked_by == "situation"
    assert {check.asked_by for check in appraisal.checks} == {"", "situation", "builtin:genuine"}
    assert {check.asked_by for check in GOOD.appraise().unconstrained if check.question.rule} == {"situation"}


def test_the_facts_are_asked_once_and_the_rules_by_each_policy() -> None:
    ids = [check.id for check in GOOD.appraise(builtin_policy("genuine")).checks]
    assert ids.count("snp.signature.report") == 1
    assert ids.count("snp.guest_policy.debug") == 2


# --- what a verdict carries ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("key", KeyKind)
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_every_simulated_machine_is_accepted_as_genuine(product: ProductLine, key: KeyKind, version: int) -> None:
    appraisal = Situation(product=product, key=key, version=version).appraise()
    if product is ProductLine.TURIN and version == 2:  # there are no such reports
        assert ids_of_no(appraisal) == ["snp.vek.product"]
        return
    assert appraisal.verdict is Verdict.ACCEPTED
    claims = snp_claims(appraisal)
    assert (claims.product, claims.key) == (product, key)
    assert claims.part is None if version == 2 else claims.part is not None
    assert str(claims.tcb(claims.report.reported_tcb)) == str(Situation(product=product).psp.reported_tcb)


def test_a_simulated_machine_is_said_to_be_one() -> None:
    assert GOOD.appraise().simulated
    assert replace(GOOD, trust="production").appraise().simulated
    assert replace(GOOD, without=frozenset({"root"})).appraise().simulated


def test_evidence_from_a_file_is_graded_as_that_and_no_higher() -> None:
    appraisal = FAULTS["binding.domain"][0].appraise()
    assert appraisal.assurance is Assurance.EVIDENCE_ONLY
    assert appraisal.tee is Tee.SEV_SNP


@pytest.mark.parametrize(
    ("situation", "until"),
    [
        (GOOD, NOW + timedelta(seconds=600)),
        (replace(GOOD, leaf={"not_after": NOW + timedelta(seconds=90)}), NOW + timedelta(seconds=90)),
        (replace(GOOD, intermediate={"not_after": NOW + timedelta(seconds=80)}), NOW + timedelta(seconds=80)),
        (replace(GOOD, root={"not_after": NOW + timedelta(seconds=70)}), NOW + timedelta(seconds=70)),
        (
            replace(GOOD, crl={"this_update": NOW - timedelta(days=366) + timedelta(seconds=60)}),
            NOW + timedelta(seconds=60),
        ),
    ],
)
def test_a_verdict_expires_with_the_first_thing_it_rests_on(situation: Situation, until: datetime) -> None:
    appraisal = situation.appraise()
    assert appraisal.expires_at == until
    appraisal.require_accepted(until - timedelta(seconds=1))
    with pytest.raises(Undecided, match="the verdict is for") as caught:
        appraisal.require_accepted(until)
    assert caught.value.category is Category.EXPIRED


def test_the_shortest_of_several_policies_decides_how_long_a_verdict_lasts() -> None:
    brief = read_policy(b'{"extends": "builtin:genuine", "valid_for": 5}', name="brief")
    assert GOOD.appraise(brief).expires_at == NOW + timedelta(seconds=5)


def test_an_older_revocation_list_beside_a_current_one_shortens_no_verdict() -> None:
    older = Crl(der=GOOD.authorities.crl(ISSUED - timedelta(days=400)))
    appraisal = replace(GOOD, crls=(older,)).appraise()
    assert appraisal.verdict is Verdict.ACCEPTED
    appraisal.require_accepted(NOW)


def test_a_refused_case_has_no_expiry() -> None:
    assert replace(GOOD, report={"policy": 0xB0000}).appraise().expires_at is None
    assert replace(GOOD, without=frozenset({"leaf"})).appraise().expires_at is None


def test_time_is_taken_in_any_zone_and_kept_in_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert replace(GOOD, now=elsewhere).appraise().appraised_at == NOW
    assert replace(GOOD, now=elsewhere).appraise().appraised_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("rules", "pin"),
    [
        ({}, Pin.NONE),
        ({"chip_ids": [GOOD.psp.chip_id.hex()]}, Pin.MACHINE),
        ({"report_ids": [snp_claims(GOOD.appraise()).report.report_id.hex()]}, Pin.INSTANCE),
        (
            {
                "chip_ids": [GOOD.psp.chip_id.hex()],
                "report_ids": [snp_claims(GOOD.appraise()).report.report_id.hex()],
            },
            Pin.INSTANCE,
        ),
    ],
)
def test_an_appraisal_says_which_identity_was_pinned_and_on_whose_word(rules: dict[str, object], pin: Pin) -> None:
    appraisal = replace(GOOD, rules=rules).appraise()
    assert appraisal.verdict is Verdict.ACCEPTED
    assert appraisal.identity_pinned is pin
    assert appraisal.identity_pin_source == (None if pin is Pin.NONE else Authority.OPERATOR)


@pytest.mark.parametrize("name", ["measurements", "id_key_digests", "author_key_digests"])
def test_the_authority_is_that_of_whoever_named_the_software(name: str) -> None:
    value = SIMULATED_MEASUREMENT.hex() if name == "measurements" else "33" * 48
    document = f'{{"extends": "builtin:genuine", "snp": {{"{name}": ["{value}"]}}}}'.encode()
    fetched = read_policy(document, name="fetched", authority=Authority.CONTROL_PLANE)
    assert GOOD.appraise(fetched).policy_authority == Authority.CONTROL_PLANE
    both = read_policy(document, name="signed", authority=Authority.OPERATOR_SIGNED)
    assert GOOD.appraise(fetched, both).policy_authority == Authority.OPERATOR_SIGNED


def test_an_operators_own_word_counts_for_more_than_a_signed_one() -> None:
    document = f'extends = "builtin:genuine"\nsnp.measurements = ["{SIMULATED_MEASUREMENT.hex()}"]'.encode()
    signed = read_policy(document, name="signed", authority=Authority.OPERATOR_SIGNED)
    own = read_policy(document, name="own", authority=Authority.OPERATOR)
    for policies in ((signed, own), (own, signed)):
        assert GOOD.appraise(*policies).policy_authority is Authority.OPERATOR


def test_where_nobody_names_software_the_weakest_authority_counts() -> None:
    document = b'{"extends": "builtin:genuine", "valid_for": 60}'
    fetched = read_policy(document, name="fetched", authority=Authority.CONTROL_PLANE)
    signed = read_policy(document, name="signed", authority=Authority.OPERATOR_SIGNED)
    assert GOOD.appraise(signed, fetched).policy_authority == Authority.CONTROL_PLANE
    assert GOOD.appraise(signed).policy_authority == Authority.OPERATOR_SIGNED
    assert GOOD.appraise().policy_authority == Authority.OPERATOR


def test_a_pin_counts_with_the_strongest_word_that_named_it() -> None:
    document = f'{{"extends": "builtin:genuine", "snp": {{"chip_ids": ["{GOOD.psp.chip_id.hex()}"]}}}}'.encode()
    fetched = read_policy(document, name="fetched", authority=Authority.CONTROL_PLANE)
    assert GOOD.appraise(fetched).identity_pin_source == Authority.CONTROL_PLANE
    own = read_policy(document, name="own", authority=Authority.OPERATOR)
    assert GOOD.appraise(fetched, own).identity_pin_source == Authority.OPERATOR


def test_of_what_several_policies_pin_the_narrowest_counts() -> None:
    report_id = snp_claims(GOOD.appraise()).report.report_id.hex()
    rules = (f'"chip_ids": ["{GOOD.psp.chip_id.hex()}"]', f'"report_ids": ["{report_id}"]')
    documents = [f'{{"extends": "builtin:genuine", "snp": {{{rule}}}}}'.encode() for rule in rules]
    machine, instance = (read_policy(one, name="own", authority=Authority.OPERATOR) for one in documents)
    for policies in ((machine, instance), (instance, machine)):
        assert GOOD.appraise(*policies).identity_pinned is Pin.INSTANCE


def test_revocation_lists_in_the_evidence_are_ignored_and_noted() -> None:
    appraisal = appraise(
        replace(GOOD.evidence, ignored_crls=1),
        policies=[GOOD.policy],
        trust=TrustRoots.simulated(),
        freshness=ExpectedReportData(REPORT_DATA),
        now=NOW,
        collateral=replace(GOOD, without=frozenset({"crl"})).collateral,
    )
    assert appraisal.verdict is Verdict.UNDECIDED
    assert len(appraisal.notes) == 1
    assert "1 revocation list(s) in the evidence ignored" in appraisal.notes[0]
    assert GOOD.appraise().notes == ()


def test_certificates_may_come_with_the_evidence_or_beside_it() -> None:
    evidence = replace(GOOD.evidence, certificates=GOOD.certificates)
    accepted = appraise(
        evidence,
        policies=[builtin_policy("genuine")],
        trust=TrustRoots.simulated(),
        freshness=ExpectedReportData(REPORT_DATA),
        now=NOW,
    )
    assert accepted.verdict is Verdict.ACCEPTED


# --- verify is appraise that raises ----------------------------------------------------------------------------------


def verify_situation(situation: Situation | TdxSituation, high_water: HighWater | None = None) -> Verdict:
    return verify(
        situation.evidence,
        policies=[situation.policy],
        trust=TrustRoots.named(situation.trust),
        freshness=situation.freshness,
        now=situation.now,
        collateral=situation.collateral,
        high_water=high_water,
    ).verdict


def test_verify_returns_for_an_accepted_case_only() -> None:
    assert verify_situation(GOOD) is Verdict.ACCEPTED
    with pytest.raises(Rejected, match="expected 0, got 1: the host can read") as rejected:
        verify_situation(replace(GOOD, report={"policy": 0xB0000}))
    assert rejected.value.category is Category.DEBUG
    assert ids_of_no(rejected.value.appraisal) == ["snp.guest_policy.debug"]
    with pytest.raises(Undecided, match="none at hand: revocation list of Genoa for a VCEK") as undecided:
        verify_situation(replace(GOOD, without=frozenset({"crl"})))
    assert undecided.value.category is Category.UNAVAILABLE
    assert undecided.value.appraisal.verdict is Verdict.UNDECIDED


def test_ac_043_verify_too_refuses_what_is_older_than_what_was_seen_before() -> None:
    as_new, older = TDX_FAULTS["tdx.tcb_info.rollback"]
    assert verify_situation(as_new, as_new.high_water) is Verdict.ACCEPTED
    with pytest.raises(Rejected) as rejected:
        verify_situation(older, older.high_water)
    assert rejected.value.category is Category.ROLLBACK


def test_every_reason_is_given_not_only_the_first() -> None:
    bad = replace(
        GOOD, report={"policy": 0xB0000, "vmpl": 0xFFFFFFFF}, signed_by=FAULTS["snp.signature.report"][1].signed_by
    )
    with pytest.raises(
        Rejected, match=r"snp.signature.report: .*; snp.report.guest_requested: .*; snp.guest_policy.debug"
    ):
        verify_situation(bad)


# --- called wrongly --------------------------------------------------------------------------------------------------


def test_ac_088_without_a_policy_nothing_is_appraised() -> None:
    with pytest.raises(Misuse, match=r"^policies: expected one or more, got none"):
        appraise(GOOD.evidence, policies=[], trust=TrustRoots.simulated(), freshness=NoFreshness(), now=NOW)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": ["builtin:genuine"]}, r"^policies: expected Policy objects$"),
        ({"trust": "simulated"}, "expected TrustRoots and Freshness, got str and NoFreshness"),
        ({"freshness": None}, "got TrustRoots and NoneType"),
        ({"now": datetime(2026, 11, 21)}, r"^now: expected a time with its zone, got one without$"),  # noqa: DTZ001 - that is the point
    ],
)
def test_arguments_of_other_types_are_refused(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "policies": [GOOD.policy],
        "trust": TrustRoots.simulated(),
        "freshness": NoFreshness(),
        "now": NOW,
    }
    with pytest.raises(Misuse, match=message):
        appraise(GOOD.evidence, **(arguments | changes))  # type: ignore[arg-type]  # that is the point


def test_ac_058_evidence_labelled_as_of_another_technology_is_not_read_as_such() -> None:
    with pytest.raises(Malformed, match="quote"):
        appraise(
            replace(GOOD.evidence, tee=Tee.TDX),
            policies=[GOOD.policy],
            trust=TrustRoots.simulated(),
            freshness=NoFreshness(),
            now=NOW,
        )


@pytest.mark.parametrize("freshness", [NoFreshness(), ExpectedReportData(REPORT_DATA), ExpectedNonce(bytes(32))])
def test_what_is_asked_of_report_data_follows_from_what_the_caller_expects(
    freshness: NoFreshness | ExpectedReportData | ExpectedNonce,
) -> None:
    appraisal = replace(GOOD, freshness=freshness).appraise()
    left_open = {check.id for check in appraisal.unconstrained}
    assert ("freshness.report_data" in left_open) is isinstance(freshness, NoFreshness)
    assert ("binding.domain" in left_open) is not isinstance(freshness, ExpectedNonce)


def test_a_verdict_lasts_no_longer_than_the_signature_of_a_policy() -> None:
    policy = policy_of("genuine", "required", {})
    soon = NOW + timedelta(seconds=5)
    accepted = GOOD.appraise(replace(policy, expires_at=soon))
    assert accepted.expires_at == soon
    with pytest.raises(Undecided, match="the verdict is for"):
        accepted.require_accepted(soon)
    GOOD.appraise(replace(policy, expires_at=NOW + timedelta(days=9))).require_accepted(soon)
    with pytest.raises(Undecided):
        GOOD.appraise(replace(policy, expires_at=NOW)).require_accepted(NOW)


class Three(tuple[object, ...]):
    """What looks like an answer, and may behave in another way whenever it is looked at."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (breaking, "RuntimeError: out of order"),
        (giving(None), "TypeError: cannot unpack"),
        (giving([Outcome.PASS, "", ""]), "list of Outcome, which is none"),
        (giving(("pass", "", "")), "tuple of str, which is none"),
        (giving({Outcome.PASS: "", "a": "", "b": ""}), "dict of Outcome, which is none"),
        (giving(iter((Outcome.PASS, "", ""))), "tuple_iterator of Outcome, which is none"),
        (giving((Outcome.PASS, "", "", "")), "ValueError: too many values"),
        (giving(Three((Outcome.PASS, "", ""))), "Three of Outcome, which is none"),
    ],
)
def test_ac_089_090_what_went_wrong_with_an_answer_is_said(
    answer: Callable[[object], object], got: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWERS, "snp.chain.validity", answer)
    [check] = GOOD.appraise().failed
    assert (check.outcome, check.expected) == (Outcome.ERROR, "an answer")
    assert check.got.startswith(got)


def test_nothing_asked_is_never_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    GOOD.appraise().require_accepted(NOW)
    monkeypatch.setattr(APPRAISE, "plan_for", lambda *_, **__: Plan(asked=(), ids=(), left_open=()))
    forget()
    with pytest.raises(CvmproofError, match="not what was asked for"):
        GOOD.appraise()
