"""One CVM examined and let go: what came out of it, whatever it was. For reports; `appraising` gives a channel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cvmproof.appraisal import Appraisal
from cvmproof.channel.connect import open_accepted
from cvmproof.channel.judging import Judge
from cvmproof.cvm.appraising import case_of
from cvmproof.cvm.case import CvmCase, Demands, remember_accepted
from cvmproof.errors import CvmproofError, Rejected, Undecided
from cvmproof.marks import AnotherMachine
from cvmproof.policy.policy import Policy
from cvmproof.prism.client import PrismClient
from cvmproof.prism.cvm import Cvm
from cvmproof.trust import TrustRoots

JudgeUnder = Callable[[Sequence[Policy]], Judge]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one CVM: an appraisal with its case, or the error that left none."""

    cvm: Cvm
    case: CvmCase | None = None
    appraisal: Appraisal | None = None
    error: CvmproofError | None = None


def examine(client: PrismClient, cvm: Cvm, demands: Demands, *, trust: TrustRoots, judge_under: JudgeUnder) -> Outcome:
    """Fetch a CVM's policy, connect, appraise, and end the connection.

    `judge_under` makes the judge for the policies that the case comes to. Raises nothing of ours.
    """
    try:
        return _examine(client, cvm, demands, trust, judge_under)
    except AnotherMachine:  # registered since the case was opened: it is the one to be judged against
        pass
    except CvmproofError as error:
        return Outcome(cvm=cvm, error=error)
    try:
        return _examine(client, cvm, demands, trust, judge_under)
    except CvmproofError as error:
        return Outcome(cvm=cvm, error=error)


def _examine(client: PrismClient, cvm: Cvm, demands: Demands, trust: TrustRoots, judge_under: JudgeUnder) -> Outcome:
    case = case_of(client, cvm, demands, trust)
    try:
        accepted = open_accepted(case.url, judge_under(case.policies), rules=demands.rules)
    except (Rejected, Undecided) as error:
        return Outcome(cvm=cvm, case=case, appraisal=error.appraisal)
    accepted.connection.close()
    remember_accepted(case, accepted.appraisal, demands.marks)
    return Outcome(cvm=cvm, case=case, appraisal=accepted.appraisal)
