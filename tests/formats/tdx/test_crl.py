"""Intel's revocation lists read at once: as the strict reader reads them, or not at all."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.formats.at_once import agree, changes

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx import crl
from cvmproof_formats.tdx.crl import read_intel_crl
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.x509 import read_crl
from cvmproof_simulator.tdx.ca import IntelCa

CA = IntelCa()
ISSUED = datetime(2026, 11, 1, tzinfo=UTC)
SERIALS = ((1 << 158) + 5, (1 << 159) + 6, (1 << 153) + 7)
LISTED = CA.pck_crl(Ca.PLATFORM, ISSUED, revoked=SERIALS)
SAMPLES = {
    "the root's": CA.root_crl(ISSUED),
    "the platform CA's": CA.pck_crl(Ca.PLATFORM, ISSUED),
    "the processor CA's": CA.pck_crl(Ca.PROCESSOR, ISSUED),
    "one entry": CA.pck_crl(Ca.PLATFORM, ISSUED, revoked=SERIALS[:1]),
    "three entries": LISTED,
    "57 entries": CA.pck_crl(Ca.PLATFORM, ISSUED, revoked=tuple((1 << 159) + number for number in range(57))),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_intels_lists_are_read_at_once_and_as_the_strict_reader_does(name: str) -> None:
    assert agree(crl._read_at_once, read_crl, SAMPLES[name])


def test_every_serial_is_there() -> None:
    assert read_intel_crl(LISTED).serials == frozenset(SERIALS)
    assert read_intel_crl(SAMPLES["the root's"]).serials == frozenset()


@pytest.mark.parametrize("name", ["the root's", "three entries"])
def test_no_change_is_taken_at_once_that_the_strict_reader_refuses_or_reads_otherwise(name: str) -> None:
    taken = sum(agree(crl._read_at_once, read_crl, changed) for changed in changes(SAMPLES[name]))
    assert taken > 100  # other serial numbers and signatures are still lists


@pytest.mark.parametrize("serial", [5, 1 << 150, 1])
def test_short_serials_are_read_all_the_same(serial: int) -> None:
    data = CA.pck_crl(Ca.PLATFORM, ISSUED, revoked=(*SERIALS, serial))
    assert crl._read_at_once(data) is None
    assert read_intel_crl(data).serials == frozenset((*SERIALS, serial))


def test_a_date_of_an_entry_that_does_not_exist_is_malformed() -> None:
    start = LISTED.rindex(b"\x17\x0d") + 2
    assert LISTED[start : start + 2] == b"26"
    for month in (b"13", b"00"):
        changed = LISTED[: start + 2] + month + LISTED[start + 4 :]
        assert crl._read_at_once(changed) is None
        with pytest.raises(Malformed, match="revocation date"):
            read_intel_crl(changed)


def test_a_list_that_could_be_cut_apart_in_many_ways_is_soon_refused() -> None:
    at = LISTED.index(b"\x02\x15\x00") - 2
    assert crl._read_at_once(LISTED[:at] + b"\x30\x34" * 20000) is None


def test_every_recorded_list_is_read_at_once(recorded: Path) -> None:
    found = [path.read_bytes() for path in (recorded / "tdx" / "collateral" / "crl").glob("*.der")]
    assert len(found) > 40
    assert all(agree(crl._read_at_once, read_crl, data) for data in found)
