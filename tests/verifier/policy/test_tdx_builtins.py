"""The built-in policies and pins at work on TDX evidence, and what tighter and looser rules do to verdicts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.snp.situation import Situation as SnpSituation
from tests.verifier.snp.situation import categories, ids_of_no, ids_of_open
from tests.verifier.tdx.situation import Situation, policy_of

from cvmproof.appraisal import Pin, Verdict
from cvmproof.policy.looser import looser_rules
from cvmproof.policy.pinning import pin_policy
from cvmproof.policy.policy import Authority
from cvmproof.policy.reading import read_policy
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.tdx.td_attributes import DEBUG, MIGRATABLE, PERFMON, SEPT_VE_DISABLE, SERVTD_EXT
from cvmproof_simulator.tdx.collateral import QeIdentityChanges, TcbInfoChanges
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SIMULATED_XFAM, SoftwareModule

ZERO = "00" * 48


def recommended(**changes: object) -> Situation:
    rules = {"mr_tds": [SIMULATED_MRTD.hex()]}
    return Situation(base="recommended", rules=rules, **changes)  # type: ignore[arg-type]  # fields of Situation


def attributes(bits: int) -> QuoteChanges:
    return {"td_attributes": SEPT_VE_DISABLE | bits}


# --- recommended -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("ca", [*Ca])
@pytest.mark.parametrize("module", [SoftwareModule(), SoftwareModule(version=3, svn=7)])
def test_recommended_takes_what_is_current(version: int, ca: Ca, module: SoftwareModule) -> None:
    situation = recommended(version=version, ca=ca, module=module)
    assert situation.appraise().verdict is Verdict.ACCEPTED


INTEL = Situation().intel
# As Intel's data once was: every module and quoting enclave is current.
LENIENT_INFO: TcbInfoChanges = {
    "module_identities": tuple(
        replace(identity, levels=(replace(identity.levels[0], isvsvn=1),))
        for identity in INTEL.tcb_info.module_identities
    )
}
LENIENT_IDENTITY: QeIdentityChanges = {"levels": (replace(INTEL.qe_identity.levels[0], isvsvn=1),)}


@pytest.mark.parametrize(
    ("changes", "questions", "category"),
    [
        ({"quote": {"mr_td": b"\1" * 48}}, ["tdx.mr_td"], Category.MEASUREMENT),
        ({"quote": attributes(DEBUG)}, ["tdx.attributes.debug"], Category.DEBUG),
        ({"quote": attributes(1 << 5)}, ["tdx.attributes.perf_prof"], Category.DEBUG),
        ({"quote": attributes(MIGRATABLE)}, ["tdx.attributes.migratable"], Category.POLICY_MISMATCH),
        ({"quote": attributes(SERVTD_EXT)}, ["tdx.attributes.servtd_ext"], Category.POLICY_MISMATCH),
        ({"quote": attributes(1 << 20)}, ["tdx.attributes.unknown"], Category.POLICY_MISMATCH),
        ({"quote": {"td_attributes": 0}}, ["tdx.attributes.sept_ve_disable"], Category.POLICY_MISMATCH),
        ({"quote": {"xfam": SIMULATED_XFAM | 1 << 20}}, ["tdx.xfam.unknown"], Category.POLICY_MISMATCH),
        ({"version": 5, "quote": {"mr_service_td": b"\1" * 48}}, ["tdx.mr_service_td"], Category.POLICY_MISMATCH),
        ({"number": 17}, ["tdx.tcb.evaluation_number"], Category.ROLLBACK),
        ({"qe_identity": {"evaluation_number": 21}}, ["tdx.tcb.evaluation_numbers"], Category.ROLLBACK),
        ({"rating": {"platform": TcbStatus.SW_HARDENING_NEEDED}}, ["tdx.tcb.status"], Category.TCB),
        ({"rating": {"quoting_enclave": TcbStatus.OUT_OF_DATE}}, ["tdx.tcb.status"], Category.TCB),
        ({"module": SoftwareModule(svn=12), "tcb_info": LENIENT_INFO}, ["tdx.module.svn"], Category.TCB),
        ({"module": SoftwareModule(version=3, svn=6), "tcb_info": LENIENT_INFO}, ["tdx.module.svn"], Category.TCB),
        ({"machine": {"qe_svn": 3}, "qe_identity": LENIENT_IDENTITY}, ["tdx.qe.svn"], Category.TCB),
    ],
)
def test_recommended_refuses_what_it_should(
    changes: Mapping[str, object], questions: list[str], category: Category
) -> None:
    appraisal = recommended(**changes).appraise()
    assert ids_of_no(appraisal) == questions
    assert categories(appraisal) == {category}


def test_recommended_leaves_performance_counters_and_what_it_may_compute_with_open() -> None:
    for quote in (attributes(PERFMON), {"xfam": 0b11}):
        assert recommended(quote=quote).appraise().verdict is Verdict.ACCEPTED


def test_recommended_needs_the_revocation_lists() -> None:
    appraisal = recommended(revocation="required", without=frozenset({"pck_crl"})).appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert categories(appraisal) == {Category.UNAVAILABLE}
    assert ids_of_open(appraisal)


@pytest.mark.parametrize("name", ["td.toml", "floor.toml"])
def test_the_examples_take_the_simulated_td_and_no_other_software(root: Path, name: str) -> None:
    example = read_policy((root / "examples" / name).read_bytes(), name=name)
    assert example.constrains_software
    assert Situation().appraise(example).verdict is Verdict.ACCEPTED
    for register in ("mr_td", "rtmr1", "rtmr2"):
        other = Situation(quote={register: b"\1" * 48}).appraise(example)  # type: ignore[misc]  # each is one of a quote's
        assert (ids_of_no(other), categories(other)) == ([f"tdx.{register}"], {Category.MEASUREMENT})


# --- genuine ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status",
    [status for status in TcbStatus if status is not TcbStatus.REVOKED and "Relaunch" not in status
     and status is not TcbStatus.NOT_SUPPORTED],
)  # fmt: skip
def test_genuine_takes_every_status_that_a_platform_has_but_revoked(status: TcbStatus) -> None:
    assert Situation(rating={"platform": status}).appraise().verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [TcbStatus.REVOKED, TcbStatus.NOT_SUPPORTED])
def test_ac_041_genuine_takes_no_revoked_platform_and_none_without_level(status: TcbStatus) -> None:
    assert Situation(rating={"platform": status}).appraise().verdict is Verdict.REJECTED


@pytest.mark.parametrize("bit", range(8))
def test_ac_044_genuine_takes_no_td_under_debug(bit: int) -> None:
    assert Situation(quote=attributes(1 << bit)).appraise().verdict is Verdict.REJECTED


def test_genuine_leaves_the_rest_open_and_lists_it() -> None:
    quote = QuoteChanges(td_attributes=MIGRATABLE | SERVTD_EXT | PERFMON, mr_service_td=b"\1" * 48)
    appraisal = Situation(version=5, quote=quote).appraise()
    assert appraisal.verdict is Verdict.ACCEPTED
    left_open = {check.id for check in appraisal.unconstrained}
    named = ("sept_ve_disable", "migratable", "servtd_ext", "perfmon")
    assert {"tdx.mr_service_td", "tdx.mr_td", *(f"tdx.attributes.{name}" for name in named)} <= left_open


# --- pins ------------------------------------------------------------------------------------------------------------

MACHINE = Situation().platform


@pytest.mark.parametrize("named", [{"ppids": MACHINE.ppid}, {"platform_instance_ids": MACHINE.instance_id}])
def test_a_pinned_machine_is_taken_and_another_is_not_ac_046(named: dict[str, bytes]) -> None:
    pin = pin_policy(name="pin", authority=Authority.OPERATOR, **{name: [value] for name, value in named.items()})
    accepted = Situation().appraise(pin)
    assert (accepted.verdict, accepted.identity_pinned) == (Verdict.ACCEPTED, Pin.MACHINE)
    another = Situation(machine={"secret": b"another"}).appraise(pin)
    assert (another.verdict, categories(another)) == (Verdict.REJECTED, {Category.IDENTITY})


def test_a_machine_without_the_name_that_is_pinned_is_refused_ac_047() -> None:
    pin = pin_policy(name="pin", authority=Authority.OPERATOR, platform_instance_ids=[MACHINE.instance_id])
    assert categories(Situation(ca=Ca.PROCESSOR).appraise(pin)) == {Category.IDENTITY}


def test_a_pin_stands_beside_a_policy_of_any_grace_and_takes_a_td_under_debug() -> None:
    pin = pin_policy(name="pin", authority=Authority.OPERATOR, ppids=[MACHINE.ppid])
    rules = {"attributes": {"debug": "any"}, "collateral_grace": 90 * 86400}
    late = Situation(quote=attributes(DEBUG), rules=rules)
    late = replace(late, now=late.intel.tcb_info.next_update.replace(hour=23))
    assert late.now > late.intel.tcb_info.next_update
    assert late.appraise(pin).verdict is Verdict.ACCEPTED


def test_a_pin_of_one_technology_refuses_the_other_ac_046() -> None:
    of_tdx = pin_policy(name="pin", authority=Authority.OPERATOR, ppids=[MACHINE.ppid])
    of_snp = pin_policy(name="pin", authority=Authority.OPERATOR, chip_ids=[SnpSituation().psp.chip_id])
    assert ids_of_no(Situation().appraise(of_snp)) == ["policy.tee"]
    assert ids_of_no(SnpSituation().appraise(of_tdx)) == ["policy.tee"]


# --- metamorphic -----------------------------------------------------------------------------------------------------

TIGHTER: dict[str, object] = {
    "tcb_statuses": ["UpToDate"], "denied_advisories": ["SIMULATED-SA-00003"], "minimum_evaluation_number": 20,
    "evaluation_numbers": "equal", "minimum_tcb_date": "2026-08-12", "ppids": [MACHINE.ppid.hex()],
    "denied_ppids": ["11" * 16], "minimum_qe_svn": 7, "minimum_module_svns": {"TDX_01": 13}, "mr_service_tds": [ZERO],
    "mr_tds": [SIMULATED_MRTD.hex()], "attributes": {"migratable": "forbidden"}, "rtmr3": [ZERO],
    "platform": {"cached_keys": "required"}, "unknown_xfam_bits": "forbidden", "xfam": {"avx": "required"},
}  # fmt: skip
TDS = (
    Situation(), Situation(ca=Ca.PROCESSOR), Situation(version=5, quote={"mr_service_td": b"\1" * 48}),
    Situation(quote=attributes(MIGRATABLE)), Situation(module=SoftwareModule(svn=6)),
    Situation(rating={"platform": TcbStatus.OUT_OF_DATE}), Situation(number=19), Situation(quote=attributes(DEBUG)),
    Situation(machine={"secret": b"another"}), Situation(quote={"rtmr3": b"\1" * 48, "xfam": 0b11}),
    Situation(qe_identity={"evaluation_number": 19}), Situation(module=SoftwareModule(version=3, svn=7)),
)  # fmt: skip
some_rules = st.sets(st.sampled_from(sorted(TIGHTER)), max_size=4)


def chosen(names: set[str]) -> dict[str, object]:
    return {name: TIGHTER[name] for name in sorted(names)}


@given(td=st.sampled_from(range(len(TDS))), loose=some_rules, more=some_rules)
def test_a_tighter_policy_never_accepts_more(td: int, loose: set[str], more: set[str]) -> None:
    def under(names: set[str]) -> Verdict:
        return replace(TDS[td], rules=chosen(names)).appraise().verdict

    assert not (under(loose | more) is Verdict.ACCEPTED and under(loose) is not Verdict.ACCEPTED)


@given(td=st.sampled_from(range(len(TDS))), names=some_rules, floor=some_rules)
def test_a_policy_in_which_nothing_is_looser_takes_nothing_that_the_floor_refuses_ac_092(
    td: int, names: set[str], floor: set[str]
) -> None:
    policy, limit = (policy_of("genuine", "required", chosen(rules)) for rules in (names, floor))
    looser = {found.rule.split(".")[1] for found in looser_rules(policy, limit)}
    assert looser == floor - names
    if not looser and replace(TDS[td], rules=chosen(names)).appraise().verdict is Verdict.ACCEPTED:
        assert replace(TDS[td], rules=chosen(floor)).appraise().verdict is Verdict.ACCEPTED
