"""The SIMULATED collateral is read back, is signed, and gives every status: dcap-qvl says so too."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from tests.simulator.tdx.verdict import verdict

from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx.evaluation_numbers import read_evaluation_numbers
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.p256 import signature_der
from cvmproof_formats.tdx.qe_identity import read_qe_identity
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tdx.tcb_info import rank_of, read_tcb_info
from cvmproof_formats.tdx.tcb_status import PART_STATUSES, PLATFORM_STATUSES, TcbStatus, advise_relaunch, converge
from cvmproof_formats.x509 import read_crl
from cvmproof_simulator.keys.intel import checked_in_intel_keys, generate_intel_keys
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.collateral import (
    Collateral,
    evaluation_numbers_response,
    simulated_evaluation_numbers,
)
from cvmproof_simulator.tdx.platform import SoftwarePlatform
from cvmproof_simulator.tdx.td import MODULE_2_0, SoftwareModule, SoftwareTd

ISSUED = datetime(2026, 11, 20, tzinfo=UTC)
NOW = ISSUED + timedelta(hours=1)
PLATFORM = SoftwarePlatform()
TD = SoftwareTd(platform=PLATFORM)
GOOD = Collateral.of(PLATFORM, ISSUED)
DATA = bytes(64)
PLATFORM_ONES = [*sorted(PLATFORM_STATUSES), TcbStatus.NOT_SUPPORTED]
PART_ONES = [*sorted(PART_STATUSES), TcbStatus.NOT_SUPPORTED]
REFUSED = {TcbStatus.REVOKED: "Revoked", TcbStatus.NOT_SUPPORTED: "No matching|below minimum"}


def require(expected: TcbStatus, td: SoftwareTd, collateral: Collateral, version: int = 5) -> None:
    """Our rules give that status, and dcap-qvl agrees."""
    quote = td.quote(DATA, version=version)
    if expected in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[expected]):
            verdict(quote, collateral, NOW)
    else:
        assert verdict(quote, collateral, NOW)[0] == expected


def test_what_is_signed_is_read_back() -> None:
    key = checked_in_intel_keys().tcb_signing.public_key()
    info = read_signed(GOOD.tcb_info_response, "tcbInfo")
    identity = read_signed(GOOD.qe_identity_response, "enclaveIdentity")
    assert read_tcb_info(info.body) == GOOD.tcb_info
    assert read_qe_identity(identity.body) == GOOD.qe_identity
    for signed in (info, identity):
        key.verify(signature_der(signed.signature), signed.body, ec.ECDSA(SHA256()))
    assert (GOOD.tcb_info.issue_date, GOOD.tcb_info.next_update) == (ISSUED, ISSUED + timedelta(days=30))
    assert sorted(GOOD.tcb_info.levels, key=rank_of, reverse=True) == list(GOOD.tcb_info.levels)


def test_evaluation_numbers_are_read_back() -> None:
    signed = read_signed(
        evaluation_numbers_response(GOOD.authorities, simulated_evaluation_numbers(ISSUED, (19, 20, 21))),
        "tcbEvaluationDataNumbers",
    )
    found = read_evaluation_numbers(signed.body)
    assert [entry.number for entry in found.numbers] == [21, 20, 19]
    assert found == simulated_evaluation_numbers(ISSUED, (19, 20, 21))


@pytest.mark.parametrize("status", PLATFORM_ONES)
def test_a_machine_has_the_status_it_is_made_for(status: TcbStatus) -> None:
    require(status, replace(TD, platform=PLATFORM.rated(status)), GOOD)


@pytest.mark.parametrize("status", PART_ONES)
@pytest.mark.parametrize("version", [1, MODULE_2_0])
def test_a_module_has_the_status_it_is_made_for(version: int, status: TcbStatus) -> None:
    require(status, replace(TD, module=SoftwareModule.rated(status, version=version)), GOOD)


@pytest.mark.parametrize("status", PART_ONES)
def test_a_quoting_enclave_has_the_status_it_is_made_for(status: TcbStatus) -> None:
    require(status, replace(TD, platform=PLATFORM.with_quoting_enclave(status)), GOOD)


# One bad part at a time would not show how parts converge; where two refuse, either may be named first.
COMBINATIONS = [c for c in product(PLATFORM_ONES, PART_ONES, PART_ONES) if sum(s in REFUSED for s in c) < 2]


@pytest.mark.parametrize(("platform", "module", "enclave"), COMBINATIONS, ids="-".join)
def test_a_rating_gives_a_machine_that_stays_as_it_is_any_statuses(
    platform: TcbStatus, module: TcbStatus, enclave: TcbStatus
) -> None:
    rated = GOOD.rating(platform=platform, module=module, quoting_enclave=enclave)
    assert read_tcb_info(read_signed(rated.tcb_info_response, "tcbInfo").body) == rated.tcb_info
    require(converge(platform, module, enclave), TD, rated)


@pytest.mark.parametrize("platform", sorted(PLATFORM_STATUSES - {TcbStatus.REVOKED}))
@pytest.mark.parametrize("launch", [TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE])
def test_a_td_whose_module_was_updated_is_rated_twice(platform: TcbStatus, launch: TcbStatus) -> None:
    td = replace(TD, platform=PLATFORM.rated(platform), launched_by=SoftwareModule.rated(launch))
    expected = advise_relaunch(converge(platform, launch), converge(platform, TcbStatus.UP_TO_DATE))
    require(expected, td, GOOD)


def test_a_relaunch_is_among_them() -> None:
    td = replace(TD, launched_by=SoftwareModule.rated(TcbStatus.OUT_OF_DATE))
    require(TcbStatus.TD_RELAUNCH_ADVISED, td, GOOD)
    require(TcbStatus.OUT_OF_DATE, td, GOOD, version=4)


def test_tdx_1_0_is_rated_with_the_platform() -> None:
    require(TcbStatus.UP_TO_DATE, replace(TD, module=SoftwareModule(version=0, svn=5)), GOOD, version=4)
    require(TcbStatus.NOT_SUPPORTED, replace(TD, module=SoftwareModule(version=0, svn=4)), GOOD, version=4)


def test_advisories_come_from_every_part() -> None:
    out = TcbStatus.OUT_OF_DATE
    rated = GOOD.rating(platform=out, module=out, quoting_enclave=out)
    _, advisories = verdict(TD.quote(DATA), rated, NOW)
    assert sorted(advisories) == ["SIMULATED-SA-00003", "SIMULATED-SA-00010", "SIMULATED-SA-00020"]


@pytest.mark.parametrize("ca", Ca)
def test_what_is_revoked_is_refused(ca: Ca) -> None:
    platform = SoftwarePlatform(ca=ca)
    good, quote = Collateral.of(platform, ISSUED), SoftwareTd(platform=platform).quote(DATA)
    assert verdict(quote, good, NOW) == ("UpToDate", [])
    for bad in (good.revoking_pck(platform), good.revoking_pck_ca(), good.revoking_tcb_signer()):
        with pytest.raises(ValueError, match="CertRevoked"):
            verdict(quote, bad, NOW)
    assert verdict(quote, good.revoking_pck(SoftwarePlatform(secret=b"another", ca=ca)), NOW)[0] == "UpToDate"


LATER = NOW + timedelta(days=1)
BEFORE = NOW - timedelta(minutes=1)
OTHER_SIGNER = IntelCa().with_tcb_signing(not_after=BEFORE)
UNFIT = {
    "TCB info has ended": (GOOD.with_tcb_info(next_update=BEFORE), "TCBInfo expired"),
    "TCB info is of the future": (GOOD.with_tcb_info(issue_date=LATER), "TCBInfo issue date"),
    "TCB info of other machines": (GOOD.with_tcb_info(fmspc=bytes(6)), "Fmspc mismatch"),
    "QE identity has ended": (GOOD.with_qe_identity(next_update=BEFORE), "QE Identity expired"),
    "QE identity of another enclave": (GOOD.with_qe_identity(mrsigner=bytes(32)), "QE MRSIGNER mismatch"),
    "root's list has ended": (GOOD.with_root_crl(lifetime=timedelta(minutes=1)), "CrlExpired"),
    "PCK CA's list has ended": (GOOD.with_pck_crl(lifetime=timedelta(minutes=1)), "CrlExpired"),
    "another's list": (GOOD.with_pck_crl(signed_by=checked_in_intel_keys().processor), "InvalidCrlSignature"),
    "TCB signer has ended": (replace(GOOD, authorities=OTHER_SIGNER), "CertExpired"),
    "TCB info of SGX": (GOOD.rewriting_tcb_info(b'"id":"TDX"', b'"id":"SGX"'), "non-TDX TCB info"),
    "QE identity of SGX": (GOOD.rewriting_qe_identity(b'"TD_QE"', b'"QE"'), "Unsupported QE Identity id"),
    "signed by another": (GOOD.signing(signed_by=checked_in_intel_keys().root), "Signature is invalid for tcb_info"),
    "not signed": (GOOD.signing(signature=bytes(64)), "Signature is invalid for tcb_info"),
    "an attacker's": (replace(GOOD, authorities=IntelCa(generate_intel_keys())), "InvalidSignature"),
}


@pytest.mark.parametrize(("collateral", "why"), UNFIT.values(), ids=UNFIT)
def test_unfit_collateral_is_refused(collateral: Collateral, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        verdict(TD.quote(DATA), collateral, NOW)


def test_any_bytes_can_be_signed() -> None:
    changed = GOOD.rewriting_tcb_info(b'"pcesvn":13', b'"pcesvn":13.0').rewriting_tcb_info(
        b'"version":3', b'"version":4'
    )
    signed = read_signed(changed.tcb_info_response, "tcbInfo")
    assert signed.body == changed.tcb_info_body
    assert b'"pcesvn":13.0' in signed.body
    assert b'"version":4' in signed.body
    key = checked_in_intel_keys().tcb_signing.public_key()
    key.verify(signature_der(signed.signature), signed.body, ec.ECDSA(SHA256()))
    for rewrite in (GOOD.rewriting_tcb_info, GOOD.rewriting_qe_identity):
        with pytest.raises(ValueError, match="expected b'nowhere' in what is signed"):
            rewrite(b"nowhere", b"")


def test_changes_of_a_list_add_up() -> None:
    got = read_crl(GOOD.revoking_pck(PLATFORM).with_pck_crl(lifetime=timedelta(days=1)).pck_crl)
    assert got.serials == {PLATFORM.pck_serial}
    assert got.next_update == ISSUED + timedelta(days=1)
    assert read_crl(GOOD.revoking_pck_ca().root_crl).serials == {GOOD.authorities.serial("platform")}


def test_the_files_are_in_intels_forms() -> None:
    files = GOOD.files
    assert read_tcb_info(read_signed(files["simulated-tcb-info.json"], "tcbInfo").body) == GOOD.tcb_info
    assert read_pem(files["simulated-tcb-signing.pem"])[1:] == read_pem(files["simulated-intel-root.pem"])
    assert {name for name in files if name.endswith(".crl")} == {
        "simulated-intel-root.crl",
        "simulated-pck-platform.crl",
    }
    assert all("simulated" in name for name in files)


def test_it_says_that_it_is_simulated() -> None:
    assert "SIMULATED" in repr(GOOD)
