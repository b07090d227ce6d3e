"""AMD's certificates read at once: as the strict reader reads them, or not at all."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.formats.at_once import agree, changes

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import certificates
from cvmproof_formats.snp.certificate_pattern import read_at_once
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.vek import CSP_ID, HWID, MICROCODE_SPL, PRODUCT_NAME, STRUCT_VERSION
from cvmproof_formats.x509 import (
    BASIC_CONSTRAINTS,
    CRL_DISTRIBUTION_POINTS,
    BasicConstraints,
    Extension,
    KeyUsage,
    read_certificate,
)
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.psp import SoftwarePsp
from cvmproof_simulator.rsa_pss import Pss

PSPS = {f"{kind} of {product}": SoftwarePsp(product, kind) for product in ProductLine for kind in KeyKind}
SAMPLES = {name: psp.vek() for name, psp in PSPS.items()} | {
    f"{name} of {product}": made
    for product in ProductLine
    for name, made in (("ASK", AmdCa(product).ask), ("ASVK", AmdCa(product).asvk))
}
VCEK, VLEK, CA = PSPS["VCEK of Genoa"], PSPS["VLEK of Turin"], AmdCa(ProductLine.GENOA)
LONG_POINTS = Extension(oid=CRL_DISTRIBUTION_POINTS, value=b"\x04\x7e" + bytes(126))
# What nobody but a tester makes; the strict reader takes some of it.
UNUSUAL = {
    "a root": CA.ark,
    "another name": VCEK.vek(common_name="SEV-VCEL"),
    "another organization": VCEK.vek(organization="Advanced Micro Device"),
    "a leaf with a serial number": VCEK.vek(serial=128),
    "an intermediate with another serial number": CA.with_ask(serial=5).ask,
    "until 2050": VCEK.vek(not_after=datetime(2050, 1, 1, tzinfo=UTC)),
    "from 1999 on": VCEK.vek(not_before=datetime(1999, 1, 1, tzinfo=UTC)),
    "version 1": VCEK.vek(version=1, drop=tuple(e.oid for e in read_certificate(VCEK.vek()).extensions)),
    "without a chip": VCEK.vek(drop=(HWID,)),
    "a chip and a provider": VCEK.vek(add=(Extension(oid=CSP_ID, value=der.ia5_string("CN=x")),)),
    "a structure version that is not its own": VCEK.vek(
        replace=(Extension(oid=STRUCT_VERSION, value=b"\x02\x01\x01"),)
    ),
    "a critical extension": VCEK.vek(critical=(PRODUCT_NAME,)),
    "an extension twice": VCEK.vek(add=(Extension(oid=HWID, value=bytes(64)),)),
    "a long provider": VLEK.vek(replace=(Extension(oid=CSP_ID, value=der.ia5_string("C" * 120)),)),
    "a long product name": VCEK.vek(replace=(Extension(oid=PRODUCT_NAME, value=der.ia5_string("Genoa" * 5)),)),
    "a level of three bytes": VCEK.vek(replace=(Extension(oid=MICROCODE_SPL, value=b"\x02\x03\x01\x00\x00"),)),
    "another salt": VCEK.vek(form=Pss(salt=32)),
    "another algorithm outside": VCEK.vek(outer_algorithm=der.sequence(der.oid("1.2.840.113549.1.1.12"), der.null())),
    "an RSA key": VCEK.vek(spki=read_certificate(CA.ask).spki),
    "an intermediate with a point": CA.with_ask(spki=read_certificate(VCEK.vek()).spki).ask,
    "another path length": CA.with_ask(path_length=1).ask,
    "no CA": CA.with_ask(replace=(BasicConstraints(ca=False).build(),)).ask,
    "without constraints": CA.with_ask(drop=(BASIC_CONSTRAINTS,)).ask,
    "another key usage": CA.with_ask(key_usage=KeyUsage(crl_sign=True)).ask,
    "a long CRL address": CA.with_ask(replace=(LONG_POINTS,)).ask,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_amds_certificates_are_read_at_once_and_as_the_strict_reader_does(name: str) -> None:
    assert agree(read_at_once, read_certificate, SAMPLES[name])


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_certificates_are_left_to_the_strict_reader(name: str) -> None:
    assert not agree(read_at_once, read_certificate, UNUSUAL[name])


@pytest.mark.parametrize("level", [0x00, 0x7F, 0x80, 0xFF])
def test_both_forms_of_a_patch_level_are_read_at_once(level: int) -> None:
    data = VCEK.vek(replace=(Extension(oid=MICROCODE_SPL, value=der.integer(level)),))
    assert agree(read_at_once, read_certificate, data)
    assert agree(read_at_once, read_certificate, VCEK.vek(form=Pss(trailer_field=True)))


@pytest.mark.parametrize("name", ["VCEK of Genoa", "VLEK of Turin", "ASK of Milan"])
def test_no_change_is_taken_at_once_that_the_strict_reader_refuses_or_reads_otherwise(name: str) -> None:
    taken = sum(agree(read_at_once, read_certificate, changed) for changed in changes(SAMPLES[name]))
    assert taken > 100  # other numbers in keys, dates and signatures are still certificates


def test_every_recorded_certificate_but_roots_is_read_at_once(recorded: Path) -> None:
    found: set[bytes] = set()
    for path in sorted((recorded / "snp").glob("*/*.der")):
        try:
            found.update(der_ for der_ in certificates(path.read_bytes()) if not _is_root(der_))
        except Malformed:
            continue
    taken = [agree(read_at_once, read_certificate, data) for data in found]
    assert (len(taken) > 30, taken.count(False)) == (True, 2)  # a chip identifier in an OCTET STRING, a changed name


def _is_root(data: bytes) -> bool:
    certificate = read_certificate(data)
    return certificate.subject == certificate.issuer
