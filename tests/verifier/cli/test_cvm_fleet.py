"""The exit code of many: whose fault each one was, and the worst of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.snp.situation import Situation

from cvmproof.cli.cvm_fleet import code_of, worst_of
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cvm.examining import Outcome
from cvmproof.errors import CollateralError, CvmproofError, EndpointError, Malformed, Misuse
from cvmproof.prism.cvm import Cvm

CODES = st.lists(st.sampled_from(ExitCode), min_size=1)
CVM = Cvm(id="cvm-1")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misuse("a policy that is wrong"), ExitCode.MISUSE),
        (Malformed("bytes that fit nothing"), ExitCode.MALFORMED),
        (CollateralError("a mark that is damaged"), ExitCode.UNDECIDED),
        (EndpointError("nobody answers"), ExitCode.ENDPOINT),
        (CvmproofError("a bug"), ExitCode.INTERNAL),
        (None, ExitCode.INTERNAL),
    ],
    ids=["misuse", "malformed", "collateral", "endpoint", "bug", "nothing at all"],
)
def test_without_an_appraisal_the_error_decides(error: CvmproofError | None, code: ExitCode) -> None:
    assert code_of(Outcome(cvm=CVM, error=error)) is code


def test_an_appraisal_is_worth_its_verdict() -> None:
    accepted = Situation().appraise()
    assert code_of(Outcome(cvm=CVM, appraisal=accepted)) is ExitCode.ACCEPTED


def test_an_error_beside_an_appraisal_counts_more() -> None:
    outcome = Outcome(cvm=CVM, appraisal=Situation().appraise(), error=EndpointError("it broke"))
    assert code_of(outcome) is ExitCode.ENDPOINT


@given(CODES)
def test_accepted_is_only_what_is_accepted_throughout_ac_094(codes: list[ExitCode]) -> None:
    assert (worst_of(codes) is ExitCode.ACCEPTED) == (set(codes) == {ExitCode.ACCEPTED})


@given(CODES)
def test_the_worst_is_one_of_them_whatever_their_order(codes: list[ExitCode]) -> None:
    assert worst_of(codes) in codes
    assert worst_of(codes[::-1]) is worst_of(codes)


@given(CODES, CODES)
def test_more_cvms_make_nothing_better(some: list[ExitCode], others: list[ExitCode]) -> None:
    assert worst_of([worst_of(some), worst_of(others)]) is worst_of(some + others)


def test_a_no_is_worse_than_no_answer_and_our_own_bug_is_worst() -> None:
    assert worst_of([ExitCode.ENDPOINT, ExitCode.REJECTED]) is ExitCode.REJECTED
    assert worst_of([ExitCode.ENDPOINT, ExitCode.UNDECIDED]) is ExitCode.UNDECIDED
    assert worst_of([ExitCode.REJECTED, ExitCode.INTERNAL]) is ExitCode.INTERNAL


def test_none_at_all_is_no_acceptance_ac_094() -> None:
    assert worst_of([]) is ExitCode.INTERNAL
