"""The SIMULATED Intel authorities: Intel's profile by default, anything else in one keyword argument."""

import hashlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_type_hints

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import read_pem, write_pem
from cvmproof_formats.tdx import hierarchy
from cvmproof_formats.tdx.hierarchy import Ca, build_name
from cvmproof_formats.tdx.p256 import signature_der
from cvmproof_formats.tdx.pck import read_pck
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    CRL_DISTRIBUTION_POINTS,
    CRL_NUMBER,
    KEY_USAGE,
    SUBJECT_KEY_IDENTIFIER,
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
from cvmproof_simulator.issuing import issue, issue_crl
from cvmproof_simulator.keys.intel import checked_in_intel_keys, generate_intel_keys
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.ca import (
    SIMULATED_INTEL,
    CertificateChanges,
    CertificateProfile,
    IntelCa,
    intel_name,
    intel_root_pin,
)
from cvmproof_simulator.tdx.platform import SoftwarePlatform

CA = IntelCa()
PLATFORM = SoftwarePlatform()
PROCESSOR = SoftwarePlatform(ca=Ca.PROCESSOR)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
OTHER_KEY = derive_key(b"somebody else", curve="P-256")
# What stands for it in the trust set of simulated evidence.
PIN = "39ad5f7b941a1f97b5183eff14e2f4878c32bd97a7b6cf869d8787a7e6954fd2"


def verify(issuer: bytes, subject: Certificate | CertificateList) -> None:
    key = load_der_public_key(read_certificate(issuer).spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(subject.signature, subject.tbs, ec.ECDSA(SHA256()))


PROFILES = {
    "root": (CA.root, CA.root, hierarchy.ROOT),
    "platform": (CA.platform, CA.root, hierarchy.PLATFORM_CA),
    "processor": (CA.processor, CA.root, hierarchy.PROCESSOR_CA),
    "tcb_signing": (CA.tcb_signing, CA.root, hierarchy.TCB_SIGNING),
    "pck of the platform ca": (PLATFORM.pck(), CA.platform, hierarchy.PCK),
    "pck of the processor ca": (PROCESSOR.pck(), CA.processor, hierarchy.PCK),
}


@pytest.mark.parametrize(("data", "above", "profile"), PROFILES.values(), ids=PROFILES)
def test_a_certificate_fits_its_profile_and_verifies(data: bytes, above: bytes, profile: hierarchy.Profile) -> None:
    got, issuer = read_certificate(data), read_certificate(above)
    assert common_name(got.subject) == profile.subject
    assert got.issuer == issuer.subject
    assert (key_usage(got), basic_constraints(got)) == (profile.key_usage, profile.basic_constraints)
    assert tuple(extension.oid for extension in got.extensions) == profile.extensions
    assert got.signature_algorithm == hierarchy.ECDSA_SHA256
    points = got.extension(CRL_DISTRIBUTION_POINTS)
    assert points is not None
    uri = profile.crl_uris[profile.issuers.index(common_name(got.issuer))]
    assert points.value.endswith(uri.encode())
    assert SIMULATED_INTEL.encode() in got.subject
    verify(above, got)


REAL = {
    "root_2018_2049": CA.root,
    "pck_platform_ca": CA.platform,
    "pck_processor_ca": CA.processor,
    "tcb_signing_2025_2032": CA.tcb_signing,
}


@pytest.mark.parametrize("name", REAL)
def test_authorities_look_like_intels_but_for_key_organization_and_dates(name: str, recorded: Path) -> None:
    real = read_certificate((recorded / "tdx" / "collateral" / "certs" / f"{name}.der").read_bytes())
    ours = read_certificate(REAL[name])
    keys = {AUTHORITY_KEY_IDENTIFIER, SUBJECT_KEY_IDENTIFIER}
    assert [e for e in ours.extensions if e.oid not in keys] == [e for e in real.extensions if e.oid not in keys]
    assert [(e.oid, e.critical, len(e.value)) for e in ours.extensions] == [
        (e.oid, e.critical, len(e.value)) for e in real.extensions
    ]
    for got, wanted in ((ours.subject, real.subject), (ours.issuer, real.issuer)):
        assert intel_name(common_name(got), "Intel Corporation") == wanted
    for certificate in (ours, real):
        own = certificate.extension(SUBJECT_KEY_IDENTIFIER)
        assert own is not None
        assert int.from_bytes(own.value[2:], "big") == certificate.serial


def test_names_differ_from_intels_in_the_organization_only() -> None:
    assert intel_name(hierarchy.ROOT_NAME, "Intel Corporation") == build_name(hierarchy.ROOT_NAME)
    assert read_certificate(CA.root).subject == intel_name(hierarchy.ROOT_NAME) != build_name(hierarchy.ROOT_NAME)


@pytest.mark.parametrize("platform", [PLATFORM, PROCESSOR], ids=repr)
def test_a_pck_certificate_says_who_the_machine_is(platform: SoftwarePlatform) -> None:
    got = read_certificate(platform.pck())
    assert read_pck(got) == platform.identity
    assert got.spki == spki_of(platform.pck_key)
    assert got.not_after.year == got.not_before.year + 7


@pytest.mark.parametrize("platform", [PLATFORM, PROCESSOR], ids=repr)
def test_openssl_verifies_the_chain_and_refuses_an_attackers(
    platform: SoftwarePlatform, tool: Callable[[str], Path], tmp_path: Path
) -> None:
    leaf, intermediate, root = platform.certificates()
    other = IntelCa(generate_intel_keys()).root
    for name, data in (("leaf", leaf), ("intermediate", intermediate), ("root", root), ("other", other)):
        (tmp_path / name).write_bytes(write_pem(data))
    at = str(int(NOW.timestamp()))
    command = [str(tool("openssl")), "verify", "-attime", at, "-untrusted", str(tmp_path / "intermediate")]
    for trusted, code in (("root", 0), ("other", 2)):
        done = subprocess.run(
            [*command, "-CAfile", str(tmp_path / trusted), str(tmp_path / "leaf")], capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr


def test_the_same_arguments_give_the_same_bytes() -> None:
    def everything() -> tuple[bytes, ...]:
        return CA.root, CA.platform, CA.tcb_signing, PLATFORM.pck(), CA.root_crl(NOW), CA.sign(b"body")

    first = everything()
    issue.cache_clear()
    issue_crl.cache_clear()
    assert everything() == first


def test_the_pin_is_that_of_the_root() -> None:
    assert intel_root_pin().hex() == hashlib.sha256(read_certificate(CA.root).spki).hexdigest() == PIN


def test_every_field_of_the_profile_can_be_changed() -> None:
    assert get_type_hints(CertificateChanges).keys() == get_type_hints(CertificateProfile).keys()


def test_an_attacker_has_the_same_names_and_another_key() -> None:
    ours, theirs = (read_certificate(ca.root) for ca in (CA, IntelCa(generate_intel_keys())))
    assert ours.subject == theirs.subject
    assert ours.spki != theirs.spki
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify(theirs.der, read_certificate(CA.platform))


def changed(**changes: object) -> Certificate:
    return read_certificate(PLATFORM.pck(**changes))  # type: ignore[arg-type]  # a table of changes has no one type


def test_a_field_of_a_pck_certificate_is_one_argument() -> None:
    yesterday = NOW - timedelta(days=1)
    assert changed(not_after=yesterday).not_after == yesterday
    assert changed(serial=5).serial == 5
    assert common_name(changed(common_name="Somebody").subject) == "Somebody"
    assert common_name(changed(issuer=hierarchy.PROCESSOR_NAME).issuer) == hierarchy.PROCESSOR_NAME
    assert changed(spki=spki_of(OTHER_KEY)).spki == spki_of(OTHER_KEY)
    assert key_usage(changed(key_usage=KeyUsage(key_cert_sign=True))) == KeyUsage(key_cert_sign=True)
    assert basic_constraints(changed(ca=True, path_length=3)) == BasicConstraints(ca=True, path_length=3)
    assert changed(drop=(KEY_USAGE,)).extension(KEY_USAGE) is None
    foreign = Extension(oid="1.2.3", value=b"\5\0", critical=True)
    assert changed(add=(foreign,)).extensions[-1] == foreign
    points = changed(crl_uri="https://crl.example/").extension(CRL_DISTRIBUTION_POINTS)
    assert points is not None
    assert points.value.endswith(b"https://crl.example/")
    own = changed(subject_key_id=b"\1" * 20, authority_key_id=b"\2" * 20)
    assert [own.extension(oid).value[-20:] for oid in (SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER)] == [  # type: ignore[union-attr]  # both are always there
        b"\1" * 20,
        b"\2" * 20,
    ]
    assert changed(critical=(SUBJECT_KEY_IDENTIFIER,)).extension(SUBJECT_KEY_IDENTIFIER).critical  # type: ignore[union-attr]  # as above
    assert b"Nobody" in changed(organization="Nobody").subject


def test_a_pck_certificate_can_be_signed_by_somebody_else() -> None:
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify(CA.platform, changed(signed_by=OTHER_KEY))


def test_an_algorithm_can_be_misstated_inside_and_outside() -> None:
    null = der.sequence(der.oid("1.2.840.10045.4.3.2"), der.null())
    assert changed(algorithm=null).signature_algorithm == null
    with pytest.raises(Malformed, match="the same one inside and outside"):
        changed(outer_algorithm=null)


def test_an_authority_can_be_changed_and_what_it_issues_follows() -> None:
    ca = CA.with_platform(common_name="Elsewhere", path_length=None, replace=(Extension(oid=KEY_USAGE, value=b"\5\0"),))
    got = read_certificate(ca.platform)
    assert basic_constraints(got) == BasicConstraints(ca=True)
    assert got.extension(KEY_USAGE) == Extension(oid=KEY_USAGE, value=b"\5\0")
    assert read_certificate(SoftwarePlatform(authorities=ca).pck()).issuer == got.subject
    for other in (CA.with_root(serial=7), CA.with_processor(serial=7), CA.with_tcb_signing(serial=7)):
        assert [read_certificate(data).serial for data in (other.root, other.processor, other.tcb_signing)].count(
            7
        ) == 1


def test_a_second_certificate_of_the_tcb_signer_has_the_same_key_and_serial() -> None:
    newer = CA.with_tcb_signing(not_before=NOW, not_after=NOW + timedelta(days=9))
    ours, theirs = read_certificate(CA.tcb_signing), read_certificate(newer.tcb_signing)
    assert (ours.spki, ours.serial) == (theirs.spki, theirs.serial)
    assert ours.der != theirs.der


LISTS = {
    "root": (CA.root_crl(NOW, revoked=[1 << 159, 2]), CA.root, timedelta(days=365)),
    "platform": (CA.pck_crl(Ca.PLATFORM, NOW, revoked=[1 << 159, 2]), CA.platform, timedelta(days=30)),
    "processor": (CA.pck_crl(Ca.PROCESSOR, NOW, revoked=[1 << 159, 2]), CA.processor, timedelta(days=30)),
}


@pytest.mark.parametrize(("data", "issuer", "lifetime"), LISTS.values(), ids=LISTS)
def test_a_list_is_its_authoritys(data: bytes, issuer: bytes, lifetime: timedelta) -> None:
    got = read_crl(data)
    assert got.issuer == read_certificate(issuer).subject
    assert got.next_update == NOW + lifetime
    assert got.serials == {1 << 159, 2}
    assert [extension.oid for extension in got.extensions] == [CRL_NUMBER, AUTHORITY_KEY_IDENTIFIER]
    verify(issuer, got)


def test_openssl_reads_a_list(tool: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(write_pem(CA.root))
    command = [str(tool("openssl")), "crl", "-inform", "DER", "-noout", "-CAfile", str(tmp_path / "root"), "-text"]
    done = subprocess.run(command, input=CA.root_crl(NOW, revoked=[0x0511]), capture_output=True, check=True)
    assert b"verify OK" in done.stderr
    assert b"Serial Number: 0511" in done.stdout
    assert b"Key Compromise" in done.stdout


def test_a_list_looks_like_intels(recorded: Path) -> None:
    path = next((recorded / "tdx" / "collateral" / "crl").glob("root_*.der"))
    real, ours = read_crl(path.read_bytes()), read_crl(CA.root_crl(NOW))
    assert [(e.oid, e.critical, len(e.value)) for e in ours.extensions] == [
        (e.oid, e.critical, len(e.value)) for e in real.extensions
    ]
    assert ours.signature_algorithm == real.signature_algorithm


def test_a_field_of_a_list_is_one_argument() -> None:
    assert read_crl(CA.root_crl(NOW, lifetime=None)).next_update is None
    assert read_crl(CA.root_crl(NOW, number=9)).extensions[0].value == der.integer(9)
    assert common_name(read_crl(CA.root_crl(NOW, issuer="Somebody")).issuer) == "Somebody"
    assert len(CA.root_crl(NOW, revoked=[1], reason=None)) < len(CA.root_crl(NOW, revoked=[1]))
    assert read_crl(CA.root_crl(NOW, drop=(CRL_NUMBER,))).extensions[0].oid == AUTHORITY_KEY_IDENTIFIER
    foreign = Extension(oid="1.2.3", value=b"\5\0")
    assert read_crl(CA.root_crl(NOW, add=(foreign,))).extensions[-1] == foreign
    null = der.sequence(der.oid("1.2.840.10045.4.3.2"), der.null())
    assert read_crl(CA.root_crl(NOW, algorithm=null)).signature_algorithm == null
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify(CA.root, read_crl(CA.root_crl(NOW, signed_by=OTHER_KEY)))


def test_a_signed_body_is_sent_byte_for_byte() -> None:
    body = b'{ "spaced" : 1 }'
    got = read_signed(CA.sign_json("tcbInfo", body), "tcbInfo")
    assert got.body == body
    key = checked_in_intel_keys().tcb_signing.public_key()
    key.verify(signature_der(got.signature), body, ec.ECDSA(SHA256()))
    forged = read_signed(CA.sign_json("tcbInfo", body, signed_by=OTHER_KEY), "tcbInfo")
    with pytest.raises(InvalidSignature, match=r"^$"):
        key.verify(signature_der(forged.signature), body, ec.ECDSA(SHA256()))
    assert read_signed(CA.sign_json("tcbInfo", body, signature=bytes(64)), "tcbInfo").signature == bytes(64)


def test_chains_end_with_the_root() -> None:
    assert read_pem(CA.signing_chain) == (CA.tcb_signing, CA.root)
    assert read_pem(CA.pck_chain(Ca.PLATFORM)) == (CA.platform, CA.root)
    assert read_pem(CA.pck_chain(Ca.PROCESSOR)) == (CA.processor, CA.root)


def test_everything_says_that_it_is_simulated() -> None:
    assert "SIMULATED" in repr(CA)
    assert "SIMULATED" in repr(checked_in_intel_keys())


def test_a_checked_in_key_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    checked_in_intel_keys.cache_clear()
    monkeypatch.setattr("cvmproof_simulator.keys.intel.load_pem_private_key", lambda *_, **__: None)
    with pytest.raises(TypeError, match="expected an EC key, got NoneType"):
        checked_in_intel_keys()
