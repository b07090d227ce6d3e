import pytest

from cvmproof.collateral.spelled import CRL_LABEL, read_crls, read_one_crl, unspelled
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import write_pem

DER = b"\x30\x82\x01\x00" + bytes(256)
PEM = write_pem(DER, CRL_LABEL)
QUOTED = PEM.replace(b"\n", b"%0A").replace(b" ", b"%20").replace(b"+", b"%2B").replace(b"=", b"%3D")


@pytest.mark.parametrize(
    "data",
    [
        DER, PEM, DER.hex().encode(), DER.hex().upper().encode() + b"\n", PEM.hex().encode(),
        PEM.replace(b"\n", b"\r\n"), QUOTED, b"\n\n" + PEM,
    ],
    ids=["DER", "PEM", "hex", "HEX", "hex of PEM", "CRLF", "percent", "empty lines before PEM"],
)  # fmt: skip
def test_every_spelling_of_a_list_is_read(data: bytes) -> None:
    assert read_crls(data) == (DER,)
    assert read_one_crl(data) == DER


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"30", b"308", b"30820", b"0x3082", b"4d5a", b" \n", b"zz30", DER + b"\r\n", b"{}"]
)
def test_anything_else_stays_as_it_is(data: bytes) -> None:
    assert unspelled(data) == data


def test_only_one_spelling_is_taken_off() -> None:
    twice = DER.hex().encode().hex().encode()
    assert unspelled(twice) == twice  # its first two digits are those of no SEQUENCE


def test_a_plus_in_a_percent_encoded_chain_stays_a_plus() -> None:
    assert unspelled(b"-----BEGIN%20X-----%0Aab+c") == b"-----BEGIN X-----\nab+c"


def test_one_list_is_one() -> None:
    with pytest.raises(Malformed, match="expected one, got 2"):
        read_one_crl(PEM + PEM)
