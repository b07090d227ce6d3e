"""The root of AMD's hierarchy: known ones are read once, and nothing else is taken for one of them."""

from dataclasses import replace
from hashlib import sha256

import pytest
from tests.verifier.snp.situation import Situation, attackers_keys

from cvmproof.snp.chain import chains_of
from cvmproof.snp.root import Root, examine_root, known_root
from cvmproof.trust import KNOWN_ROOTS
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.ca import AmdCa

GOOD = Situation()
every_product = pytest.mark.parametrize("product", ProductLine)


def root_of(situation: Situation) -> Root:
    return examine_root(read_certificate(situation.chain["root"]))


@every_product
def test_a_root_that_is_known_is_found_right(product: ProductLine) -> None:
    der = AmdCa(product).ark
    found = examine_root(read_certificate(der))
    assert (found.certificate, found.problem, found.product, found.pinned_in) == (
        read_certificate(der),
        "",
        product,
        "simulated",
    )
    assert found.key_sha256 == sha256(found.certificate.spki).digest()
    assert found.is_known


def test_ac_091_a_root_that_is_known_is_the_same_object_for_the_same_bytes() -> None:
    der = GOOD.chain["root"]
    assert root_of(GOOD) is known_root(der) is known_root(bytes(bytearray(der)))


def test_ac_091_every_chain_has_the_known_root_as_it_was_read_first() -> None:
    other_machine = replace(GOOD, leaf={"serial": 5})
    (first,), (second,) = chains_of(GOOD.certificates), chains_of(other_machine.certificates)
    assert first is not second
    assert first.root is second.root is known_root(GOOD.chain["root"]).certificate


def test_a_root_of_the_same_key_that_is_not_known_is_examined() -> None:
    found = root_of(replace(GOOD, root={"path_length": 0}))
    assert (found.problem, found.pinned_in, found.is_known) == ("its path length is 0", "simulated", False)


def test_ac_012_a_root_does_not_become_a_known_one_by_being_taken_for_one() -> None:
    strangers = replace(GOOD, keys=attackers_keys(GOOD.product)).chain["root"]
    assert not known_root(strangers).is_known
    assert known_root(GOOD.chain["root"]).is_known


def test_a_root_of_another_key_is_neither_known_nor_pinned() -> None:
    found = root_of(replace(GOOD, keys=attackers_keys(GOOD.product)))
    assert (found.problem, found.product, found.pinned_in, found.is_known) == ("", GOOD.product, None, False)


def test_a_certificate_whose_name_says_no_product_line_is_pinned_nowhere() -> None:
    found = root_of(replace(GOOD, root={"common_name": "ARK-Rome"}))
    assert (found.product, found.pinned_in) == (None, None)
    assert "ARK-<product>" in found.problem


def test_ac_091_no_more_is_kept_than_is_compiled_in() -> None:
    assert known_root.cache_parameters()["maxsize"] == len(KNOWN_ROOTS)
