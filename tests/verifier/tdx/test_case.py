"""What is read of a case before anything is asked, until when it holds, and what is remembered of it."""

import importlib
import pkgutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.snp.situation import categories
from tests.verifier.tdx.situation import (
    ATTACKER,
    ISSUED,
    NOW,
    STRANGER,
    Situation,
    assert_accepted,
    assert_refused,
    claims_of,
    later,
    policy_of,
    policy_without_tdx,
)

import cvmproof.tdx
from cvmproof.appraisal import Assurance, Verdict
from cvmproof.appraise import appraise
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.errors import Rejected, Undecided
from cvmproof.freshness import ExpectedReportData, NoFreshness
from cvmproof.tdx.case import TdxCase, read_case
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tdx.hierarchy import SGX_EXTENSIONS, Ca
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareModule

GOOD = Situation()
FIFTH = Situation(version=5)
SECOND = timedelta(seconds=1)
VALID_FOR = timedelta(seconds=600)  # of the built-in policies


def case_of(situation: Situation, collateral: Collateral | None = None) -> TdxCase:
    return read_case(
        situation.evidence,
        policy=situation.policy,
        trust=TrustRoots.simulated(),
        collateral=situation.collateral if collateral is None else collateral,
        freshness=NoFreshness(),
        now=situation.now,
    )


def not_after(der: bytes) -> datetime:
    return read_certificate(der).not_after


def test_a_case_has_what_quote_certificate_and_collateral_say() -> None:
    for situation in (GOOD, FIFTH, Situation(ca=Ca.PROCESSOR)):
        case = case_of(situation)
        assert case.quote.body.mr_td == case.td.body.mr_td == SIMULATED_MRTD
        assert case.report_data == situation.report_data
        assert case.backing.chain.identity == situation.platform.identity
        assert case.root_pinned_in == "simulated"
        assert case.host.rating is not None
        assert case.host.rating.status is TcbStatus.UP_TO_DATE
        assert (len(case.backing.root_crls), len(case.backing.pck_crls)) == (1, 1)
        assert case.notes == ()
        claims = case.claims
        assert claims.tcb_info == situation.intel.tcb_info
        assert claims.qe_identity == situation.intel.qe_identity


def test_without_collateral_there_is_nothing_to_rate_by() -> None:
    case = case_of(GOOD, Collateral())
    backing = case.backing
    assert (backing.signer, backing.tcb_info, backing.qe_identity, case.host.rating) == (None, None, None, None)
    assert (backing.root_crls, backing.pck_crls) == ((), ())
    claims = case.claims
    assert (claims.rating, claims.tcb_info, claims.qe_identity) == (None, None, None)
    for name in ("tcb_info", "qe_identity"):
        assert case_of(replace(GOOD, without=frozenset({name}))).host.rating is None


def test_a_td_is_rated_whether_or_not_its_collateral_is_signed_but_that_is_refused() -> None:
    forged = replace(GOOD, tcb_info_signed_by=STRANGER, rating={"platform": TcbStatus.UP_TO_DATE})
    assert claims_of(forged).rating is not None
    assert_refused(forged, Category.SIGNATURE, "tdx.tcb_info.signature")


@pytest.mark.parametrize("padding", [1, 8000])
def test_ac_033_zeros_behind_a_quote_are_noted_and_anything_else_is_malformed(padding: int) -> None:
    def appraised(report: bytes) -> tuple[str, ...]:
        appraisal = appraise(
            Evidence(tee=Tee.TDX, report=report),
            policies=[GOOD.policy],
            trust=TrustRoots.simulated(),
            freshness=GOOD.freshness,
            now=NOW,
            collateral=GOOD.collateral,
        )
        assert appraisal.verdict is Verdict.ACCEPTED
        return appraisal.notes

    quote = GOOD.signed_quote
    assert appraised(quote) == ()
    assert appraised(quote + bytes(padding)) == (f"{padding} zero bytes behind the quote cut off",)
    with pytest.raises(Malformed, match="expected zero bytes behind its end"):
        appraised(quote + bytes(padding - 1) + b"\1")


def test_ac_058_a_report_labelled_as_a_quote_is_not_read() -> None:
    with pytest.raises(Malformed) as caught:
        appraise(
            replace(GOOD.evidence, tee=Tee.SEV_SNP),
            policies=[GOOD.policy],
            trust=TrustRoots.simulated(),
            freshness=NoFreshness(),
            now=NOW,
        )
    assert caught.value.category in {Category.MALFORMED, Category.UNSUPPORTED}


def test_certificates_and_lists_in_the_evidence_are_not_used() -> None:
    evidence = replace(GOOD.evidence, certificates=GOOD.collateral.certificates, ignored_crls=2)
    appraisal = appraise(
        evidence,
        policies=[GOOD.policy],
        trust=TrustRoots.simulated(),
        freshness=GOOD.freshness,
        now=NOW,
        collateral=replace(GOOD, without=frozenset({"signer"})).collateral,
    )
    assert appraisal.verdict is Verdict.UNDECIDED
    assert categories(appraisal) == {Category.UNAVAILABLE}
    assert "2 revocation list(s) in the evidence ignored" in appraisal.notes[0]


def test_a_policy_without_rules_for_tds_refuses_them_whichever_place_it_has() -> None:
    other = policy_without_tdx()
    assert GOOD.appraise(other).verdict is Verdict.REJECTED
    assert [check.id for check in GOOD.appraise(other).failed] == ["policy.tee"]
    assert [check.id for check in replace(GOOD, takes_tdx=False).appraise(GOOD.policy).failed] == ["policy.tee"]


def test_evidence_from_a_file_is_graded_as_that_and_no_higher() -> None:
    appraisal = GOOD.appraise()
    assert (appraisal.assurance, appraisal.tee) == (Assurance.EVIDENCE_ONLY, Tee.TDX)
    with pytest.raises(Rejected):
        replace(GOOD, quote={"signed_by": STRANGER}).appraise().require_accepted(NOW)


# --- others beside it -------------------------------------------------------------------------------------------------

THEIRS = Situation(keys=ATTACKER, pck_crl={"revoked": (GOOD.platform.pck_serial,)}).collateral
OLDER = replace(
    GOOD, number=19, rating={"platform": TcbStatus.REVOKED, "quoting_enclave": TcbStatus.REVOKED}
).collateral
OF_OTHER_PLATFORM = Situation(machine={"fmspc": bytes(6)}).collateral
STRAYS = (
    Collateral(certificates=(b"junk", GOOD.authorities.root, GOOD.authorities.platform, *GOOD.certificates)),
    Collateral(certificates=(IntelCa().with_tcb_signing(not_after=later(days=-1)).tcb_signing,)),
    Collateral(intel_crls=(b"", b"junk", IntelCa().pck_crl(Ca.PROCESSOR, ISSUED))),
    Collateral(intel_crls=(IntelCa().root_crl(ISSUED - timedelta(days=900)),)),
    Collateral(crls=(Crl(der=GOOD.roots_list), Crl(der=b"junk"))),
    Collateral(tcb_infos=OLDER.tcb_infos),
    Collateral(qe_identities=OLDER.qe_identities),
    Collateral(tcb_infos=GOOD.collateral.qe_identities, qe_identities=GOOD.collateral.tcb_infos),
    Collateral(tcb_infos=(Signed(body=b"{}", signature=bytes(64)),)),
    THEIRS,
    OF_OTHER_PLATFORM,
    GOOD.collateral,
)
subsets = st.lists(st.sampled_from(STRAYS), max_size=4)


@given(before=subsets, after=subsets)
def test_whoever_adds_others_turns_no_yes_into_a_no(before: list[Collateral], after: list[Collateral]) -> None:
    beside = replace(GOOD, before=Collateral().merged(*before), after=Collateral().merged(*after))
    assert_accepted(beside)
    assert claims_of(beside) == claims_of(GOOD)


@given(before=subsets, after=subsets, missing=st.sampled_from(["signer", "root_crl", "pck_crl", "tcb_info"]))
def test_whoever_adds_others_turns_no_no_into_a_yes(
    before: list[Collateral], after: list[Collateral], missing: str
) -> None:
    def others(strays: list[Collateral]) -> Collateral:
        return Collateral().merged(*(stray for stray in strays if stray not in {GOOD.collateral, OF_OTHER_PLATFORM}))

    beside = replace(GOOD, before=others(before), after=others(after), without=frozenset({missing}))
    verdict = beside.appraise().verdict
    assert verdict is not Verdict.ACCEPTED
    revoked = replace(beside, without=frozenset(), root_crl={"revoked": (GOOD.authorities.serial("platform"),)})
    assert revoked.appraise().verdict is Verdict.REJECTED


def test_of_several_the_newest_is_chosen_where_no_platform_is_known_too() -> None:
    claims = claims_of(replace(GOOD, pck={"drop": (SGX_EXTENSIONS,)}, before=OLDER))
    assert claims.pck is None
    assert claims.tcb_info == GOOD.intel.tcb_info


# --- until when a verdict holds: design 8.8 ---------------------------------------------------------------------------

ENDS: dict[str, tuple[Situation, timedelta]] = {
    "the policy's age": (GOOD, VALID_FOR),
    "the PCK certificate": (replace(GOOD, pck={"not_after": later(seconds=90)}), timedelta(seconds=90)),
    "the PCK CA": (replace(GOOD, authority={"not_after": later(seconds=80)}), timedelta(seconds=80)),
    "the root": (replace(GOOD, root={"not_after": later(seconds=70)}), timedelta(seconds=70)),
    "the TCB signer": (replace(GOOD, signer={"not_after": later(seconds=60)}), timedelta(seconds=60)),
    "TCB info": (replace(GOOD, tcb_info={"next_update": later(seconds=50)}), timedelta(seconds=50)),
    "QE identity": (replace(GOOD, qe_identity={"next_update": later(seconds=40)}), timedelta(seconds=40)),
    "the root's list": (
        replace(GOOD, root_crl={"lifetime": later(seconds=30) - ISSUED}),
        timedelta(seconds=30),
    ),
    "the CA's list": (
        replace(GOOD, pck_crl={"lifetime": later(seconds=20) - ISSUED}),
        timedelta(seconds=20),
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_verdict_expires_with_the_first_thing_it_rests_on(name: str) -> None:
    situation, lasts = ENDS[name]
    for each in (situation, replace(situation, version=5)):
        appraisal = each.appraise()
        assert appraisal.verdict is Verdict.ACCEPTED
        assert appraisal.expires_at == NOW + lasts
        appraisal.require_accepted(NOW + lasts - SECOND)
        with pytest.raises(Undecided, match="the verdict is for") as caught:
            appraisal.require_accepted(NOW + lasts)
        assert caught.value.category is Category.EXPIRED


@pytest.mark.parametrize("name", ["TCB info", "QE identity", "the root's list", "the CA's list"])
def test_a_grace_lengthens_a_verdict_by_the_shortest_that_is_given(name: str) -> None:
    situation, lasts = ENDS[name]
    graced = replace(situation, rules={"collateral_grace": 7})
    assert graced.appraise().expires_at == NOW + lasts + timedelta(seconds=7)
    longer = policy_of("genuine", "required", {"collateral_grace": 3600})
    assert graced.appraise(longer).expires_at == NOW + lasts + timedelta(seconds=7)
    assert graced.appraise(policy_of("genuine", "required", {})).expires_at == NOW + lasts
    most = replace(situation, rules={"collateral_grace": 3600})
    assert most.appraise().expires_at == NOW + VALID_FOR


def test_a_verdict_ends_with_what_was_issued_or_has_ended_this_very_second() -> None:
    issued_now = replace(GOOD, tcb_info={"issue_date": NOW, "next_update": later(seconds=50)})
    assert issued_now.appraise().expires_at == later(seconds=50)
    ended_now = replace(GOOD, tcb_info={"next_update": NOW})
    assert_accepted(ended_now)
    assert ended_now.appraise().expires_at == NOW
    longer_grace_than_time = replace(GOOD, tcb_info={"next_update": later(seconds=5)}, rules={"collateral_grace": 60})
    assert longer_grace_than_time.appraise().expires_at == later(seconds=65)


def test_no_grace_is_given_where_no_policy_has_rules_for_tds() -> None:
    case = case_of(replace(GOOD, tcb_info={"next_update": NOW}))
    assert NOW in case.ends([policy_without_tdx()])
    assert later(seconds=7) in case.ends(
        [policy_without_tdx(), policy_of("genuine", "required", {"collateral_grace": 7})]
    )


def test_what_is_not_there_or_can_not_be_read_ends_nothing() -> None:
    [certificates] = case_of(GOOD, Collateral()).ends([GOOD.policy])
    assert certificates == min(map(not_after, GOOD.certificates))
    unreadable = Collateral(tcb_infos=(Signed(body=b"{}", signature=bytes(64)),))
    assert case_of(GOOD, unreadable).ends([GOOD.policy]) == [certificates]


@pytest.mark.parametrize("name", ["the PCK certificate", "the PCK CA", "the root", "the TCB signer"])
def test_no_grace_lengthens_a_certificate(name: str) -> None:
    situation, lasts = ENDS[name]
    assert replace(situation, rules={"collateral_grace": 3600}).appraise().expires_at == NOW + lasts


def test_a_list_beside_the_current_one_shortens_a_verdict_only_while_it_lasts_itself() -> None:
    over = replace(GOOD, root_crl={"this_update": later(days=-400), "lifetime": timedelta(days=1)})
    ending = replace(GOOD, root_crl={"this_update": later(days=-1), "lifetime": timedelta(days=1, seconds=9)})
    for beside, lasts in ((over, VALID_FOR), (ending, timedelta(seconds=9))):
        both = replace(GOOD, after=Collateral(intel_crls=(beside.roots_list,)))
        assert both.appraise().expires_at == NOW + lasts
    first = replace(GOOD, root_crl={"this_update": NOW, "lifetime": timedelta(seconds=9)})
    last = replace(GOOD, root_crl={"this_update": later(days=-1), "lifetime": timedelta(days=1)})
    for beside, lasts in ((first, timedelta(seconds=9)), (last, timedelta(0))):  # at the ends of their time
        both = replace(GOOD, after=Collateral(intel_crls=(over.roots_list, beside.roots_list)))
        assert both.appraise().expires_at == NOW + lasts
    forged = replace(ending, root_crl={**ending.root_crl, "signed_by": STRANGER}).roots_list
    assert replace(GOOD, after=Collateral(intel_crls=(forged,))).appraise().expires_at == NOW + VALID_FOR


def test_what_is_not_accepted_has_no_expiry() -> None:
    assert replace(GOOD, quote={"td_attributes": 1}).appraise().expires_at is None
    assert replace(GOOD, without=frozenset({"signer"})).appraise().expires_at is None


# --- what is remembered: AC-091 ---------------------------------------------------------------------------------------


def test_ac_091_the_same_quote_is_refused_when_anything_it_rested_on_has_ended() -> None:
    for name, (situation, lasts) in ENDS.items():
        if name == "the policy's age":
            continue
        assert_accepted(situation)
        over = replace(situation, now=NOW + lasts + SECOND).appraise()
        assert over.verdict is not Verdict.ACCEPTED, name
        assert categories(over) == {Category.EXPIRED}
        assert_accepted(situation)


@pytest.mark.parametrize("now", [ISSUED - SECOND, ISSUED + timedelta(days=31), datetime(2034, 1, 1, tzinfo=NOW.tzinfo)])
def test_ac_091_a_time_before_or_after_everything_is_no_time_to_accept_at(now: datetime) -> None:
    assert_accepted(GOOD)
    assert replace(GOOD, now=now).appraise().verdict is not Verdict.ACCEPTED
    assert_accepted(GOOD)


def test_ac_091_one_quote_under_other_collateral_is_another_case() -> None:
    revoked = replace(GOOD, pck_crl={"revoked": (GOOD.platform.pck_serial,)})
    outdated = replace(GOOD, rating={"platform": TcbStatus.REVOKED})
    nothing = replace(GOOD, without=frozenset({"signer", "root_crl", "pck_crl", "tcb_info", "qe_identity"}))
    assert len({each.signed_quote for each in (GOOD, revoked, outdated, nothing)}) == 1
    for _ in range(2):
        assert_accepted(GOOD)
        assert_refused(revoked, Category.REVOKED, "tdx.crl.revoked")
        assert_refused(outdated, Category.TCB, "tdx.tcb.revoked")
        assert nothing.appraise().verdict is Verdict.UNDECIDED


def test_ac_091_other_quotes_under_one_collateral_are_other_cases() -> None:
    for _ in range(2):
        assert_accepted(GOOD)
        assert_refused(replace(GOOD, quote={"td_attributes": 1}), Category.DEBUG, "tdx.attributes.debug")
        assert_refused(replace(GOOD, machine={"qe_svn": 3}), Category.TCB, "tdx.tcb.revoked")
        assert_refused(replace(GOOD, module=SoftwareModule(svn=2)), Category.TCB, "tdx.tcb.revoked")
        current = replace(FIFTH, launched_by=SoftwareModule(), module=SoftwareModule(svn=2))
        assert_refused(current, Category.TCB, "tdx.tcb.revoked")
        assert_accepted(replace(FIFTH, module=SoftwareModule()))
        stale = replace(GOOD, freshness=ExpectedReportData(bytes(64)))
        assert_refused(stale, Category.FRESHNESS, "freshness.report_data")


def test_ac_091_one_case_under_another_trust_set_is_refused() -> None:
    for _ in range(2):
        assert_accepted(GOOD)
        assert_refused(replace(GOOD, trust="production"), Category.SIMULATED, "tdx.chain.trust_set")


def test_ac_091_everything_that_is_remembered_about_tdx_is_bounded() -> None:
    bounds = {}
    for found in pkgutil.iter_modules(cvmproof.tdx.__path__, "cvmproof.tdx."):
        for name, value in vars(importlib.import_module(found.name)).items():
            parameters = getattr(value, "cache_parameters", None)
            if parameters is not None:
                bounds[f"{found.name}.{name}"] = parameters()["maxsize"]
    assert len(bounds) > 10
    assert all(bound is not None and 0 < bound <= 1024 for bound in bounds.values()), bounds
