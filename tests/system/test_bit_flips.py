"""Flip any bit that a verdict rested on and the verdict is no longer yes: design section 8.2.

Every bit of a real and of a simulated report is flipped each time. Of the other real reports some are; of the
certificates and the revocation list one bit of each byte is, in the next byte another one. `pytest --sweep full` flips
every bit of all of them, which takes some minutes. Bits that may flip stand in flippable.json, as byte * 8 + bit; the
lists may only shrink. A report has none, since it is signed or reserved throughout, and a certificate has none, since
its signature is checked over the bytes received and covers, or is, all of them.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.system.flips import MAY_FLIP, bits, flipped
from tests.verifier.snp.recorded import ORDINARY, Case, appraise_case, each
from tests.verifier.snp.situation import NOW, Situation, categories, policy_of

from cvmproof.appraisal import Verdict
from cvmproof.appraise import appraise
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.freshness import NoFreshness
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.snp.product import KeyKind, ProductLine

GENUINE = builtin_policy("genuine")
STRICT = policy_of("genuine", "required", {})
SOME = 61  # one bit in so many, for the other real reports
SIMULATED = Situation()
# The newest kind of report, whose fields are all in use; the others are flipped in a full sweep.
NEWEST = tuple(case for case in ORDINARY if case.data[0] == 5)[:1]


def refusal(appraisal_of: Callable[[bytes], set[Category] | None], data: bytes, bit: int) -> set[Category] | None:
    """The categories of the no, None if it was a yes; any error but Malformed goes through and fails the test."""
    try:
        return appraisal_of(flipped(data, bit))
    except Malformed as error:
        return {error.category}


def appraise_simulated(report: bytes, collateral: Collateral, policy: Policy) -> set[Category] | None:
    appraisal = appraise(
        read_evidence(report),
        policies=[policy],
        trust=TrustRoots.simulated(),
        freshness=NoFreshness(),
        now=NOW,
        collateral=collateral,
    )
    return None if appraisal.verdict is Verdict.ACCEPTED else categories(appraisal)


def assert_no_flip_passes(appraisal_of: Callable[[bytes], set[Category] | None], report: bytes, step: int = 1) -> None:
    assert appraisal_of(report) is None
    accepted = []
    for bit in range(0, len(report) * 8, step):
        found = refusal(appraisal_of, report, bit)
        if found is None:
            accepted.append(bit)
            continue
        # A flip that can still be read is noticed by the signature, whatever else notices it.
        readable = not found & {Category.MALFORMED, Category.UNSUPPORTED}
        assert not readable or Category.SIGNATURE in found
    assert accepted == MAY_FLIP["report"] == []


def sweep_recorded(case: Case, step: int = 1) -> None:
    def appraisal_of(report: bytes) -> set[Category] | None:
        appraisal = appraise_case(case, report=report)
        assert appraisal.verdict is not Verdict.UNDECIDED
        return None if appraisal.verdict is Verdict.ACCEPTED else categories(appraisal)

    assert_no_flip_passes(appraisal_of, case.data, step)


@each(NEWEST)
def test_ac_007_no_bit_of_a_real_report_may_flip(case: Case) -> None:
    sweep_recorded(case)


@each(tuple(case for case in ORDINARY if case not in NEWEST))
def test_ac_007_no_bit_of_any_real_report_may_flip(case: Case, pytestconfig: pytest.Config) -> None:
    sweep_recorded(case, 1 if pytestconfig.getoption("--sweep") == "full" else SOME)


def test_ac_007_no_bit_of_a_simulated_report_may_flip() -> None:
    collateral = SIMULATED.collateral
    assert_no_flip_passes(lambda report: appraise_simulated(report, collateral, STRICT), SIMULATED.signed_report)


@pytest.mark.parametrize("of", ["leaf", "intermediate", "root", "crl"])
def test_no_bit_of_what_the_chain_is_made_of_may_flip(of: str, pytestconfig: pytest.Config) -> None:
    sweep: str = pytestconfig.getoption("--sweep")
    report, parts = SIMULATED.signed_report, SIMULATED.chain | {"crl": SIMULATED.revocation_list}

    def appraisal_of(changed: bytes) -> set[Category] | None:
        now = parts | {of: changed}
        collateral = Collateral(
            certificates=(now["leaf"], now["intermediate"], now["root"]), crls=(Crl(der=now["crl"]),)
        )
        return appraise_simulated(report, collateral, STRICT)

    assert appraisal_of(parts[of]) is None
    accepted = [bit for bit in bits(parts[of], sweep) if refusal(appraisal_of, parts[of], bit) is None]
    assert accepted == MAY_FLIP[of] == []


@pytest.mark.parametrize("of", ["leaf", "intermediate", "root"])
def test_no_certificate_may_be_cut_or_have_anything_behind_it(of: str) -> None:
    whole = SIMULATED.chain[of]
    for changed in (*(whole[:length] for length in range(0, len(whole), 50)), whole[:-1], whole + b"\0", whole * 2):
        without = replace(SIMULATED, without=frozenset({of}), before=(changed,))
        assert without.appraise().verdict is not Verdict.ACCEPTED


@pytest.mark.parametrize("product", [ProductLine.MILAN, ProductLine.TURIN])
def test_ac_007_a_vlek_and_the_other_lines_are_no_different(product: ProductLine) -> None:
    machine = Situation(product=product, key=KeyKind.VLEK)
    collateral = machine.collateral
    assert_no_flip_passes(lambda report: appraise_simulated(report, collateral, STRICT), machine.signed_report, SOME)


def test_what_is_signed_is_all_that_a_verdict_of_genuine_rests_on() -> None:
    # The twin of everything above: nothing flipped, accepted.
    assert appraise_simulated(SIMULATED.signed_report, SIMULATED.collateral, GENUINE) is None
