"""Who answers which question about TDX evidence."""

from cvmproof.answering import AnswerTable
from cvmproof.tdx.case import TdxCase
from cvmproof.tdx.questions import TDX_QUESTIONS

answers: AnswerTable[TdxCase] = AnswerTable(TDX_QUESTIONS)
ANSWERS = answers.by_id
