"""Who answers what is asked of REPORT_DATA."""

from typing import Protocol

from cvmproof.answering import AnswerTable
from cvmproof.live import Expectation
from cvmproof.report_data.questions import REPORT_DATA_QUESTIONS
from cvmproof_formats.evidence import Evidence


class Bound(Protocol):
    """What a case of any technology has: the evidence, the 64 bytes that it signs, and what they are expected to be."""

    @property
    def evidence(self) -> Evidence:
        """The evidence as received."""

    @property
    def report_data(self) -> bytes:
        """REPORT_DATA, 64 bytes."""

    @property
    def freshness(self) -> Expectation:
        """What the verifier expects."""


answers: AnswerTable[Bound] = AnswerTable(REPORT_DATA_QUESTIONS)
