"""Trust roots: two compiled-in sets that never mix, and nothing else makes one."""

import hashlib
from dataclasses import replace
from types import MappingProxyType

import pytest
from tests.verifier.snp.recorded import FOLDER, names, read
from tests.verifier.snp.situation import Situation, categories, ids_of_no

from cvmproof.appraisal import Verdict
from cvmproof.trust import TrustRoots, refuse_trust_from, set_of_root
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.ca import ark_pins


def test_the_simulated_set_pins_the_simulators_roots_and_no_other() -> None:
    pins = TrustRoots.simulated().ark_pins
    assert {product: frozenset({key}) for product, key in ark_pins().items()} == dict(pins)


def test_the_sets_have_nothing_in_common() -> None:
    production, simulated = (
        frozenset[bytes]().union(*roots.ark_pins.values())
        for roots in (TrustRoots.production(), TrustRoots.simulated())
    )
    assert len(production) == len(simulated) == len(ProductLine)
    assert not production & simulated


def test_the_production_set_pins_amds_roots() -> None:
    if not FOLDER.is_dir():
        pytest.skip("no recorded evidence: ../shared/recorded does not stand beside this checkout")
    pins = TrustRoots.production().ark_pins
    for product in ProductLine:
        (name,) = names("roots", f"ARK-{product}*")
        spki = read_certificate(read(name)).spki
        assert pins[product] == {hashlib.sha256(spki).digest()}
        assert set_of_root(product, hashlib.sha256(spki).digest()) == "production"


def test_a_pin_is_for_its_own_product_line() -> None:
    for product, key in ark_pins().items():
        assert set_of_root(product, key) == "simulated"
        for other in set(ProductLine) - {product}:
            assert set_of_root(other, key) is None
    assert set_of_root(ProductLine.GENOA, bytes(32)) is None


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("key", KeyKind)
def test_ac_095_simulated_evidence_never_convinces_the_production_set(product: ProductLine, key: KeyKind) -> None:
    for version in (3, 5):
        appraisal = Situation(product=product, key=key, version=version, trust="production").appraise()
        assert appraisal.verdict is Verdict.REJECTED
        assert ids_of_no(appraisal) == ["snp.chain.trust_set"]
        assert categories(appraisal) == {Category.SIMULATED}
        assert appraisal.simulated


def test_ac_095_nor_beside_amds_own_certificates_nor_with_an_attackers_root() -> None:
    if not FOLDER.is_dir():
        pytest.skip("no recorded evidence: ../shared/recorded does not stand beside this checkout")
    real = tuple(read(name) for name in names("roots"))
    beside = Situation(trust="production", before=real, after=real).appraise()
    assert categories(beside) == {Category.SIMULATED}
    rootless = Situation(trust="production", without=frozenset({"root"}), after=real).appraise()
    assert rootless.verdict is not Verdict.ACCEPTED


@pytest.mark.parametrize("name", ["", "Production", "simulated ", "any", "none", "amd"])
def test_there_is_no_third_set(name: str) -> None:
    with pytest.raises(Misuse, match="expected production or simulated"):
        TrustRoots.named(name)
    assert TrustRoots.named("simulated").name == "simulated"


def test_ac_096_a_set_of_ones_own_is_refused() -> None:
    production, simulated = TrustRoots.production(), TrustRoots.simulated()
    wrong = [
        {"name": "production", "ark_pins": simulated.ark_pins},
        {"name": "simulated", "ark_pins": production.ark_pins},
        {"name": "mine", "ark_pins": production.ark_pins},
        {"name": "production", "ark_pins": MappingProxyType({})},
        {"name": "production", "ark_pins": {**production.ark_pins, ProductLine.MILAN: frozenset({bytes(32)})}},
    ]
    for values in wrong:
        with pytest.raises(Misuse, match="trust roots are compiled in"):
            TrustRoots(**values)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(Misuse, match="trust roots are compiled in"):
            replace(production, **values)  # type: ignore[arg-type]  # that is the point


def test_ac_096_pins_do_not_change_afterwards() -> None:
    with pytest.raises(TypeError):
        TrustRoots.production().ark_pins[ProductLine.MILAN] = frozenset()  # type: ignore[index]  # that is the point


def test_ac_096_the_environment_names_no_set() -> None:
    with pytest.raises(Misuse, match="CVMPROOF_TRUST names the trust set 'simulated'") as caught:
        refuse_trust_from("CVMPROOF_TRUST", "simulated")
    assert caught.value.category is Category.SIMULATED
