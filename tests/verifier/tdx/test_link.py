"""Who signed what: certificates, revocation lists and signed JSON, in words that say what is wrong."""

from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from tests.verifier.tdx.situation import ATTACKER, ISSUED, STRANGER, ListChanges, Situation, assert_refused

from cvmproof.signature import load_p256_key, verify_p256_der
from cvmproof.tdx import link
from cvmproof.tdx.link import (
    crl_problem,
    examine_crl,
    link_problem,
    link_problem_once,
    require_signature,
    signature_problem,
    signed_problem,
)
from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.hierarchy import ECDSA_SHA256, Ca
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.x509 import AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER, KEY_USAGE, Extension, KeyUsage, read_certificate
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.ecdsa import sign_der

GOOD = Situation()
LEAF, AUTHORITY, ROOT = (read_certificate(certificate) for certificate in GOOD.certificates)
MESSAGE = b"what is signed"
ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)  # SEC 2, secp256r1, n


def test_each_certificate_is_linked_to_the_one_above_and_to_no_other() -> None:
    certificates = (LEAF, AUTHORITY, ROOT)
    above = {LEAF: AUTHORITY, AUTHORITY: ROOT, ROOT: ROOT}
    for subject in certificates:
        for issuer in certificates:
            assert (link_problem(issuer, subject) == "") is (above[subject] is issuer)


def test_a_link_needs_name_algorithm_and_signature_in_this_order() -> None:
    assert link_problem(LEAF, AUTHORITY) == "its issuer is another name than the next certificate's subject"
    strangers = read_certificate(IntelCa(ATTACKER).root)
    assert link_problem(strangers, AUTHORITY) == "its signature is not the issuer's"
    other = read_certificate(GOOD.platform.pck(algorithm=der.sequence(der.oid("1.2.840.10045.4.3.3"))))
    assert link_problem(AUTHORITY, other) == "not signed with ECDSA and SHA-256"


def test_a_signature_is_of_one_key_over_one_message() -> None:
    spki, signature = spki_of(STRANGER), sign_der(STRANGER, MESSAGE)
    assert signature_problem(spki, ECDSA_SHA256, signature, MESSAGE) == ""
    assert signature_problem(spki, ECDSA_SHA256, signature, MESSAGE + b".") == "its signature is not the issuer's"
    assert signature_problem(ROOT.spki, ECDSA_SHA256, signature, MESSAGE) == "its signature is not the issuer's"
    assert signature_problem(spki, b"", signature, MESSAGE) == "not signed with ECDSA and SHA-256"
    larger = spki_of(derive_key(b"larger", curve="P-384"))
    assert signature_problem(larger, ECDSA_SHA256, signature, MESSAGE) == "public key: expected ECDSA on P-256"
    assert "expected at most" in signature_problem(spki, ECDSA_SHA256, signature[:-1], MESSAGE)


def written_otherwise(r: int, s: int) -> dict[str, bytes]:
    """The same two numbers, in every form but DER that a lax reader might take."""
    first, second = der.integer(r), der.integer(s)
    size = len(first) + len(second)
    padded = bytes((der.INTEGER, 1 + first[1], 0)) + first[2:]
    return {
        "length in one byte more": b"\x30\x81" + bytes([size]) + first + second,
        "length in two bytes more": b"\x30\x82\0" + bytes([size]) + first + second,
        "length left open": b"\x30\x80" + first + second + bytes(2),
        "a number behind zeros": der.sequence(padded, second),
        "length of a number in one byte more": der.sequence(first[:1] + b"\x81" + first[1:], second),
        "a byte behind it": der.sequence(first, second) + b"\0",
        "a byte inside behind it": der.sequence(first, second, b"\0"),
        "a third number": der.sequence(first, second, der.integer(1)),
        "a set": der.set_of(first, second),
        "negative": der.sequence(der.integer(r - (1 << 256)), second),
        "r || s": r.to_bytes(32, "big") + s.to_bytes(32, "big"),
    }


@pytest.mark.parametrize("form", written_otherwise(1, 1))
def test_a_signature_that_holds_is_refused_in_any_form_but_der(form: str) -> None:
    signature = sign_der(STRANGER, MESSAGE)
    numbers = decode_dss_signature(signature)
    assert signature_problem(spki_of(STRANGER), ECDSA_SHA256, der.sequence(*map(der.integer, numbers)), MESSAGE) == ""
    other = written_otherwise(*numbers)[form]
    with pytest.raises(InvalidSignature):
        verify_p256_der(load_p256_key(spki_of(STRANGER)), other, MESSAGE)
    problem = signature_problem(spki_of(STRANGER), ECDSA_SHA256, other, MESSAGE)
    assert problem.startswith(("signature", "DER"))


@pytest.mark.parametrize(("r", "s"), [(1, 1), (0, 0), (ORDER, 1), ((1 << 256) - 1, (1 << 256) - 1)])
def test_two_numbers_of_up_to_32_bytes_are_a_signature(r: int, s: int) -> None:
    require_signature(der.sequence(der.integer(r), der.integer(s)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (der.sequence(der.integer(1 << 256), der.integer(1)), "signature: expected two numbers of 32 bytes"),
        (der.sequence(der.integer(1), der.integer(1 << 256)), "signature: expected two numbers of 32 bytes"),
        (der.sequence(der.integer(1)), "DER at offset 5: expected an element"),
        (der.sequence(der.integer(1), der.integer(1), der.integer(1)), "signature: expected 3 bytes, got 3 more"),
        (der.sequence(der.integer(1), der.integer(1)) + b"\0", "signature: expected 8 bytes, got 1 more"),
        (der.integer(1), "signature at offset 0: expected tag 0x30, got 0x02"),
        (der.sequence(der.octet_string(b"\1"), der.integer(1)), "signature at offset 2: expected tag 0x02, got 0x04"),
        (der.sequence(der.integer(1), der.octet_string(b"\1")), "signature at offset 5: expected tag 0x02, got 0x04"),
        (der.sequence(b"\2\1\xff", der.integer(1)), "signature: expected a non-negative INTEGER"),
        (der.sequence(der.integer(1), b"\2\1\xff"), "signature: expected a non-negative INTEGER"),
        (b"", "DER at offset 0: expected an element"),
    ],
)
def test_what_is_not_exactly_two_small_positive_numbers_is_no_signature(data: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=f"^{words}"):
        require_signature(data)


@pytest.mark.parametrize("first", [0x11, 0xEE])
def test_two_numbers_of_32_bytes_are_a_signature_under_their_own_length_only(first: int) -> None:
    number = der.integer(int.from_bytes(bytes([first]) * 32, "big"))
    signature = der.sequence(number, number)
    require_signature(signature)
    for length in set(range(256)) - {signature[1]}:
        with pytest.raises(Malformed, match=r"signature|DER at offset"):
            require_signature(signature[:1] + bytes([length]) + signature[2:])


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER)])
def test_ac_008_numbers_outside_of_the_curves_order_sign_nothing(r: int, s: int) -> None:
    signature = der.sequence(der.integer(r), der.integer(s))
    assert signature_problem(spki_of(STRANGER), ECDSA_SHA256, signature, MESSAGE) == "its signature is not the issuer's"


def test_signed_json_is_of_one_key_over_exactly_its_bytes() -> None:
    signed, spki = GOOD.signed_tcb_info, read_certificate(GOOD.authorities.tcb_signing).spki
    assert signed_problem(signed, spki) == ""
    for other in (
        Signed(body=signed.body + b" ", signature=signed.signature),
        Signed(body=signed.body, signature=GOOD.signed_qe_identity.signature),
        Signed(body=signed.body, signature=bytes(64)),
    ):
        assert signed_problem(other, spki) == "its signature is not the signing key's"
    assert signed_problem(signed, spki_of(STRANGER)) == "its signature is not the signing key's"
    larger = spki_of(derive_key(b"larger", curve="P-384"))
    assert signed_problem(signed, larger) == "public key: expected ECDSA on P-256"
    assert signed_problem(signed, b"") != ""


def test_ac_052_tcb_info_written_anew_is_not_what_was_signed() -> None:
    signed = GOOD.signed_tcb_info
    spaced = Signed(body=signed.body.replace(b",", b", "), signature=signed.signature)
    assert signed_problem(spaced, read_certificate(GOOD.authorities.tcb_signing).spki) != ""


# --- revocation lists -------------------------------------------------------------------------------------------------

CRITICAL = Extension(oid="2.5.29.28", value=der.sequence(), critical=True)  # issuing distribution point
LISTS: dict[str, tuple[ListChanges, str]] = {
    "as Intel's": ({}, ""),
    "without a number": ({"drop": (CRL_NUMBER,)}, ""),
    "without the key's identifier": ({"drop": (AUTHORITY_KEY_IDENTIFIER,)}, ""),
    "a critical extension": ({"add": (CRITICAL,)}, "critical extension 2.5.29.28"),
    "no end": ({"lifetime": None}, "it does not say when the next one comes"),
    "another's name": ({"issuer": "Intel SGX PCK Processor CA"}, "its issuer is another name than the authority's"),
    "another's key": ({"signed_by": STRANGER}, "its signature is not the issuer's"),
    "another algorithm": (
        {"algorithm": der.sequence(der.oid("1.2.840.10045.4.3.3"))},
        "not signed with ECDSA and SHA-256",
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_ac_019_a_list_is_its_authoritys_and_as_intel_makes_them_or_says_why_not(name: str) -> None:
    changes, problem = LISTS[name]
    lists = replace(GOOD, root_crl=changes), replace(GOOD, pck_crl=changes)
    assert crl_problem(lists[0].roots_list, ROOT) == crl_problem(lists[1].pck_list, AUTHORITY) == problem
    examined = examine_crl(lists[0].roots_list, ROOT)
    assert (examined.problem, examined.crl is None) == (problem, False)


@pytest.mark.parametrize("data", [b"", b"junk", GOOD.roots_list[:-1], GOOD.roots_list + b"\0", GOOD.certificates[2]])
def test_a_list_that_can_not_be_read_says_so(data: bytes) -> None:
    examined = examine_crl(data, ROOT)
    assert examined.crl is None
    assert examined.problem == crl_problem(data, ROOT) != ""


@pytest.mark.parametrize("usage", [KeyUsage(key_cert_sign=True), KeyUsage(digital_signature=True)])
def test_ac_019_an_authority_that_may_not_sign_lists_has_none(usage: KeyUsage) -> None:
    root = read_certificate(IntelCa().with_root(key_usage=usage).root)
    assert crl_problem(GOOD.roots_list, root) == "the authority's key usage lacks cRLSign"
    bare = read_certificate(IntelCa().with_root(drop=("2.5.29.15",)).root)
    assert crl_problem(GOOD.roots_list, bare) == "the authority's key usage lacks cRLSign"


def test_an_authority_whose_key_usage_can_not_be_read_has_no_list() -> None:
    broken = Extension(oid=KEY_USAGE, value=b"\5", critical=True)
    root = read_certificate(IntelCa().with_root(replace=(broken,)).root)
    assert "DER" in crl_problem(GOOD.roots_list, root)


def test_ac_037_the_list_of_the_other_ca_is_none_of_this_one() -> None:
    other = IntelCa().pck_crl(Ca.PROCESSOR, ISSUED)
    assert "another name" in crl_problem(other, AUTHORITY)
    assert crl_problem(other, read_certificate(IntelCa().processor)) == ""
    named_alike = IntelCa().pck_crl(Ca.PROCESSOR, ISSUED, issuer="Intel SGX PCK Platform CA")
    assert crl_problem(named_alike, AUTHORITY) == "its signature is not the issuer's"


def test_a_list_alone_that_is_not_the_roots_is_refused() -> None:
    for name in ("a critical extension", "no end", "another's key"):
        changes, _ = LISTS[name]
        appraisal = replace(GOOD, root_crl=changes).appraise()
        assert "tdx.root_crl.signature" in [check.id for check in appraisal.failed]
    assert_refused(replace(GOOD, root_crl={"signed_by": STRANGER}), Category.CHAIN, "tdx.root_crl.signature")


# --- what is remembered: AC-091 ---------------------------------------------------------------------------------------


def test_ac_091_a_failed_link_is_not_remembered_as_a_good_one_nor_the_reverse() -> None:
    forged = read_certificate(GOOD.platform.pck(signed_by=STRANGER))
    for _ in range(2):
        assert link_problem_once(AUTHORITY, LEAF) == link_problem(AUTHORITY, LEAF) == ""
        assert link_problem_once(AUTHORITY, forged) == link_problem(AUTHORITY, forged) != ""
        assert crl_problem(GOOD.roots_list, ROOT) == ""
        assert crl_problem(GOOD.roots_list, read_certificate(IntelCa(ATTACKER).root)) != ""


def test_ac_091_everything_remembered_is_bounded() -> None:
    for function in (link.link_problem_once, link.signed_problem_once, link.lists_of, link.read_crl_once):
        maximum = function.cache_parameters()["maxsize"]
        assert maximum is not None
        assert maximum <= 1024
