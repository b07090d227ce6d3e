"""Intel's certificates read at once: as the strict reader reads them, or not at all."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.formats.at_once import agree, changes, outcome

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx import certificate
from cvmproof_formats.tdx.certificate import read_intel_certificate
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.hierarchy import SGX_EXTENSIONS, Ca
from cvmproof_formats.tdx.quote import read_padded_quote
from cvmproof_formats.x509 import KEY_USAGE, Extension, KeyUsage, read_certificate
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.platform import SoftwarePlatform

CA = IntelCa()
PLATFORM, PROCESSOR = SoftwarePlatform(), SoftwarePlatform(ca=Ca.PROCESSOR)
LEAF = PLATFORM.certificates()[0]
SAMPLES = {
    "root": CA.root,
    "platform CA": CA.platform,
    "processor CA": CA.processor,
    "TCB signer": CA.tcb_signing,
    "PCK of a platform": LEAF,
    "PCK of a processor": PROCESSOR.certificates()[0],
}
# What nobody but a tester makes; the strict reader takes some of it.
UNUSUAL = {
    "another name": PLATFORM.certificates(common_name="Intel SGX PCK Certificat")[0],
    "another organization": PLATFORM.certificates(organization="Somebody")[0],
    "a short serial number": PLATFORM.certificates(serial=5)[0],
    "a serial number of 19 bytes": PLATFORM.certificates(serial=1 << 148)[0],
    "until 2050": PLATFORM.certificates(not_after=datetime(2050, 1, 1, tzinfo=UTC))[0],
    "from 1999 on": PLATFORM.certificates(not_before=datetime(1999, 1, 1, tzinfo=UTC))[0],
    "version 1": PLATFORM.certificates(version=1, drop=tuple(e.oid for e in read_certificate(LEAF).extensions))[0],
    "another key usage": PLATFORM.certificates(key_usage=KeyUsage(crl_sign=True))[0],
    "a key usage twice": PLATFORM.certificates(add=(KeyUsage(crl_sign=True, key_cert_sign=True).build(shortest=True),))[
        0
    ],
    "a CA": PLATFORM.certificates(ca=True)[0],
    "no extensions of SGX": PLATFORM.certificates(drop=(SGX_EXTENSIONS,))[0],
    "critical extensions of SGX": PLATFORM.certificates(critical=(SGX_EXTENSIONS,))[0],
    "another extension": PLATFORM.certificates(add=(Extension(oid="1.2.3", value=b"\x05\x00"),))[0],
    "another algorithm": PLATFORM.certificates(algorithm=der.sequence(der.oid("1.2.840.10045.4.3.3")))[0],
    "another algorithm outside": PLATFORM.certificates(outer_algorithm=der.sequence(der.oid("1.2.840.10045.4.3.3")))[0],
    "a short CRL address": PLATFORM.certificates(crl_uri="https://example.com")[0],
    "a long CRL address": PLATFORM.certificates(crl_uri="https://example.com/" + "a" * 100)[0],
    "without a key usage": PLATFORM.certificates(drop=(KEY_USAGE,))[0],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_intels_certificates_are_read_at_once_and_as_the_strict_reader_does(name: str) -> None:
    assert agree(certificate._read_at_once, read_certificate, SAMPLES[name])


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_certificates_are_read_as_the_strict_reader_does(name: str) -> None:
    data = UNUSUAL[name]
    agree(certificate._read_at_once, read_certificate, data)
    assert outcome(read_intel_certificate, data) == outcome(read_certificate, data)


@pytest.mark.parametrize("name", ["root", "TCB signer", "PCK of a platform", "PCK of a processor"])
def test_no_change_is_taken_at_once_that_the_strict_reader_refuses_or_reads_otherwise(name: str) -> None:
    data = SAMPLES[name]
    read_at_once = sum(agree(certificate._read_at_once, read_certificate, changed) for changed in changes(data))
    assert read_at_once > 100  # other numbers in keys, dates and signatures are still certificates


def test_every_recorded_certificate_is_read_at_once(recorded: Path) -> None:
    found = {path.read_bytes() for path in (recorded / "tdx" / "collateral" / "certs").glob("*.der")}
    for path in (recorded / "tdx" / "quotes").iterdir():
        try:
            found.update(read_pck_chain(read_padded_quote(path.read_bytes()).qe.pck_chain))
        except Malformed:
            continue
    assert len(found) > 40
    assert all(agree(certificate._read_at_once, read_certificate, data) for data in found)


def test_hours_are_counted_by_the_pattern() -> None:
    begin = LEAF.index(b"\x17\x0d") + 2
    for hour, taken in ((b"23", True), (b"24", False), (b"29", False)):
        changed = LEAF[: begin + 6] + hour + LEAF[begin + 8 :]
        assert agree(certificate._read_at_once, read_certificate, changed) is taken


def test_what_is_too_large_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(Malformed, match="expected at most 8192 bytes"):
        read_intel_certificate(LEAF + bytes(8192))
