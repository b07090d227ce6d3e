"""The rules that a policy has for one technology, where a test knows that it has some."""

from cvmproof.policy.policy import Policy
from cvmproof.policy.snp_rules import SnpRules
from cvmproof.policy.tdx_rules import TdxRules


def snp(policy: Policy) -> SnpRules:
    assert policy.snp is not None
    return policy.snp


def tdx(policy: Policy) -> TdxRules:
    assert policy.tdx is not None
    return policy.tdx
