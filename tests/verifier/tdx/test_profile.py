"""Intel's certificate profile, certificate by certificate."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from tests.verifier.tdx.situation import Situation, assert_accepted, assert_refused

from cvmproof.tdx import profile
from cvmproof.tdx.profile import (
    authority_problem,
    is_signer,
    name_of,
    pck_problem,
    root_problem,
    signer_problem,
)
from cvmproof_formats import der
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.hierarchy import PCK, PLATFORM_CA, ROOT, SGX_EXTENSIONS, TCB_SIGNING, Ca
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    CRL_DISTRIBUTION_POINTS,
    KEY_USAGE,
    SUBJECT_KEY_IDENTIFIER,
    Certificate,
    Extension,
    KeyUsage,
    read_certificate,
)
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.ca import CertificateChanges, IntelCa

GOOD = Situation()
NONE: Mapping[str, object] = MappingProxyType({})
EVERY_EXTENSION = (
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    CRL_DISTRIBUTION_POINTS,
    KEY_USAGE,
    SGX_EXTENSIONS,
    SUBJECT_KEY_IDENTIFIER,
)
KINDS = ("leaf", "authority", "root", "signer")
PROBLEMS: dict[str, Callable[[Certificate], str]] = {
    "leaf": pck_problem,
    "authority": authority_problem,
    "root": root_problem,
    "signer": signer_problem,
}


def certificate(of: str, changes: Mapping[str, object] = NONE, *, by: Ca = Ca.PLATFORM) -> Certificate:
    """One certificate of the hierarchy, with changes."""
    changed: CertificateChanges = {**changes}  # type: ignore[typeddict-item]  # names of its fields
    machine = Situation(ca=by)
    if of == "leaf":
        return read_certificate(machine.platform.pck(**changed))
    situation = {
        "authority": replace(machine, authority=changed),
        "root": replace(machine, root=changed),
        "signer": replace(machine, signer=changed),
    }[of]
    authorities = situation.authorities
    return read_certificate(
        {"authority": authorities.intermediate(by), "root": authorities.root, "signer": authorities.tcb_signing}[of]
    )


@pytest.mark.parametrize("ca", Ca)
def test_the_profile_fits_each_certificate_in_its_own_place_only(ca: Ca) -> None:
    for of in KINDS:
        for place, problem in PROBLEMS.items():
            assert (problem(certificate(of, by=ca)) == "") is (of == place)
    assert [is_signer(certificate(of, by=ca)) for of in KINDS] == [False, False, False, True]


@pytest.mark.parametrize(("length", "good"), [(None, True), (0, True), (1, True), (2, False)])
def test_all_three_encodings_of_the_root_are_its_own(length: int | None, good: bool) -> None:
    assert (root_problem(certificate("root", {"path_length": length})) == "") is good
    changed = replace(GOOD, root={"path_length": length})
    if good:
        assert_accepted(changed)
    else:
        assert_refused(changed, Category.CHAIN, "tdx.chain.root")


@pytest.mark.parametrize("length", [None, 1, 2])
def test_a_ca_has_nothing_below_it_but_leaves(length: int | None) -> None:
    assert "its basic constraints are" in authority_problem(certificate("authority", {"path_length": length}))


# What of any kind is outside the profile, and the beginning of what is said of it.
CHANGES: dict[str, tuple[dict[str, object], str]] = {
    "another name": ({"common_name": "somebody"}, "it"),
    "another issuer": ({"issuer": "somebody"}, "it"),
    "version 1": ({"version": 1, "drop": EVERY_EXTENSION}, "not X.509 version 3"),
    "another algorithm": ({"algorithm": der.sequence(der.oid("1.2.840.10045.4.3.3"))}, "not X.509 version 3"),
    "another curve": ({"spki": spki_of(derive_key(b"larger", curve="P-384"))}, "public key"),
    "no key usage": ({"drop": (KEY_USAGE,)}, "its key usage is missing"),
    "another key usage": ({"key_usage": KeyUsage(key_agreement=True)}, "its key usage is"),
    "one usage more": (
        {"key_usage": KeyUsage(digital_signature=True, content_commitment=True, key_cert_sign=True, crl_sign=True)},
        "its key usage is",
    ),
    "no basic constraints": ({"drop": (BASIC_CONSTRAINTS,)}, "its basic constraints are missing"),
    "no authority key": ({"drop": (AUTHORITY_KEY_IDENTIFIER,)}, "its extensions are not those of the profile"),
    "no subject key": ({"drop": (SUBJECT_KEY_IDENTIFIER,)}, "its extensions are not those of the profile"),
    "no CRL address": ({"drop": (CRL_DISTRIBUTION_POINTS,)}, "its extensions are not those of the profile"),
    "one extension more": (
        {"add": (Extension(oid="1.2.3.4", value=b"\5\0"),)},
        "its extensions are not those of the profile: 1.2.3.4",
    ),
    "a critical one more": (
        {"add": (Extension(oid="1.2.3.4", value=b"\5\0", critical=True),)},
        "its extensions are not those of the profile: 1.2.3.4",
    ),
    "critical where it is not": ({"critical": (SUBJECT_KEY_IDENTIFIER,)}, "critical extensions 2.5.29.14, "),
}
NOT_CRITICAL = Extension(oid=KEY_USAGE, value=KeyUsage(digital_signature=True, content_commitment=True).build().value)


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("name", CHANGES)
def test_ac_017_anything_outside_intels_profile_is_named(of: str, name: str) -> None:
    changes, words = CHANGES[name]
    problem = PROBLEMS[of](certificate(of, changes))
    assert problem.startswith(words), problem


@pytest.mark.parametrize("of", ["leaf", "signer"])
def test_what_must_be_critical_is(of: str) -> None:
    assert PROBLEMS[of](certificate(of, {"replace": (NOT_CRITICAL,)})) == "critical extensions 2.5.29.19"
    neither = tuple(
        one._replace(critical=False) for one in certificate(of).extensions if one.oid in {KEY_USAGE, BASIC_CONSTRAINTS}
    )
    assert PROBLEMS[of](certificate(of, {"replace": neither})) == "critical extensions none"


def test_another_name_is_named_beside_those_that_it_must_be() -> None:
    words = "it is named 'x' by 'Intel SGX PCK Platform CA', not Intel SGX PCK Certificate by Intel SGX PCK Platform CA"
    found = pck_problem(certificate("leaf", {"common_name": "x"}))
    assert found == f"{words} or Intel SGX PCK Processor CA"


@pytest.mark.parametrize("of", KINDS)
def test_who_is_an_authority_says_so_and_nobody_else_does(of: str) -> None:
    authority = of in {"authority", "root"}
    assert "its basic constraints are" in PROBLEMS[of](certificate(of, {"ca": not authority, "path_length": None}))


def test_an_extension_that_can_not_be_read_is_none() -> None:
    broken = Extension(oid=BASIC_CONSTRAINTS, value=b"\5", critical=True)
    for of in KINDS:
        problem = PROBLEMS[of](certificate(of, {"replace": (broken,)}))
        assert problem != ""
        assert not problem.startswith("its basic constraints")


@pytest.mark.parametrize("name", ["", "Intel SGX PCK", "Intel SGX PCK Platform CA ", "intel sgx pck platform ca"])
def test_an_authority_has_exactly_one_of_two_names(name: str) -> None:
    problem = authority_problem(certificate("authority", {"common_name": name}))
    assert problem == f"its name is {name!r}, not Intel SGX PCK Platform CA or Intel SGX PCK Processor CA"


def test_a_root_issues_itself() -> None:
    assert root_problem(certificate("root", {"issuer": "Intel SGX Root"})) == "its issuer is not its subject"


def test_a_leafs_own_extension_must_be_of_the_ca_that_issued_it() -> None:
    of_processor = next(e for e in certificate("leaf", by=Ca.PROCESSOR).extensions if e.oid == SGX_EXTENSIONS)
    assert "expected 1.2.840.113741.1.13.1.6, got none" in pck_problem(
        certificate("leaf", {"replace": (of_processor,)})
    )
    of_platform = next(e for e in certificate("leaf").extensions if e.oid == SGX_EXTENSIONS)
    problem = pck_problem(certificate("leaf", {"replace": (of_platform,)}, by=Ca.PROCESSOR))
    assert "1.2.840.113741.1.13.1.6 does not belong there" in problem


@pytest.mark.parametrize("of", KINDS)
def test_what_fits_at_once_fits_point_by_point(of: str) -> None:
    name = KINDS.index(of)
    place = (PCK, PLATFORM_CA, ROOT, TCB_SIGNING)[name]
    fits = [
        certificate(kind, changes) for kind in KINDS for changes in (NONE, *(found for found, _ in CHANGES.values()))
    ]
    at_once = [one for one in fits if profile._is_usual(one, place)]
    assert certificate(of) in at_once
    for one in at_once:
        assert profile._shape_problem(one, place, (place.basic_constraints,)) == ""


def test_a_name_that_can_not_be_read_is_none() -> None:
    assert name_of(b"") == name_of(b"\x30\x00") == name_of(b"junk") == ""
    assert name_of(certificate("root").subject) == "Intel SGX Root CA"


def test_ac_091_what_was_found_out_is_remembered_for_the_certificate_it_was_found_out_about() -> None:
    for _ in range(2):
        assert pck_problem(certificate("leaf")) == ""
        assert pck_problem(certificate("leaf", {"ca": True})) != ""
    assert IntelCa().root == IntelCa().root
