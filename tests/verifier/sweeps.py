"""Every technology with the situations that hold its questions, for tests that hold for each of them.

A technology that the appraisal knows and nobody listed here fails test_appraise.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tests.verifier.report_data.faults import wrong_expectations
from tests.verifier.snp import faults as snp
from tests.verifier.tdx import faults as tdx

from cvmproof.appraisal import Appraisal
from cvmproof.check import Answer, Question
from cvmproof.policy.policy import Policy
from cvmproof.snp.technology import SEV_SNP
from cvmproof.tdx.technology import TDX
from cvmproof.technology import AnyTechnology
from cvmproof_formats.binding import Tee


class Subject(Protocol):
    """A situation of whichever technology."""

    def appraise(self, *more_policies: Policy) -> Appraisal:
        """Appraise it under its own policy and others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One technology: for each question (twin, faulty)."""

    technology: AnyTechnology
    good: Subject
    faults: Mapping[str, tuple[Subject, Subject]]
    leaves_undecided: frozenset[str]
    """Questions whose no is that something at hand does not decide it."""
    never_alone: frozenset[str] = frozenset()
    """Questions with which others always say no as well."""
    wrong_expectations: Mapping[str, tuple[Subject, Subject]]
    """For each way to bind evidence (twin, the same evidence where another nonce was sent)."""

    @property
    def questions(self) -> dict[str, Question]:
        """By their id."""
        return {question.id: question for question in self.technology.questions}

    def answers(self, question: str) -> dict[str, Callable[[object], Answer]]:
        """The one table in which somebody answers it."""
        tables = (self.technology.answers, *(lasting.answers for lasting in self.technology.lasting))
        (found,) = (table for table in tables if question in table)
        assert isinstance(found, dict)
        return found

    def asking(self, question: str) -> Subject:
        """A situation that is accepted and in which this is asked."""
        return self.good if question in self.never_alone else self.faults[question][0]


SWEEPS = {
    Tee.SEV_SNP: Sweep(
        technology=SEV_SNP,
        good=snp.GOOD,
        faults=snp.FAULTS,
        leaves_undecided=snp.LEAVES_UNDECIDED,
        wrong_expectations=wrong_expectations(snp.GOOD),
    ),
    Tee.TDX: Sweep(
        technology=TDX,
        good=tdx.GOOD,
        faults=tdx.FAULTS,
        leaves_undecided=tdx.LEAVES_UNDECIDED,
        never_alone=tdx.NEVER_ALONE,
        wrong_expectations=wrong_expectations(tdx.GOOD),
    ),
}
