"""Real reports, genuine and forged, with AMD's real certificates: the verdict is right about every one of them."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.verifier.snp.recorded import (
    CASES,
    GENUINE,
    ORDINARY,
    Case,
    appraise_case,
    certificate,
    each,
    files,
    names,
    read,
    roots,
)
from tests.verifier.snp.situation import categories, ids_of_no, ids_of_open, policy_of, snp_claims

from cvmproof.appraisal import Verdict
from cvmproof.collateral.collateral import Crl
from cvmproof.freshness import ExpectedReportData
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof.snp.chain import chains_of
from cvmproof_formats.errors import Category
from cvmproof_formats.snp.report import AttestationReport

FORGED = tuple(case for case in CASES if not case.genuine)
OF_MILAN = tuple(case for case in ORDINARY if case.product == "Milan" and case.key == "VCEK")
CRL = "crl/ark_milan_2023.crl.der"
IN_ITS_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


@each(ORDINARY)
def test_a_genuine_report_is_accepted_for_what_it_is(case: Case) -> None:
    appraisal = appraise_case(case)
    assert ids_of_no(appraisal) + ids_of_open(appraisal) == []
    assert appraisal.verdict is Verdict.ACCEPTED
    assert not appraisal.simulated
    claims = snp_claims(appraisal)
    assert (claims.product, claims.key) == (case.product, case.key)
    assert str(claims.tcb(claims.report.reported_tcb)) == case.tcb
    appraisal.require_accepted(case.at)


@each(ORDINARY)
def test_each_of_its_certificates_will_do(case: Case) -> None:
    for vek in case.veks:
        assert appraise_case(case, veks=[vek]).verdict is Verdict.ACCEPTED


@each(tuple(case for case in GENUINE if case.debug))
def test_ac_021_a_real_debug_guest_is_refused_for_that_alone(case: Case) -> None:
    appraisal = appraise_case(case)
    assert appraisal.verdict is Verdict.REJECTED
    assert ids_of_no(appraisal) == ["snp.guest_policy.debug"]
    assert categories(appraisal) == {Category.DEBUG}
    allowing = policy_of("genuine", "if-available", {"guest_policy": {"debug": "any"}})
    assert appraise_case(case, policy=allowing).verdict is Verdict.ACCEPTED


@each(tuple(case for case in FORGED if case.veks))
def test_a_changed_report_is_refused_by_its_signature(case: Case) -> None:
    appraisal = appraise_case(case)
    assert appraisal.verdict is Verdict.REJECTED
    assert "snp.signature.report" in ids_of_no(appraisal)
    assert Category.SIGNATURE in categories(appraisal)


@each(tuple(case for case in FORGED if not case.veks))
def test_a_changed_report_without_certificates_is_undecided(case: Case) -> None:
    appraisal = appraise_case(case)
    assert appraisal.verdict is Verdict.UNDECIDED
    assert categories(appraisal) == {Category.UNAVAILABLE}


@each(tuple(case for case in CASES if case.forged_veks))
def test_a_forged_certificate_is_refused_and_changes_nothing_beside_the_genuine_one(case: Case) -> None:
    for forged in case.forged_veks:
        appraisal = appraise_case(case, veks=[forged])
        assert appraisal.verdict is Verdict.REJECTED
        assert categories(appraisal) == {Category.CHAIN}
        assert appraise_case(case, veks=[forged, *case.veks]).verdict is Verdict.ACCEPTED
        assert appraise_case(case, veks=[*case.veks, forged]).verdict is Verdict.ACCEPTED


@files(names("vek-only", "*BADCHAIN*"))
def test_a_certificate_that_amd_did_not_sign_has_no_chain(name: str) -> None:
    (chain,) = chains_of((read(name), *roots()))
    assert chain.leaf_signature_problem == "its signature is not the issuer's"
    assert not chain.holds
    appraisal = appraise_case(OF_MILAN[0], veks=[name])
    assert appraisal.verdict is Verdict.REJECTED
    assert Category.CHAIN in categories(appraisal)


@files([name for name in names("vek-only") if "BADCHAIN" not in name])
def test_a_certificate_that_amd_signed_has_one(name: str) -> None:
    (chain,) = chains_of((read(name), *roots()))
    assert chain.holds
    assert chain.root_pinned_in == "production"


@each(OF_MILAN)
def test_an_intermediate_with_a_bad_signature_is_refused_alone_and_passed_over_beside_the_good_one(case: Case) -> None:
    (bad,) = (read(name) for name in names("roots", "*BADSIG*"))
    (good,) = roots(only="SEV-Milan")
    ark = roots(only="ARK-Milan")
    alone = appraise_case(case, authorities=(bad, *ark))
    assert alone.verdict is Verdict.REJECTED
    assert categories(alone) == {Category.CHAIN}
    assert appraise_case(case, authorities=(bad, good, *ark)).verdict is Verdict.ACCEPTED
    assert appraise_case(case, authorities=(good, bad, *ark)).verdict is Verdict.ACCEPTED


@each(ORDINARY)
def test_before_and_after_its_certificates_a_report_is_refused_as_expired(case: Case) -> None:
    leaf = certificate(case.veks[0])
    for now in (leaf.not_before - timedelta(seconds=1), leaf.not_after + timedelta(seconds=1)):
        appraisal = appraise_case(case, veks=case.veks[:1], now=now)
        assert appraisal.verdict is Verdict.REJECTED
        assert ids_of_no(appraisal) == ["snp.chain.validity"]
        assert categories(appraisal) == {Category.EXPIRED}
    for now in (leaf.not_before, leaf.not_after):
        assert appraise_case(case, veks=case.veks[:1], now=now).verdict is Verdict.ACCEPTED


@each(OF_MILAN)
def test_a_stale_revocation_list_leaves_it_undecided(case: Case) -> None:
    appraisal = appraise_case(case, crls=(Crl(der=read(CRL)),))
    assert appraisal.verdict is Verdict.UNDECIDED
    assert ids_of_open(appraisal) == ["snp.crl.current"]
    assert categories(appraisal) == {Category.EXPIRED}


@each(tuple(c for c in OF_MILAN if certificate(c.veks[0]).not_before <= IN_ITS_YEAR))
def test_in_its_year_the_revocation_list_is_all_that_a_strict_policy_needs(case: Case) -> None:
    strict = policy_of("genuine", "required", {})
    crl = (Crl(der=read(CRL)),)
    accepted = appraise_case(case, veks=case.veks[:1], crls=crl, policy=strict, now=IN_ITS_YEAR)
    assert accepted.verdict is Verdict.ACCEPTED
    without = appraise_case(case, veks=case.veks[:1], policy=strict, now=IN_ITS_YEAR)
    assert categories(without) == {Category.UNAVAILABLE}


@each(tuple(case for case in ORDINARY if case.product != "Milan"))
def test_a_revocation_list_of_another_root_says_nothing(case: Case) -> None:
    assert appraise_case(case, crls=(Crl(der=read(CRL)),)).verdict is Verdict.ACCEPTED
    strict = policy_of("genuine", "required", {})
    assert categories(appraise_case(case, crls=(Crl(der=read(CRL)),), policy=strict)) == {Category.UNAVAILABLE}


@each(ORDINARY)
def test_another_product_lines_roots_are_none(case: Case) -> None:
    for other in {"Milan", "Genoa", "Turin"} - {case.product}:
        appraisal = appraise_case(case, authorities=roots(only=other))
        assert appraisal.verdict is Verdict.UNDECIDED
        assert categories(appraisal) == {Category.UNAVAILABLE}


@each(ORDINARY)
def test_ac_015_another_chips_certificate_is_refused(case: Case) -> None:
    report = AttestationReport.parse(case.data)
    others = [other for other in ORDINARY if AttestationReport.parse(other.data).chip_id != report.chip_id]
    for other in others:
        appraisal = appraise_case(case, veks=other.veks, now=min(case.at, other.at))
        assert appraisal.verdict is Verdict.REJECTED
        assert {Category.SIGNATURE, Category.COLLATERAL_MISMATCH} <= categories(appraisal)
        beside = appraise_case(case, veks=(*other.veks, *case.veks))
        assert beside.verdict is Verdict.ACCEPTED


@each(tuple(case for case in ORDINARY if case.product == "Milan" and case.key == "VCEK"))
def test_ac_013_a_real_milan_report_with_a_genoa_chain_is_refused(case: Case) -> None:
    appraisal = appraise_case(case, veks=["vek-only/8e9994ceb7d8_vcek_Genoa.der"])
    assert appraisal.verdict is Verdict.REJECTED
    assert {Category.SIGNATURE, Category.COLLATERAL_MISMATCH} <= categories(appraisal)


@each(ORDINARY)
def test_a_real_machine_is_none_of_the_simulators(case: Case) -> None:
    appraisal = appraise_case(case, trust="simulated")
    assert appraisal.verdict is Verdict.REJECTED
    assert ids_of_no(appraisal) == ["snp.chain.trust_set"]
    assert not appraisal.simulated


@each(ORDINARY)
def test_ac_061_evidence_for_other_report_data_is_refused(case: Case) -> None:
    report = AttestationReport.parse(case.data)
    assert appraise_case(case, freshness=ExpectedReportData(report.report_data)).verdict is Verdict.ACCEPTED
    other = bytes(byte ^ 1 for byte in report.report_data[:1]) + report.report_data[1:]
    appraisal = appraise_case(case, freshness=ExpectedReportData(other))
    assert categories(appraisal) == {Category.FRESHNESS}


@each(OF_MILAN)
def test_ac_031_a_real_milan_machine_is_refused_unless_it_is_named(case: Case) -> None:
    document = '{"extends": "builtin:recommended", "snp": {"measurements": "any"%s}}'
    unnamed = read_policy((document % "").encode(), name="unnamed")
    appraisal = appraise_case(case, policy=unnamed)
    assert "snp.product" in ids_of_no(appraisal)
    assert Category.PLATFORM in categories(appraisal)
    chip_id = AttestationReport.parse(case.data).chip_id.hex()
    named = read_policy((document % f', "chip_ids": ["{chip_id}"]').encode(), name="named")
    assert "snp.product" not in ids_of_no(appraise_case(case, policy=named))


@each(tuple(case for case in ORDINARY if case.key == "VCEK"))
def test_ac_046_a_real_machine_that_is_not_on_the_list_is_refused(case: Case) -> None:
    chip_id = AttestationReport.parse(case.data).chip_id.hex()
    listed = policy_of("genuine", "if-available", {"chip_ids": [chip_id]})
    unlisted = policy_of("genuine", "if-available", {"chip_ids": ["5a" * 64]})
    denied = policy_of("genuine", "if-available", {"denied_chip_ids": [chip_id]})
    assert appraise_case(case, policy=listed).verdict is Verdict.ACCEPTED
    for policy in (unlisted, denied):
        appraisal = appraise_case(case, policy=policy)
        assert appraisal.verdict is Verdict.REJECTED
        assert categories(appraisal) == {Category.IDENTITY}


@each(tuple(case for case in ORDINARY if case.key == "VLEK"))
def test_ac_047_a_real_machine_that_hides_which_it_is_is_on_no_list(case: Case) -> None:
    for rules in ({"chip_ids": ["5a" * 64]}, {"denied_chip_ids": ["5a" * 64]}):
        appraisal = appraise_case(case, policy=policy_of("genuine", "if-available", rules))
        assert appraisal.verdict is Verdict.REJECTED
        assert categories(appraisal) == {Category.IDENTITY}


@each(ORDINARY)
def test_ac_032_a_real_report_with_a_measurement_one_bit_off_is_refused(case: Case) -> None:
    measured = AttestationReport.parse(case.data).measurement
    expected = policy_of("genuine", "if-available", {"measurements": [measured.hex()]})
    off = measured[:-1] + bytes([measured[-1] ^ 1])
    other = policy_of("genuine", "if-available", {"measurements": [off.hex()]})
    assert appraise_case(case, policy=expected).verdict is Verdict.ACCEPTED
    assert categories(appraise_case(case, policy=other)) == {Category.MEASUREMENT}


def test_the_collection_is_whole() -> None:
    if not CASES:
        pytest.skip("no recorded evidence: ../shared/recorded does not stand beside this checkout")
    assert len(GENUINE) == 25
    assert len(FORGED) == 6
    assert builtin_policy("genuine").revocation == "if-available"
