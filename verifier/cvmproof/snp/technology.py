"""SEV-SNP, as the appraisal knows it."""

from cvmproof.appraisal import Pin
from cvmproof.check import Answer, require
from cvmproof.policy.policy import Policy
from cvmproof.policy.snp_rules import SnpRules
from cvmproof.policy.values import ANY
from cvmproof.report_data import freshness_answers, live_answers
from cvmproof.report_data.answering import answers as report_data_answers
from cvmproof.snp import bit_answers, chain_answers, report_answers
from cvmproof.snp.answering import ANSWERS, answers
from cvmproof.snp.case import SnpCase, read_case
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof.technology import Technology
from cvmproof_formats.binding import Tee

# Imported for the answers they enter into the tables.
ANSWERING_MODULES = (bit_answers, chain_answers, report_answers, freshness_answers, live_answers)


def rules_of(policy: Policy) -> SnpRules | None:
    """Give what a policy says about SEV-SNP."""
    return policy.snp


def pin_of(policy: Policy) -> Pin:
    """Say which identity a policy names: REPORT_ID that of a launch, CHIP_ID a machine's."""
    rules = policy.snp
    if rules is None or (rules.report_ids is ANY and rules.chip_ids is ANY):
        return Pin.NONE
    return Pin.MACHINE if rules.report_ids is ANY else Pin.INSTANCE


@answers("policy.tee")
def policy_tee(case: SnpCase) -> Answer:
    """The policy that asks must have rules for SEV-SNP."""
    return require(case.policy.snp is not None, "rules for sev-snp", "sev-snp" if case.policy.snp else "none")


ANSWERS.update(report_data_answers.by_id)
SEV_SNP: Technology[SnpCase] = Technology(
    tee=Tee.SEV_SNP, questions=SNP_QUESTIONS, answers=ANSWERS, read_case=read_case, rules=rules_of, pin=pin_of
)
