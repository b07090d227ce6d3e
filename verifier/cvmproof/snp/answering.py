"""Who answers which question about SEV-SNP evidence."""

from cvmproof.answering import AnswerTable
from cvmproof.snp.case import SnpCase
from cvmproof.snp.questions import SNP_QUESTIONS

answers: AnswerTable[SnpCase] = AnswerTable(SNP_QUESTIONS)
ANSWERS = answers.by_id
