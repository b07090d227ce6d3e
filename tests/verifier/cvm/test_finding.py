"""Findings: what contradicts what, each with a twin in which nothing does."""

import pytest
from tests.verifier.cvm.scene import FLOOR, policy_bytes
from tests.verifier.snp.situation import REPORT_DATA, Situation

from cvmproof.cvm.finding import FindingId, contradictions, looser_than_floors, policy_changed
from cvmproof.policy.policy import Authority
from cvmproof.policy.reading import read_policy
from cvmproof.prism.cvm import Cvm
from cvmproof_formats.binding import BindingKind, Role, Tee
from cvmproof_formats.errors import Category
from cvmproof_formats.evidence import Evidence, write_evidence

SITUATION = Situation()
REPORT = SITUATION.psp.report(REPORT_DATA)


def ids(cvm: Cvm) -> list[FindingId]:
    return [finding.id for finding in contradictions(cvm, SITUATION.appraise())]


@pytest.mark.parametrize("spelled", ["tdx", "intel-tdx", "Intel TDX"])
def test_a_record_that_names_another_technology_contradicts_the_evidence(spelled: str) -> None:
    (finding,) = contradictions(Cvm(id="c", cc_platform=spelled), SITUATION.appraise())
    assert (finding.id, finding.category) == (FindingId.PLATFORM, Category.PLATFORM)
    assert (finding.expected, finding.got) == ("tdx", "sev-snp")


@pytest.mark.parametrize("spelled", ["sev-snp", "SEV SNP", "SNP (AMD Secure Nested Paging)", "", "something newer"])
def test_a_record_that_names_the_same_one_or_none_we_know_does_not(spelled: str) -> None:
    assert ids(Cvm(id="c", cc_platform=spelled)) == []


def test_a_snapshot_of_another_machine_contradicts() -> None:
    elsewhere = SITUATION.psp.report(REPORT_DATA, chip_id=b"\x77" * 64)
    assert ids(Cvm(id="c", attestation=elsewhere)) == [FindingId.SNAPSHOT_MACHINE]


def test_a_snapshot_of_other_software_contradicts() -> None:
    before = SITUATION.psp.report(REPORT_DATA, measurement=b"\x77" * 48)
    assert ids(Cvm(id="c", attestation=before)) == [FindingId.SNAPSHOT_SOFTWARE]


def test_a_snapshot_of_the_same_machine_and_software_does_not() -> None:
    earlier = SITUATION.psp.report(bytes(64), current_build=1)
    assert ids(Cvm(id="c", attestation=earlier)) == []
    labelled = Evidence(
        tee=Tee.SEV_SNP, report=earlier, binding=BindingKind.NONCE, role=Role.SERVER, nonce=bytes(range(32))
    )
    assert ids(Cvm(id="c", attestation=write_evidence(labelled))) == []


@pytest.mark.parametrize("blob", [None, b"", b"something else", REPORT[:-1], b"{}", bytes(1184)])
def test_a_snapshot_in_another_form_says_nothing(blob: bytes | None) -> None:
    assert ids(Cvm(id="c", attestation=blob)) == []


def test_a_policy_that_takes_more_than_the_floor_is_found_rule_by_rule_ac_092() -> None:
    loose = read_policy(
        policy_bytes(rules='vmpls = [0, 1]\nguest_policy = { debug = "any" }\n'),
        name="theirs",
        authority=Authority.CONTROL_PLANE,
    )
    found = looser_than_floors(loose, [FLOOR])
    assert {finding.expected.split()[0] for finding in found} == {"snp.vmpls", "snp.guest_policy.debug"}
    assert {finding.category for finding in found} == {Category.POLICY_INVALID}
    assert looser_than_floors(FLOOR, [FLOOR]) == ()
    assert looser_than_floors(loose, []) == ()


def test_a_policy_that_is_another_one_than_last_time_is_found() -> None:
    (finding,) = policy_changed(b"\1" * 32, b"\2" * 32)
    assert (finding.id, finding.category) == (FindingId.POLICY_CHANGED, Category.ROLLBACK)
    assert policy_changed(b"\1" * 32, b"\1" * 32) == ()
    assert policy_changed(None, b"\1" * 32) == ()


def test_a_finding_is_one_line() -> None:
    (finding,) = policy_changed(b"\1" * 32, b"\2" * 32)
    assert str(finding).startswith("cvm.policy.changed (ROLLBACK): expected sha256 0101")
