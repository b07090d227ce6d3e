"""Certification data: type 6 with type 5 inside, to the byte, and every other type refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.tdx.quotes import CERTIFICATES, CHAIN, QE_REPORT, QE_SIGNATURE, certification, patched

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.certification_data import (
    CertificationType,
    build_qe_certification,
    read_pck_chain,
    read_qe_certification,
)

PEM = CHAIN.removesuffix(b"\0")
REASONS = {
    1: "a platform's name, not its certificate",
    2: "a platform's encrypted name, not its certificate",
    3: "a platform's encrypted name, not its certificate",
    4: "a PCK certificate without its chain",
    7: "a platform manifest, not a certificate",
}


def refused(data: bytes, message: str, category: Category = Category.MALFORMED) -> None:
    with pytest.raises(Malformed, match=message) as caught:
        read_qe_certification(data)
    assert caught.value.category is category


@given(authentication_data=st.binary(max_size=100), chain=st.binary(max_size=200))
def test_what_is_built_is_read(authentication_data: bytes, chain: bytes) -> None:
    found = read_qe_certification(certification(authentication_data=authentication_data, chain=chain))
    assert (found.signed, found.report, found.signature) == (QE_REPORT.build(), QE_REPORT, QE_SIGNATURE)
    assert (found.authentication_data, found.pck_chain) == (authentication_data, chain)


@given(st.binary(max_size=700))
def test_any_bytes_are_certification_data_or_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_qe_certification(data)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 7, 8, 0x0106, 0xFFFF])
def test_ac_034_another_outer_type_is_unsupported(number: int) -> None:
    reason = {5: "a chain of PCK certificates", **REASONS}.get(number)
    named = rf"{number} \({reason}\)" if reason else f"{number}"
    refused(
        certification(outer_type=number),
        rf"certification data: type: expected 6 \(a QE report\), got {named}\Z",
        Category.UNSUPPORTED,
    )


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 6, 7, 8, 0x0105, 0xFFFF])
def test_ac_034_another_inner_type_is_unsupported(number: int) -> None:
    reason = {6: "a QE report", **REASONS}.get(number)
    named = rf"{number} \({reason}\)" if reason else f"{number}"
    refused(
        certification(inner_type=number),
        rf"of the QE report: type: expected 5 \(a chain of PCK certificates\), got {named}\Z",
        Category.UNSUPPORTED,
    )


def test_all_types_are_known_by_their_numbers() -> None:
    assert [kind.value for kind in CertificationType] == [1, 2, 3, 4, 5, 6, 7]


def test_certification_data_cut_at_any_length_is_malformed() -> None:
    data = certification()
    for length in range(len(data)):
        refused(data[:length], "expected")


def test_certification_data_with_anything_behind_it_is_malformed() -> None:
    for behind in (b"\0", b"\1", bytes(100)):
        refused(certification() + behind, f"certification data: expected its end at offset .*, got {len(behind)} more")


def test_slack_inside_is_malformed() -> None:
    # One byte more in the outer size than the inner one accounts for.
    data = certification()
    longer = patched(data + b"\0", 2, (len(data) - 6 + 1).to_bytes(4, "little"))
    refused(longer, "certification data of the QE report: expected its end at offset .*, got 1 more")


@pytest.mark.parametrize("offset", [20, 47, 96, 127, 160, 255, 260, 319])
def test_reserved_bytes_of_the_qe_report_are_zero(offset: int) -> None:
    refused(patched(certification(), 6 + offset, b"\1"), f"QE report: reserved byte at {offset:#x}")


def test_the_report_is_kept_as_received() -> None:
    data = certification()
    assert read_qe_certification(data).signed == data[6:390]


@pytest.mark.parametrize(
    ("report", "signature", "authentication_data", "message"),
    [
        (bytes(383), bytes(64), b"", "QE report: expected 384 bytes, got 383"),
        (bytes(384), bytes(65), b"", "signature of the QE report: expected 64 bytes, got 65"),
        (bytes(384), bytes(64), bytes(0x10000), "QE authentication data: expected at most 65535 bytes, got 65536"),
    ],
)
def test_what_is_built_has_its_lengths(
    report: bytes, signature: bytes, authentication_data: bytes, message: str
) -> None:
    with pytest.raises(Malformed, match=message):
        build_qe_certification(
            qe_report=report, signature=signature, authentication_data=authentication_data, pck_chain=b""
        )


def test_authentication_data_may_fill_its_length() -> None:
    full = bytes(0xFFFF)
    assert read_qe_certification(certification(authentication_data=full)).authentication_data == full


# --- the chain -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [PEM, PEM + b"\0", PEM.removesuffix(b"\n"), PEM.removesuffix(b"\n") + b"\0"])
def test_a_chain_is_pem_with_or_without_one_zero_byte_behind_it(text: bytes) -> None:
    assert read_pck_chain(text) == CERTIFICATES


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0",
        PEM + b"\0\0",
        PEM + b"\0\n",
        b"\0" + PEM,
        PEM.replace(b"\n", b"\r\n"),
        PEM + b"x",
        b"subject=x\n" + PEM,
        PEM + write_pem(b"\x30\x00", "EC PRIVATE KEY"),
        b"".join(CERTIFICATES),
        PEM[:-3],
    ],
)
def test_ac_056_a_chain_in_any_other_form_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed, match="PEM"):
        read_pck_chain(text)


def test_ac_054_a_chain_of_very_many_certificates_is_not_read() -> None:
    with pytest.raises(Malformed, match="expected 1 to 16") as caught:
        read_pck_chain(b"".join(write_pem(CERTIFICATES[0]) for _ in range(1000))[: 64 * 1024 // 64 * 59])
    assert caught.value.category is Category.SIZE_LIMIT
