from datetime import UTC, datetime

import pytest

from cvmproof_formats import der
from cvmproof_formats.x509 import AUTHORITY_KEY_IDENTIFIER, Extension
from cvmproof_simulator.issuing import authority_key, edited, years_later

ONE, TWO = Extension(oid="1.2.1", value=b"1"), Extension(oid="1.2.2", value=b"2")


def test_extensions_are_left_out_replaced_marked_and_added() -> None:
    other = Extension(oid="1.2.1", value=b"other")
    assert edited((ONE, TWO)) == (ONE, TWO)
    assert edited((ONE, TWO), drop=("1.2.1",)) == (TWO,)
    assert edited((ONE, TWO), put=(other,)) == (other, TWO)
    assert edited((ONE, TWO), critical=("1.2.2",))[1] == Extension(oid="1.2.2", value=b"2", critical=True)
    assert edited((ONE,), add=(ONE,)) == (ONE, ONE)


def test_the_issuers_key_is_named() -> None:
    assert authority_key(b"\1" * 20) == Extension(
        oid=AUTHORITY_KEY_IDENTIFIER, value=der.sequence(der.tlv(0x80, b"\1" * 20))
    )


@pytest.mark.parametrize(("start", "end"), [((2026, 1, 1), (2033, 1, 1)), ((2024, 2, 29), (2031, 2, 28))])
def test_a_certificate_lives_whole_years(start: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    assert years_later(datetime(*start, tzinfo=UTC), 7) == datetime(*end, tzinfo=UTC)
