"""AMD's revocation lists read at once: as the strict reader reads them, or not at all."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.formats.at_once import agree, changes

from cvmproof_formats.snp.crl_pattern import read_at_once
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.x509 import CRL_NUMBER, read_crl
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.rsa_pss import Pss

CA = AmdCa(ProductLine.GENOA)
ISSUED = datetime(2026, 11, 1, tzinfo=UTC)
UNUSUAL = {
    "somebody is revoked": CA.crl(ISSUED, revoked=(0x20002,)),
    "no next one": CA.crl(ISSUED, lifetime=None),
    "a high number": CA.crl(ISSUED, number=128),
    "no number": CA.crl(ISSUED, drop=(CRL_NUMBER,)),
    "another issuer": CA.crl(ISSUED, issuer="ARK-Genou"),
    "another salt": CA.crl(ISSUED, form=Pss(salt=32)),
    "before 2000": CA.crl(datetime(1999, 11, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("product", ProductLine)
def test_amds_lists_are_read_at_once_and_as_the_strict_reader_does(product: ProductLine) -> None:
    for trailer_field in (False, True):
        data = AmdCa(product).crl(ISSUED, form=Pss(trailer_field=trailer_field))
        assert agree(read_at_once, read_crl, data)


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_lists_are_left_to_the_strict_reader(name: str) -> None:
    assert not agree(read_at_once, read_crl, UNUSUAL[name])


def test_no_change_is_taken_at_once_that_the_strict_reader_refuses_or_reads_otherwise() -> None:
    taken = sum(agree(read_at_once, read_crl, changed) for changed in changes(CA.crl(ISSUED)))
    assert taken > 100  # other dates, numbers and signatures are still lists


def test_the_recorded_list_is_read_at_once(recorded: Path) -> None:
    assert agree(read_at_once, read_crl, (recorded / "snp" / "crl" / "ark_milan_2023.crl.der").read_bytes())
