"""AMD's certificate profile, certificate by certificate."""

from dataclasses import replace

import pytest
from tests.verifier.snp.situation import Situation

from cvmproof.snp.profile import (
    crl_signing_problem,
    intermediate_names,
    intermediate_problem,
    is_leaf,
    issuer_name_of,
    leaf_problem,
    name_of,
    root_problem,
    root_product,
    vek_identity,
)
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.vek import HWID
from cvmproof_formats.x509 import Certificate, KeyUsage, read_certificate

EVERY_MACHINE = [Situation(product=product, key=key) for product in ProductLine for key in KeyKind]


def certificates(machine: Situation) -> tuple[Certificate, Certificate, Certificate]:
    leaf, intermediate, root = (read_certificate(machine.chain[of]) for of in ("leaf", "intermediate", "root"))
    return leaf, intermediate, root


@pytest.mark.parametrize("machine", EVERY_MACHINE, ids=lambda m: f"{m.product}-{m.key}")
def test_the_profile_fits_every_chain_and_each_certificate_its_own_place_only(machine: Situation) -> None:
    leaf, intermediate, root = certificates(machine)
    assert leaf_problem(leaf) == intermediate_problem(intermediate) == root_problem(root) == ""
    assert crl_signing_problem(root) == ""
    for problem, others in (
        (leaf_problem, (intermediate, root)),
        (intermediate_problem, (leaf, root)),
        (root_problem, (leaf, intermediate)),
    ):
        for other in others:
            assert problem(other) != ""
    assert crl_signing_problem(intermediate) != ""
    assert [is_leaf(certificate) for certificate in (leaf, intermediate, root)] == [True, False, False]


@pytest.mark.parametrize("machine", EVERY_MACHINE, ids=lambda m: f"{m.product}-{m.key}")
def test_names_say_product_line_and_kind_of_key(machine: Situation) -> None:
    leaf, intermediate, root = certificates(machine)
    assert intermediate_names(intermediate) == (machine.product, machine.key)
    assert root_product(root) is machine.product
    assert {root_product(intermediate), root_product(leaf)} == {None}
    assert {intermediate_names(root), intermediate_names(leaf)} == {None}
    assert name_of(leaf) == f"SEV-{machine.key}"
    assert issuer_name_of(leaf) == name_of(intermediate)
    assert issuer_name_of(root) == name_of(root) == f"ARK-{machine.product}"
    assert vek_identity(leaf).product is machine.product


@pytest.mark.parametrize(
    "name", ["SEV-", "SEV-Rome", "SEV-VLEK-", "SEV-VLEK-Rome", "sev-Genoa", "SEV-Genoa ", "XSEV-Genoa"]
)
def test_another_name_is_no_intermediates(name: str) -> None:
    _, intermediate, _ = certificates(Situation(intermediate={"common_name": name}))
    assert intermediate_names(intermediate) is None
    assert f"its name is {name!r}" in intermediate_problem(intermediate)


def test_a_leaf_is_known_by_its_name_or_by_amds_extensions() -> None:
    unnamed, _, _ = certificates(Situation(leaf={"common_name": "somebody"}))
    assert is_leaf(unnamed)
    assert "not SEV-VCEK or SEV-VLEK" in leaf_problem(unnamed)
    bare, _, _ = certificates(Situation())
    assert is_leaf(replace(bare, extensions=()))
    assert not is_leaf(replace(unnamed, extensions=()))


def test_a_name_that_can_not_be_read_is_none() -> None:
    leaf, _, _ = certificates(Situation())
    assert name_of(replace(leaf, subject=b"\x30\x00")) == ""
    assert issuer_name_of(replace(leaf, issuer=b"junk")) == ""


def test_a_leaf_of_both_names_and_neither_extension_says_which() -> None:
    vcek_named_vlek, _, _ = certificates(Situation(leaf={"common_name": "SEV-VLEK"}))
    assert leaf_problem(vcek_named_vlek) == "it is named VLEK and carries the extensions of a VCEK"
    hidden, _, _ = certificates(Situation(leaf={"drop": (HWID,)}))
    assert HWID in leaf_problem(hidden)


def test_a_serial_number_is_0() -> None:
    leaf, _, _ = certificates(Situation(leaf={"serial": 7}))
    assert leaf_problem(leaf) == "serial number 7, where AMD gives every endorsement key 0"


@pytest.mark.parametrize("usage", [None, KeyUsage(key_cert_sign=True), KeyUsage(digital_signature=True)])
def test_a_root_without_crl_sign_signs_no_list(usage: KeyUsage | None) -> None:
    _, _, root = certificates(Situation(root={"key_usage": usage}))
    assert crl_signing_problem(root) == "its key usage lacks cRLSign"


@pytest.mark.parametrize(("length", "good"), [(None, True), (1, True), (0, False), (2, False)])
def test_a_roots_path_length_leaves_room_for_one_intermediate(length: int | None, good: bool) -> None:
    _, _, root = certificates(Situation(root={"path_length": length}))
    assert (root_problem(root) == "") is good


def test_a_root_issues_itself_and_every_certificate_is_of_version_3() -> None:
    leaf, intermediate, root = certificates(Situation())
    # What was found out about a certificate is remembered by its bytes: other fields need other bytes.
    assert root_problem(replace(root, issuer=intermediate.subject, der=b"1")) == "its issuer is not its subject"
    assert root_problem(replace(root, version=1, der=b"2")) == "X.509 version 1"
    assert intermediate_problem(replace(intermediate, version=2, der=b"3")) == "X.509 version 2"
    assert leaf_problem(replace(leaf, version=1, der=b"4")) == "X.509 version 1"
