"""The SIMULATED authorities: AMD's profile by default, anything else in one keyword argument."""

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_type_hints

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.hierarchy import SIMULATED_ORGANIZATION, build_name
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.vek import FMC_SPL, HWID, TEE_SPL, read_vek
from cvmproof_formats.x509 import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    PSS_SHA384,
    BasicConstraints,
    Certificate,
    CertificateList,
    Extension,
    KeyUsage,
    basic_constraints,
    common_name,
    key_usage,
    read_certificate,
    read_crl,
)
from cvmproof_simulator import keys
from cvmproof_simulator.ca import (
    AmdCa,
    CaChanges,
    CaProfile,
    CertificateChanges,
    CertificateProfile,
    ark_pins,
)
from cvmproof_simulator.issuing import issue, issue_crl
from cvmproof_simulator.keys import CaKeys, checked_in_keys
from cvmproof_simulator.psp import SoftwarePsp, derive_key, spki_of
from cvmproof_simulator.rsa_pss import Pkcs1, Pss, generate_key

GENOA = AmdCa(ProductLine.GENOA)
PSP = SoftwarePsp(ProductLine.GENOA)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
EVERY = [(product, kind) for product in ProductLine for kind in KeyKind]


def verify(issuer: bytes, subject: Certificate | CertificateList) -> None:
    key = load_der_public_key(read_certificate(issuer).spki)
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(subject.signature, subject.tbs, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384())


@pytest.mark.parametrize(("product", "kind"), EVERY)
def test_a_chain_has_amds_names_serials_flags_and_signatures(product: ProductLine, kind: KeyKind) -> None:
    leaf, intermediate, root = map(read_certificate, SoftwarePsp(product, kind).certificates())
    infix = "VLEK-" if kind is KeyKind.VLEK else ""
    assert [common_name(c.subject) for c in (leaf, intermediate, root)] == [
        f"SEV-{kind}",
        f"SEV-{infix}{product}",
        f"ARK-{product}",
    ]
    assert (leaf.issuer, intermediate.issuer, root.issuer) == (intermediate.subject, root.subject, root.subject)
    assert (leaf.serial, root.serial >> 16, leaf.version) == (0, intermediate.serial >> 16, 3)
    assert basic_constraints(root) == BasicConstraints(ca=True)
    assert basic_constraints(intermediate) == BasicConstraints(ca=True, path_length=0)
    assert basic_constraints(leaf) is None
    assert key_usage(root) == KeyUsage(key_cert_sign=True, crl_sign=True)
    assert key_usage(intermediate) == KeyUsage(key_cert_sign=True)
    assert {c.signature_algorithm for c in (leaf, intermediate, root)} == PSS_SHA384
    for issuer, subject in ((intermediate, leaf), (root, intermediate), (root, root)):
        verify(issuer.der, subject)
        assert SIMULATED_ORGANIZATION.encode() in subject.subject


REAL = {
    "ARK-Genoa_20000_4c6598d1": AmdCa(ProductLine.GENOA).ark,
    "SEV-Genoa_20002_5464738c": AmdCa(ProductLine.GENOA).ask,
    "SEV-VLEK-Genoa_20101_197e6107": AmdCa(ProductLine.GENOA).asvk,
    "ARK-Milan_10000_69d063b4": AmdCa(ProductLine.MILAN).ark,
    "SEV-Turin_30001_5b77ef5f": AmdCa(ProductLine.TURIN).ask,
    "SEV-VLEK-Turin_30101_104e10a8": AmdCa(ProductLine.TURIN).asvk,
}


@pytest.mark.parametrize("name", REAL)
def test_authorities_look_like_amds_but_for_key_organization_and_dates(name: str, recorded: Path) -> None:
    real = read_certificate((recorded / "snp" / "roots" / f"{name}.der").read_bytes())
    ours = read_certificate(REAL[name])
    assert ours.serial == real.serial
    assert ours.signature_algorithm == real.signature_algorithm
    assert [(e.oid, e.critical, len(e.value)) for e in ours.extensions] == [
        (e.oid, e.critical, len(e.value)) for e in real.extensions
    ]
    fixed = [e for e in real.extensions if e.oid in {BASIC_CONSTRAINTS, KEY_USAGE, "2.5.29.31"}]
    assert all(e in ours.extensions for e in fixed)
    for ours_name, real_name in ((ours.subject, real.subject), (ours.issuer, real.issuer)):
        assert build_name(common_name(ours_name)) == real_name


@pytest.mark.parametrize(("product", "kind"), EVERY)
def test_openssl_verifies_the_chain_and_refuses_an_attackers(
    product: ProductLine, kind: KeyKind, tool: Callable[[str], Path], tmp_path: Path
) -> None:
    psp = SoftwarePsp(product, kind)
    leaf, intermediate, root = psp.certificates()
    other = AmdCa(product, checked_in_keys(ProductLine.MILAN if product is ProductLine.GENOA else ProductLine.GENOA))
    at = str(int(datetime(2026, 7, 1, tzinfo=UTC).timestamp()))
    for name, data in (("leaf", leaf), ("intermediate", intermediate), ("root", root), ("other", other.ark)):
        (tmp_path / name).write_bytes(write_pem(data))
    command = [str(tool("openssl")), "verify", "-attime", at, "-untrusted", str(tmp_path / "intermediate")]
    for trusted, code in (("root", 0), ("other", 2)):
        done = subprocess.run(
            [*command, "-CAfile", str(tmp_path / trusted), str(tmp_path / "leaf")], capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr


def test_openssl_reads_the_crl(tool: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(write_pem(GENOA.ark))
    command = [str(tool("openssl")), "crl", "-inform", "DER", "-noout", "-CAfile", str(tmp_path / "root"), "-text"]
    done = subprocess.run(command, input=GENOA.crl(NOW, revoked=[0x20002]), capture_output=True, check=True)
    assert b"verify OK" in done.stderr
    assert b"Serial Number: 020002" in done.stdout


def test_the_same_arguments_give_the_same_bytes() -> None:
    first = (GENOA.ark, GENOA.ask, PSP.vek(), GENOA.crl(NOW))
    issue.cache_clear()
    issue_crl.cache_clear()
    assert (GENOA.ark, GENOA.ask, PSP.vek(), GENOA.crl(NOW)) == first


def test_ac11_an_attackers_chain_differs_in_its_keys_only() -> None:
    milan = checked_in_keys(ProductLine.MILAN)
    attacker = AmdCa(ProductLine.GENOA, CaKeys(ark=milan.asvk, ask=milan.ask, asvk=milan.ark))
    ours, theirs = read_certificate(GENOA.ark), read_certificate(attacker.ark)
    assert (theirs.subject, theirs.serial, theirs.not_after) == (ours.subject, ours.serial, ours.not_after)
    assert [e.oid for e in theirs.extensions] == [e.oid for e in ours.extensions]
    assert hashlib.sha256(ours.spki).digest() == ark_pins()[ProductLine.GENOA]
    assert hashlib.sha256(theirs.spki).digest() not in ark_pins().values()
    verify(attacker.ark, theirs)
    verify(attacker.ask, read_certificate(SoftwarePsp(ProductLine.GENOA, ca=attacker).vek()))


@pytest.mark.parametrize(
    ("ca", "expected"),
    [
        (GENOA.with_ask(ca=False), BasicConstraints(ca=False, path_length=0)),
        (GENOA.with_ask(path_length=None), BasicConstraints(ca=True)),
        (GENOA.with_ask(path_length=1), BasicConstraints(ca=True, path_length=1)),
        (GENOA.with_ask(drop=(BASIC_CONSTRAINTS,)), None),
    ],
)
def test_ac17_constraints_of_an_intermediate_can_be_anything(ca: AmdCa, expected: BasicConstraints | None) -> None:
    changed = read_certificate(ca.ask)
    assert basic_constraints(changed) == expected
    verify(ca.ark, changed)


def test_ac17_key_usage_of_an_authority_can_be_anything() -> None:
    assert key_usage(read_certificate(GENOA.with_ask(key_usage=None).ask)) is None
    crl_only = KeyUsage(crl_sign=True)
    assert key_usage(read_certificate(GENOA.with_ask(key_usage=crl_only).ask)) == crl_only
    assert key_usage(read_certificate(GENOA.with_ark(key_usage=KeyUsage(key_cert_sign=True)).ark)) == KeyUsage(
        key_cert_sign=True
    )


@pytest.mark.parametrize("form", [Pss(salt=20), Pss(digest="sha256", salt=32), Pkcs1()])
def test_ac17_another_signature_form_is_said_and_done_or_only_done(form: Pss | Pkcs1) -> None:
    said = read_certificate(GENOA.with_ask(form=form).ask)
    assert said.signature_algorithm not in PSS_SHA384
    hidden = read_certificate(GENOA.with_ask(form=replace(form, declared=Pss().algorithm)).ask)
    assert hidden.signature_algorithm in PSS_SHA384
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify(GENOA.ark, hidden)


def test_names_serials_dates_signers_and_versions_can_be_anything() -> None:
    key = checked_in_keys(ProductLine.MILAN).ark
    past = datetime(2025, 1, 1, tzinfo=UTC)
    ca = GENOA.with_asvk(common_name="SEV-Milan", issuer="ARK-Milan", serial=7, not_after=past, signed_by=key)
    changed = read_certificate(ca.asvk)
    assert (common_name(changed.subject), common_name(changed.issuer)) == ("SEV-Milan", "ARK-Milan")
    assert (changed.serial, changed.not_after) == (7, past)
    verify(AmdCa(ProductLine.MILAN).ark, changed)
    assert read_certificate(GENOA.with_ask(version=1, drop=tuple(oids(GENOA.ask))).ask).version == 1
    assert common_name(read_certificate(leaf_of(GENOA.with_ask(common_name="X"))).issuer) == "X"


def oids(data: bytes) -> list[str]:
    return [extension.oid for extension in read_certificate(data).extensions]


def leaf_of(ca: AmdCa) -> bytes:
    return SoftwarePsp(ca.product, ca=ca).vek()


def test_two_signature_algorithms_can_be_written() -> None:
    with pytest.raises(Malformed, match="inside and outside"):
        read_certificate(GENOA.with_ask(outer_algorithm=Pss().algorithm).ask)


def test_ac16_a_leaf_can_lack_repeat_add_or_replace_extensions() -> None:
    tee = Extension(oid=TEE_SPL, value=der.octet_string(b"\0"))
    for data, why in (
        (PSP.vek(drop=(TEE_SPL,)), "expected it"),
        (PSP.vek(replace=(tee,)), "expected tag 0x02"),
        (PSP.vek(add=(Extension(oid=FMC_SPL, value=der.integer(1)),)), "do not belong there"),
        (PSP.vek(critical=(HWID,)), "non-critical"),
    ):
        verify(GENOA.ask, read_certificate(data))
        with pytest.raises(Malformed, match=why):
            read_vek(read_certificate(data).extensions)
    with pytest.raises(Malformed, match="one twice"):
        read_certificate(PSP.vek(add=(tee,)))


def test_a_leaf_can_have_any_key_name_serial_dates_and_signer() -> None:
    p256 = spki_of(derive_key(b"another curve", curve="P-256"))
    start = datetime(2020, 2, 1, tzinfo=UTC)
    data = PSP.vek(
        spki=p256, common_name="SEV-VLEK", serial=5, not_before=start, signed_by=checked_in_keys(ProductLine.GENOA).asvk
    )
    leaf = read_certificate(data)
    assert (leaf.spki, common_name(leaf.subject), leaf.serial) == (p256, "SEV-VLEK", 5)
    assert (leaf.not_before, leaf.not_after) == (start, datetime(2027, 2, 1, tzinfo=UTC))
    verify(GENOA.asvk, leaf)


@pytest.mark.parametrize(
    ("kind", "end"),
    [(KeyKind.VCEK, datetime(2033, 1, 1, tzinfo=UTC)), (KeyKind.VLEK, datetime(2027, 6, 1, tzinfo=UTC))],
)
def test_leaves_live_as_long_as_amds(kind: KeyKind, end: datetime) -> None:
    leaf = read_certificate(SoftwarePsp(ProductLine.GENOA, kind).vek())
    assert leaf.not_before < NOW < leaf.not_after == end


def test_a_leaf_signed_on_leap_day_ends_the_day_before() -> None:
    leaf = read_certificate(PSP.vek(not_before=datetime(2024, 2, 29, 12, tzinfo=UTC)))
    assert leaf.not_after == datetime(2031, 2, 28, 12, tzinfo=UTC)


def test_a_crl_lists_what_it_is_told_and_is_signed_by_the_root() -> None:
    crl = read_crl(GENOA.crl(NOW, revoked=[0x20002, 5], number=9))
    assert crl.serials == {0x20002, 5}
    assert (crl.this_update, crl.next_update) == (NOW, NOW + timedelta(days=366))
    assert crl.issuer == read_certificate(GENOA.ark).subject
    assert crl.signature_algorithm == Pss().algorithm
    verify(GENOA.ark, crl)


def test_ac19_a_crl_can_have_any_signer_issuer_form_dates_and_extensions() -> None:
    milan = AmdCa(ProductLine.MILAN)
    forged = read_crl(GENOA.crl(NOW, signed_by=checked_in_keys(ProductLine.MILAN).ark, issuer="ARK-Milan"))
    assert forged.issuer == read_certificate(milan.ark).subject
    verify(milan.ark, forged)
    unknown = Extension(oid="2.5.29.28", value=b"", critical=True)
    odd = read_crl(GENOA.crl(NOW, lifetime=None, form=Pss(salt=20), drop=("2.5.29.35",), add=(unknown,)))
    assert (odd.next_update, [e.oid for e in odd.extensions]) == (None, ["2.5.29.20", "2.5.29.28"])
    assert odd.signature_algorithm not in PSS_SHA384
    assert read_crl(GENOA.crl(NOW, lifetime=timedelta(days=-1))).next_update == NOW - timedelta(days=1)


def test_every_field_of_a_profile_can_be_changed() -> None:
    assert get_type_hints(CertificateChanges) == get_type_hints(CertificateProfile)
    assert get_type_hints(CaChanges) == get_type_hints(CaProfile)
    assert {field.name for field in fields(CertificateProfile)} == CertificateChanges.__optional_keys__


def test_it_says_that_it_is_simulated() -> None:
    assert repr(GENOA) == "<SIMULATED AMD CA for Genoa>"


def test_generated_keys_are_an_attackers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "generate_key", lambda: generate_key(2048))  # RSA-4096 takes seconds
    attacker = AmdCa(ProductLine.GENOA, keys.generate_keys())
    assert attacker.ask != GENOA.ask
    verify(attacker.ark, read_certificate(attacker.ask))
