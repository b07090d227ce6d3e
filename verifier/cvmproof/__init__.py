"""cvmproof: attestation of confidential VMs, for whoever has to trust one.

    appraisal = cvmproof.verify(evidence, policies=[policy], trust=cvmproof.TrustRoots.production(), freshness=...,
    now=...)

    with cvmproof.connect("https://cvm.example:7002", policies=[policy], trust=...) as attested:
        attested.channel        a grpc.Channel: the very connection that the accepted evidence is bound to

    with cvmproof.appraise_cvm(client, "cvm-123", demands=cvmproof.Demands(floors=(floor,)), trust=...) as cvm:
        cvm.channel             the same, its address and policy taken from the CVMs API that `client` asks

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
from cvmproof.high_water import HighWater
from cvmproof.policy.policy import Authority, Policy
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof.trust import TrustRoots
from cvmproof.version import __version__
from cvmproof_formats.evidence import Evidence, read_evidence, write_evidence

if TYPE_CHECKING:
    from cvmproof.channel.address import AddressRules
    from cvmproof.channel.asynchronous import AsyncAttestedChannel, connect_async
    from cvmproof.channel.challenge import Challenge
    from cvmproof.channel.channel import AttestedChannel
    from cvmproof.channel.connect import connect
    from cvmproof.channel.key_bound import connect_key_bound
    from cvmproof.collateral.store import CollateralStore
    from cvmproof.cvm.appraising import AsyncAttestedCvm, AttestedCvm, appraise_cvm, appraise_cvm_async
    from cvmproof.cvm.case import Demands
    from cvmproof.cvm.fetched import Vouching
    from cvmproof.cvm.finding import Finding
    from cvmproof.high_water_store import HighWaterStore
    from cvmproof.marks import Marks
    from cvmproof.policy.signed import PolicySigners
    from cvmproof.prism.asynchronous import AsyncPrismClient
    from cvmproof.prism.client import PrismClient
    from cvmproof.prism.cvm import Cvm, CvmPage, CvmStat
    from cvmproof.prism.token import Token

__all__ = [
    "AddressRules",
    "Appraisal",
    "Assurance",
    "AsyncAttestedChannel",
    "AsyncAttestedCvm",
    "AsyncPrismClient",
    "AttestedChannel",
    "AttestedCvm",
    "Authority",
    "Category",
    "Challenge",
    "Check",
    "Collateral",
    "CollateralError",
    "CollateralStore",
    "Crl",
    "Cvm",
    "CvmPage",
    "CvmStat",
    "CvmproofError",
    "Demands",
    "DeviceError",
    "EndpointError",
    "Evidence",
    "EvidenceError",
    "ExpectedNonce",
    "ExpectedReportData",
    "Finding",
    "Freshness",
    "HighWater",
    "HighWaterStore",
    "Malformed",
    "Marks",
    "Misuse",
    "NoFreshness",
    "Outcome",
    "Pin",
    "Policy",
    "PolicySigners",
    "PrismClient",
    "Rejected",
    "Token",
    "TrustRoots",
    "Undecided",
    "Verdict",
    "Vouching",
    "__version__",
    "appraise",
    "appraise_cvm",
    "appraise_cvm_async",
    "builtin_policy",
    "connect",
    "connect_async",
    "connect_key_bound",
    "read_evidence",
    "read_policy",
    "verify",
    "write_evidence",
]


# The rim: an appraisal over bytes at hand does without the store and the channel, and without what they import.
_RIM = {
    "AddressRules": "cvmproof.channel.address",
    "AsyncAttestedChannel": "cvmproof.channel.asynchronous",
    "AsyncAttestedCvm": "cvmproof.cvm.appraising",
    "AsyncPrismClient": "cvmproof.prism.asynchronous",
    "AttestedChannel": "cvmproof.channel.channel",
    "AttestedCvm": "cvmproof.cvm.appraising",
    "Challenge": "cvmproof.channel.challenge",
    "CollateralStore": "cvmproof.collateral.store",
    "Cvm": "cvmproof.prism.cvm",
    "CvmPage": "cvmproof.prism.cvm",
    "CvmStat": "cvmproof.prism.cvm",
    "Demands": "cvmproof.cvm.case",
    "Finding": "cvmproof.cvm.finding",
    "HighWaterStore": "cvmproof.high_water_store",
    "Marks": "cvmproof.marks",
    "PolicySigners": "cvmproof.policy.signed",
    "PrismClient": "cvmproof.prism.client",
    "Token": "cvmproof.prism.token",
    "Vouching": "cvmproof.cvm.fetched",
    "appraise_cvm": "cvmproof.cvm.appraising",
    "appraise_cvm_async": "cvmproof.cvm.appraising",
    "connect": "cvmproof.channel.connect",
    "connect_async": "cvmproof.channel.asynchronous",
    "connect_key_bound": "cvmproof.channel.key_bound",
}


def __getattr__(name: str) -> object:
    if name not in _RIM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - that is the point

    found: object = getattr(import_module(_RIM[name]), name)
    return found
