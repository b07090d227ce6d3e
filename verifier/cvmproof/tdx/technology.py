"""TDX, as the appraisal knows it."""

from cvmproof.appraisal import Pin
from cvmproof.policy.policy import Policy
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof.policy.values import ANY
from cvmproof.report_data import freshness_answers, live_answers
from cvmproof.report_data.answering import answers as report_data_answers
from cvmproof.tdx import chain_answers, quote_answers, tcb_answers, td_answers
from cvmproof.tdx.answering import ANSWERS, HOST_ANSWERS, TD_ANSWERS
from cvmproof.tdx.case import TdxCase, read_case
from cvmproof.tdx.host import ask_host
from cvmproof.tdx.questions import TDX_QUESTIONS
from cvmproof.tdx.td import ask_td
from cvmproof.technology import Lasting, Technology
from cvmproof_formats.binding import Tee

# Imported for the answers they enter into the tables.
ANSWERING_MODULES = (chain_answers, quote_answers, tcb_answers, td_answers, freshness_answers, live_answers)


def rules_of(policy: Policy) -> TdxRules | None:
    """Give what a policy says about TDX."""
    return policy.tdx


def pin_of(policy: Policy) -> Pin:
    """Say which identity a policy names: a processor or a platform; a quote says nothing of which launch it is."""
    rules = policy.tdx
    open_ = rules is None or (rules.ppids is ANY and rules.platform_instance_ids is ANY)
    return Pin.NONE if open_ else Pin.MACHINE


ANSWERS.update(report_data_answers.by_id)
TDX: Technology[TdxCase] = Technology(
    tee=Tee.TDX,
    questions=TDX_QUESTIONS,
    answers=ANSWERS,
    lasting=(Lasting(answers=HOST_ANSWERS, ask=ask_host), Lasting(answers=TD_ANSWERS, ask=ask_td)),
    read_case=read_case,
    rules=rules_of,
    pin=pin_of,
)
