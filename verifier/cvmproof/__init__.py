"""cvmproof: attestation of confidential VMs, for whoever has to trust one.

    appraisal = cvmproof.verify(evidence, policies=[policy], trust=cvmproof.TrustRoots.production(), freshness=...,
    now=...)

`verify` returns only for an accepted verdict and raises `Rejected` or `Undecided` with every reason otherwise;
`appraise` returns the verdict whatever it is. What stands in `__all__` is public; everything else may change.
"""

from typing import TYPE_CHECKING

from cvmproof.appraisal import Appraisal, Assurance, Pin, Verdict
from cvmproof.appraise import appraise, verify
from cvmproof.check import Check, Outcome
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.errors import (
    Category,
    CollateralError,
    CvmproofError,
    DeviceError,
    EndpointError,
    EvidenceError,
    Malformed,
    Misuse,
    Rejected,
    Undecided,
)
from cvmproof.freshness import ExpectedNonce, ExpectedReportData, Freshness, NoFreshness
from cvmproof.policy.policy import Authority, Policy
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof.trust import TrustRoots
from cvmproof.version import __version__
from cvmproof_formats.evidence import Evidence, read_evidence, write_evidence

if TYPE_CHECKING:
    from cvmproof.collateral.store import CollateralStore

__all__ = [
    "Appraisal",
    "Assurance",
    "Authority",
    "Category",
    "Check",
    "Collateral",
    "CollateralError",
    "CollateralStore",
    "Crl",
    "CvmproofError",
    "DeviceError",
    "EndpointError",
    "Evidence",
    "EvidenceError",
    "ExpectedNonce",
    "ExpectedReportData",
    "Freshness",
    "Malformed",
    "Misuse",
    "NoFreshness",
    "Outcome",
    "Pin",
    "Policy",
    "Rejected",
    "TrustRoots",
    "Undecided",
    "Verdict",
    "__version__",
    "appraise",
    "builtin_policy",
    "read_evidence",
    "read_policy",
    "verify",
    "write_evidence",
]


def __getattr__(name: str) -> object:
    # The store is the rim: an appraisal over bytes at hand does without it, and without what it imports.
    if name == "CollateralStore":
        from cvmproof.collateral.store import CollateralStore  # noqa: PLC0415 - that is the point

        return CollateralStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
