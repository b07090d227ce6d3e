"""Intel's certificates look as their profiles say, and can be written so."""

from pathlib import Path

import pytest

from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx import hierarchy
from cvmproof_formats.tdx.hierarchy import Ca, Profile, build_extensions, build_name, issuing_ca
from cvmproof_formats.tdx.p256 import key_of_spki
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    CRL_DISTRIBUTION_POINTS,
    SUBJECT_KEY_IDENTIFIER,
    basic_constraints,
    common_name,
    key_usage,
    read_certificate,
    read_crl,
)

FILES = {
    "root_2018_2049": hierarchy.ROOT,
    "pck_platform_ca": hierarchy.PLATFORM_CA,
    "pck_processor_ca": hierarchy.PROCESSOR_CA,
    "tcb_signing_2018_2025": hierarchy.TCB_SIGNING,
    "tcb_signing_2025_2032": hierarchy.TCB_SIGNING,
}


@pytest.mark.parametrize(("name", "profile"), FILES.items())
def test_a_recorded_certificate_fits_its_profile_and_is_written_again_exactly(
    recorded: Path, name: str, profile: Profile
) -> None:
    got = read_certificate((recorded / "tdx" / "collateral" / "certs" / f"{name}.der").read_bytes())
    assert got.subject == build_name(profile.subject)
    assert got.issuer in {build_name(issuer) for issuer in profile.issuers}
    assert (key_usage(got), basic_constraints(got)) == (profile.key_usage, profile.basic_constraints)
    assert tuple(extension.oid for extension in got.extensions) == profile.extensions
    assert got.signature_algorithm == hierarchy.ECDSA_SHA256
    assert len(key_of_spki(got.spki)) == 64
    authority, subject = got.extension(AUTHORITY_KEY_IDENTIFIER), got.extension(SUBJECT_KEY_IDENTIFIER)
    assert authority is not None
    assert subject is not None
    (uri,) = profile.crl_uris
    written = build_extensions(
        profile, authority_key_id=authority.value[-20:], subject_key_id=subject.value[-20:], crl_uri=uri
    )
    assert written == got.extensions


def test_the_older_roots_have_the_key_of_the_newest_and_another_list(recorded: Path) -> None:
    folder = recorded / "tdx" / "collateral" / "certs"
    newest, *older = (
        read_certificate((folder / f"{name}.der").read_bytes())
        for name in ("root_2018_2049", "root_old_a_2033", "root_old_b_2033")
    )
    for root in older:
        assert (root.spki, root.subject, root.serial) == (newest.spki, newest.subject, newest.serial)
        assert root.extension(CRL_DISTRIBUTION_POINTS) != newest.extension(CRL_DISTRIBUTION_POINTS)
    lengths = [constraints.path_length for root in older if (constraints := basic_constraints(root)) is not None]
    assert lengths == [0, 1]


def test_every_recorded_crl_names_its_authority(recorded: Path) -> None:
    paths = sorted((recorded / "tdx" / "collateral" / "crl").glob("*.der"))
    assert paths
    for path in paths:
        got = read_crl(path.read_bytes())
        assert got.signature_algorithm == hierarchy.ECDSA_SHA256
        if path.name.startswith("root"):
            assert common_name(got.issuer) == hierarchy.ROOT_NAME
        else:
            assert path.name.startswith(issuing_ca(got.issuer))


def test_the_authority_is_known_by_its_whole_name() -> None:
    assert issuing_ca(build_name(hierarchy.PLATFORM_NAME)) is Ca.PLATFORM
    assert issuing_ca(build_name(hierarchy.PROCESSOR_NAME)) is Ca.PROCESSOR


@pytest.mark.parametrize(
    "name",
    ["", "Intel SGX Root CA", "Intel SGX PCK Platform CA 2", "intel sgx pck platform ca", "Intel SGX TCB Signing"],
)
def test_ac_055_any_other_authority_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match="expected 'Intel SGX PCK Platform CA'") as caught:
        issuing_ca(build_name(name))
    assert caught.value.category is Category.CHAIN


def test_a_name_without_a_common_name_is_refused() -> None:
    with pytest.raises(Malformed, match="one common name"):
        issuing_ca(der.sequence())
