"""Simulated evidence is what the verifier's formats read."""

from datetime import UTC, datetime

import pytest

from cvmproof_formats.binding import BindingKind, Role, Tee, nonce_report_data
from cvmproof_formats.errors import Malformed, Misuse
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.x509 import read_certificate, read_crl
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.psp import SoftwarePsp

PSP = SoftwarePsp(ProductLine.GENOA)
NONCE = bytes(range(32))


def test_it_is_bound_to_the_nonce() -> None:
    evidence = read_evidence(nonce_evidence(PSP, NONCE))
    assert (evidence.binding, evidence.nonce, evidence.certificates) == (BindingKind.NONCE, NONCE, ())
    expected = nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE)
    assert AttestationReport.parse(evidence.report).report_data == expected


def test_it_may_bring_its_certificates() -> None:
    assert read_evidence(nonce_evidence(PSP, NONCE, with_certificates=True)).certificates == PSP.certificates()


def test_a_nonce_of_another_length_is_refused() -> None:
    with pytest.raises(Misuse, match="nonce: expected exactly 32 bytes"):
        nonce_evidence(PSP, b"short")


def test_a_field_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Malformed, match="measurement"):
        nonce_evidence(PSP, NONCE, {"measurement": b"short"})


@pytest.mark.parametrize("key", KeyKind)
def test_its_collateral_is_three_certificates_and_a_list(key: KeyKind) -> None:
    files = collateral_files(SoftwarePsp(ProductLine.TURIN, key), datetime(2026, 9, 1, tzinfo=UTC))
    assert len(files) == 4
    for name, data in files.items():
        (read_crl if name.endswith(".crl") else read_certificate)(data)
        assert name.startswith("simulated-turin-")
