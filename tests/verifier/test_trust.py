"""Trust roots: two compiled-in sets that never mix, and nothing else makes one."""

import hashlib
from dataclasses import fields, replace
from types import MappingProxyType

import pytest
from tests.verifier.snp.recorded import FOLDER, names, read
from tests.verifier.snp.situation import Situation, categories, ids_of_no

from cvmproof.appraisal import Verdict
from cvmproof.snp.chain import verify_link
from cvmproof.tdx.link import link_problem
from cvmproof.trust import (
    INTEL_ROOT_KEYS,
    KNOWN_ROOTS,
    TrustRoots,
    intel_set_of_root,
    is_known_root,
    refuse_trust_from,
    set_of_root,
)
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import PSS_SHA384, read_certificate
from cvmproof_simulator.ca import AmdCa, ark_pins
from cvmproof_simulator.keys.intel import checked_in_intel_keys
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.ca import IntelCa


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


def test_the_production_set_has_intels_root_key_in_full() -> None:
    roots = TrustRoots.production()
    # The SHA-256 that Intel's quoting library pins.
    assert {pin.hex() for pin in roots.intel_pins} == {
        "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e"
    }
    assert roots.intel_pins == {hashlib.sha256(roots.intel_root).digest()}


def assert_known_and_sound(certificate: bytes, trust: str) -> None:
    root = read_certificate(certificate)
    key_sha256 = hashlib.sha256(root.spki).digest()
    assert is_known_root(certificate)
    if root.signature_algorithm in PSS_SHA384:
        verify_link(root, root)
        assert trust in {set_of_root(product, key_sha256) for product in ProductLine}
    else:
        assert link_problem(root, root) == ""
        assert intel_set_of_root(key_sha256) == trust


def test_each_root_that_is_known_carries_its_own_signature_and_a_pinned_key() -> None:
    simulated = {AmdCa(product).ark for product in ProductLine} | {IntelCa().root}
    for certificate in simulated:
        assert_known_and_sound(certificate, "simulated")
    if not FOLDER.is_dir():
        pytest.skip("no recorded evidence: ../shared/recorded does not stand beside this checkout")
    folder = FOLDER.parent / "tdx" / "collateral" / "certs"
    genuine = {read(name) for name in names("roots", "ARK-*")} | {
        path.read_bytes() for path in folder.glob("root_*.der")
    }
    for certificate in genuine:
        assert_known_and_sound(certificate, "production")
    assert {hashlib.sha256(certificate).digest() for certificate in simulated | genuine} == KNOWN_ROOTS


def test_the_keys_of_intels_root_are_those_of_the_sets() -> None:
    assert {TrustRoots.production().intel_root, TrustRoots.simulated().intel_root} == INTEL_ROOT_KEYS


def test_a_root_with_any_other_byte_is_not_known() -> None:
    for certificate in (AmdCa(ProductLine.GENOA).ark, IntelCa().root):
        for index in range(len(certificate)):
            changed = bytearray(certificate)
            changed[index] ^= 1
            assert not is_known_root(bytes(changed))


def test_each_encoding_of_intels_root_has_that_key() -> None:
    folder = FOLDER.parent / "tdx" / "collateral" / "certs"
    if not folder.is_dir():
        pytest.skip("no recorded evidence: ../shared/recorded does not stand beside this checkout")
    spkis = {read_certificate(path.read_bytes()).spki for path in folder.glob("root_*.der")}
    assert spkis == {TrustRoots.production().intel_root}


def test_the_simulated_set_has_the_simulators_intel_root_key() -> None:
    assert TrustRoots.simulated().intel_root == spki_of(checked_in_intel_keys().root)


def test_intels_root_key_belongs_to_one_set() -> None:
    for roots in (TrustRoots.production(), TrustRoots.simulated()):
        for pin in roots.intel_pins:
            assert intel_set_of_root(pin) == roots.name
    assert intel_set_of_root(bytes(32)) is None
    assert not TrustRoots.production().intel_pins & TrustRoots.simulated().intel_pins


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


def values_of(roots: TrustRoots) -> dict[str, object]:
    return {field.name: getattr(roots, field.name) for field in fields(roots)}


def test_ac_096_a_set_of_ones_own_is_refused() -> None:
    production, simulated = TrustRoots.production(), TrustRoots.simulated()
    key = spki_of(derive_key(b"mine", curve="P-256"))
    wrong: list[dict[str, object]] = [
        {"ark_pins": simulated.ark_pins},
        {"name": "simulated"},
        {"name": "mine"},
        {"ark_pins": MappingProxyType({})},
        {"ark_pins": {**production.ark_pins, ProductLine.MILAN: frozenset({bytes(32)})}},
        {"intel_root": simulated.intel_root},
        {"intel_pins": simulated.intel_pins},
        {"intel_root": simulated.intel_root, "intel_pins": simulated.intel_pins},
        {"intel_root": key, "intel_pins": frozenset({hashlib.sha256(key).digest()})},
        {"intel_pins": production.intel_pins | simulated.intel_pins},
    ]
    for values in wrong:
        with pytest.raises(Misuse, match="trust roots are compiled in"):
            TrustRoots(**{**values_of(production), **values})  # type: ignore[arg-type]  # that is the point
        with pytest.raises(Misuse, match="trust roots are compiled in"):
            replace(production, **values)  # type: ignore[arg-type]  # that is the point


def test_ac_096_pins_do_not_change_afterwards() -> None:
    with pytest.raises(TypeError):
        TrustRoots.production().ark_pins[ProductLine.MILAN] = frozenset()  # type: ignore[index]  # that is the point


def test_ac_096_the_environment_names_no_set() -> None:
    with pytest.raises(Misuse, match="CVMPROOF_TRUST names the trust set 'simulated'") as caught:
        refuse_trust_from("CVMPROOF_TRUST", "simulated")
    assert caught.value.category is Category.SIMULATED
