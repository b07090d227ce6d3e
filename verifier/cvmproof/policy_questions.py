"""What is asked of a policy before it asks anything itself: does it take evidence of this technology."""

from cvmproof.check import Question
from cvmproof_formats.errors import Category

TEE_QUESTION = Question(
    id="policy.tee",
    category=Category.POLICY_MISMATCH,
    why="the policy has no rules for this technology, and so refuses it",
    spec="docs/policy.md",
    rule="tee",
)
