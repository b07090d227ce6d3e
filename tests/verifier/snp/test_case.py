"""What is read of a case before anything is asked."""

from dataclasses import replace

import pytest
from tests.verifier.snp.situation import NOW, Situation

from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import NoFreshness
from cvmproof.snp.case import SnpCase, read_case
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import KeyKind, ProductLine

GOOD = Situation()


def case_of(situation: Situation, collateral: Collateral | None = None) -> SnpCase:
    return read_case(
        situation.evidence,
        policy=situation.policy,
        trust=TrustRoots.simulated(),
        collateral=situation.collateral if collateral is None else collateral,
        freshness=NoFreshness(),
        now=NOW,
    )


@pytest.mark.parametrize("product", ProductLine)
def test_the_product_line_is_the_cpus_where_the_report_names_it(product: ProductLine) -> None:
    case = case_of(Situation(product=product))
    assert case.product is product
    assert case.part is not None
    assert case_of(Situation(product=product), Collateral()).product is product


@pytest.mark.parametrize("product", [ProductLine.MILAN, ProductLine.GENOA])
def test_a_version_2_report_is_of_its_keys_line(product: ProductLine) -> None:
    machine = Situation(product=product, version=2)
    assert (case_of(machine).product, case_of(machine).part) == (product, None)
    assert case_of(machine, Collateral()).product is None


def test_certificates_of_the_evidence_count_as_much_as_those_beside_it() -> None:
    evidence = replace(GOOD.evidence, certificates=GOOD.certificates)
    case = read_case(
        evidence,
        policy=GOOD.policy,
        trust=TrustRoots.simulated(),
        collateral=Collateral(),
        freshness=NoFreshness(),
        now=NOW,
    )
    assert case.chain.holds
    assert case.crls == ()


@pytest.mark.parametrize("key", KeyKind)
def test_the_kind_of_key_is_the_one_the_report_names(key: KeyKind) -> None:
    assert case_of(Situation(key=key)).signing_key is key


def test_an_unknown_cpu_is_unsupported_before_any_certificate_is_looked_at() -> None:
    with pytest.raises(Malformed, match="no root key is known") as caught:
        case_of(replace(GOOD, report={"cpuid_family": 0x1B}), Collateral(certificates=(b"junk",)))
    assert caught.value.category is Category.UNSUPPORTED
