"""Who answers which question about TDX evidence: of the whole case, of the host alone, or of the TD alone."""

from cvmproof.answering import AnswerTable
from cvmproof.tdx.case import TdxCase
from cvmproof.tdx.host import HostAsked
from cvmproof.tdx.questions import TDX_QUESTIONS
from cvmproof.tdx.td import TdAsked

answers: AnswerTable[TdxCase] = AnswerTable(TDX_QUESTIONS)
answers_host: AnswerTable[HostAsked] = AnswerTable(TDX_QUESTIONS)
answers_td: AnswerTable[TdAsked] = AnswerTable(TDX_QUESTIONS)
ANSWERS = answers.by_id
HOST_ANSWERS = answers_host.by_id
TD_ANSWERS = answers_td.by_id
