"""The SIMULATED secure processor: reports that verify, and every kind that does not."""

import logging
from dataclasses import replace
from typing import get_type_hints

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import KeyKind, ProductLine, part_of_cpuid
from cvmproof_formats.snp.report import REPORT_SIZE, SIGNED, AttestationReport, read_report
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.keys import checked_in_keys
from cvmproof_simulator.psp import P384_ORDER, PLATFORMS, ReportFields, SoftwarePsp, derive_key, ecdsa, spki_of

DATA = bytes(range(64))
GENOA = SoftwarePsp(ProductLine.GENOA)
EVERY = [SoftwarePsp(product, kind, version) for product in ProductLine for kind in KeyKind for version in (2, 3, 4, 5)]
OLDER = Tcb(boot_loader=9, tee=0, snp=20, microcode=70)


def verify(vek: bytes, report: bytes) -> None:
    key = load_der_public_key(read_certificate(vek).spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    got = AttestationReport.parse(report)
    r, s = (int.from_bytes(part, "little") for part in (got.signature_r, got.signature_s))
    key.verify(encode_dss_signature(r, s), report[SIGNED], ec.ECDSA(SHA384()))


@pytest.mark.parametrize("psp", EVERY, ids=repr)
def test_a_report_is_well_formed_says_what_it_was_told_and_verifies(psp: SoftwarePsp) -> None:
    report = psp.report(DATA)
    got = read_report(report)
    assert len(report) == REPORT_SIZE
    assert (got.version, got.signing_key, got.report_data) == (psp.version, psp.key, DATA)
    assert Tcb.read(got.reported_tcb, psp.product) == psp.reported_tcb
    assert got.reported_tcb == got.current_tcb == got.committed_tcb == got.launch_tcb
    verify(psp.vek(), report)
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify(psp.vek(), psp.report(bytes(64))[:0x2A0] + report[0x2A0:])


@pytest.mark.parametrize("psp", EVERY, ids=repr)
def test_the_endorsement_certificate_fits_the_report(psp: SoftwarePsp) -> None:
    got = read_report(psp.report(DATA))
    identity = read_vek(read_certificate(psp.vek()).extensions)
    assert identity == psp.identity
    assert (identity.product, identity.kind, identity.tcb) == (psp.product, psp.key, psp.reported_tcb)
    if psp.key is KeyKind.VCEK:
        assert identity.hwid is not None
        assert got.chip_id == identity.hwid.ljust(64, b"\0")
        assert any(identity.hwid)
    else:
        assert got.chip_id == bytes(64)
        assert identity.csp_id == psp.csp_id


@pytest.mark.parametrize("product", ProductLine)
def test_fields_come_with_the_version_that_has_them(product: ProductLine) -> None:
    by_version = {version: SoftwarePsp(product).fields(DATA, version=version) for version in (2, 3, 4, 5)}
    for version, report in by_version.items():
        cpuid = (report.cpuid_family, report.cpuid_model, report.cpuid_stepping)
        assert any(cpuid) is (version >= 3)
        assert (report.launch_mit_vector != 0) is (report.current_mit_vector != 0) is (version >= 5)
        assert report.platform_info == (0x25 if version >= 3 else 0x01)
        if version >= 3:
            assert part_of_cpuid(*cpuid).product is product


def test_the_same_arguments_give_the_same_bytes() -> None:
    first = (GENOA.report(DATA), GENOA.vek())
    derive_key.cache_clear()
    assert (SoftwarePsp(ProductLine.GENOA).report(DATA), GENOA.vek()) == first


@pytest.mark.parametrize(
    "other",
    [
        replace(GENOA, tcb=OLDER),
        replace(GENOA, chip_secret=b"another chip"),
        replace(GENOA, key=KeyKind.VLEK),
        replace(GENOA, key=KeyKind.VLEK, csp_id="CN=another provider"),
        SoftwarePsp(ProductLine.MILAN, tcb=GENOA.reported_tcb),
    ],
    ids=repr,
)
def test_another_chip_tcb_kind_provider_or_product_has_another_key(other: SoftwarePsp) -> None:
    assert spki_of(other.endorsement_key) != spki_of(GENOA.endorsement_key)
    verify(other.vek(), other.report(DATA))
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify(GENOA.vek(), other.report(DATA))


def test_a_vlek_belongs_to_the_provider_not_to_the_chip() -> None:
    vlek = replace(GENOA, key=KeyKind.VLEK)
    assert replace(vlek, chip_secret=b"another chip").vek() == vlek.vek()
    assert replace(vlek, csp_id="CN=another provider").vek() != vlek.vek()


def test_any_field_can_be_changed_before_signing() -> None:
    report = GENOA.report(DATA, policy=0xB0000, vmpl=0xFFFFFFFF, host_data=b"\1" * 32, current_build=7)
    got = AttestationReport.parse(report)
    assert (got.policy, got.vmpl, got.host_data, got.current_build) == (0xB0000, 0xFFFFFFFF, b"\1" * 32, 7)
    verify(GENOA.vek(), report)


def test_changing_the_version_changes_what_depends_on_it() -> None:
    assert read_report(GENOA.report(DATA, version=2)).cpuid_family == 0
    with pytest.raises(Malformed, match="version") as refused:
        read_report(GENOA.report(DATA, version=6))
    assert refused.value.category is Category.UNSUPPORTED


def test_a_field_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Malformed, match="report_data: expected 64 bytes, got 63"):
        GENOA.report(bytes(63))
    with pytest.raises(Malformed, match="ATTESTATION_REPORT"):
        GENOA.report(DATA, vmpl=1 << 32)


def test_every_field_but_report_data_and_signature_can_be_changed() -> None:
    set_otherwise = {"report_data", "signature_r", "signature_s"}
    places = {name for name, _ in AttestationReport.fields()}
    assert places - set_otherwise == set(get_type_hints(ReportFields))


def test_a_report_can_be_signed_by_another_key_or_not_at_all() -> None:
    forged = GENOA.report(DATA, signed_by=derive_key(b"attacker"))
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify(GENOA.vek(), forged)
    unsigned = GENOA.report(DATA, signature=(0, 0))
    assert unsigned[0x2A0:] == bytes(512)
    assert unsigned[SIGNED] == forged[SIGNED]
    assert read_report(GENOA.report(DATA, signature=(1 << 400, P384_ORDER))).signature_r == (1 << 400).to_bytes(
        72, "little"
    )


@pytest.mark.parametrize("psp", EVERY, ids=repr)
def test_s_is_in_its_lower_half(psp: SoftwarePsp) -> None:
    for seed in range(4):
        s = AttestationReport.parse(psp.report(bytes((seed,)) * 64)).signature_s
        assert 0 < int.from_bytes(s, "little") <= P384_ORDER // 2


def test_the_other_s_verifies_too() -> None:
    body = GENOA.report(DATA)[SIGNED]
    r, s = ecdsa(GENOA.endorsement_key, body)
    verify(GENOA.vek(), GENOA.report(DATA, signature=(r, P384_ORDER - s)))


def test_a_report_on_another_curve_can_be_made() -> None:
    key = derive_key(b"p-256", curve="P-256")
    report = GENOA.report(DATA, signed_by=key)
    verify(GENOA.vek(spki=spki_of(key)), report)


def test_authorities_can_be_an_attackers() -> None:
    attacker = replace(GENOA, ca=AmdCa(ProductLine.GENOA, checked_in_keys(ProductLine.TURIN)))
    assert attacker.identity == GENOA.identity
    assert attacker.report(DATA) == GENOA.report(DATA)
    assert not set(attacker.certificates()) & set(GENOA.certificates())


@pytest.mark.parametrize("product", ProductLine)
def test_defaults_meet_amd_sb_3023(product: ProductLine) -> None:
    floors = {
        ProductLine.MILAN: {"snp": 0x1B, "microcode": 0xDE},
        ProductLine.GENOA: {"snp": 0x1B, "microcode": 0x56},
        ProductLine.TURIN: {"snp": 0x04, "microcode": 0x51},
    }
    components = PLATFORMS[product].tcb.components()
    assert all(components[name] >= floor for name, floor in floors[product].items())


def test_it_says_that_it_is_simulated(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="cvmproof_simulator"):
        GENOA.report(DATA)
    assert all("SIMULATED" in record.getMessage() for record in caplog.records)
    assert caplog.records
    assert repr(GENOA) == "<SIMULATED PSP: Genoa, VCEK, report v5, bl10/tee0/snp27/ucode86>"
