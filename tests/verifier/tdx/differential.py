"""One input, two verifiers: what dcap-qvl 0.7 makes of it, and what we make of it under its own fixed rules."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Self, TypedDict, Unpack

import dcap_qvl  # type: ignore[import-untyped]  # it brings no types

from cvmproof.appraisal import Verdict
from cvmproof.appraise import appraise
from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import NoFreshness
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import read_policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Malformed
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx.signed_json import Signed

# What dcap-qvl 0.7.0 always demands of a TD, and that it needs every revocation list; it takes any status but Revoked.
_ITS_RULES = {
    "extends": "builtin:genuine",
    "revocation": "required",
    "tdx": {
        "collateral_grace": 0,
        "mr_service_tds": ["00" * 48],
        "attributes": {
            "debug": "forbidden",
            "hgs_plus_prof": "forbidden",
            "perf_prof": "forbidden",
            "pmt_prof": "forbidden",
            "servtd_ext": "forbidden",
            "sept_ve_disable": "required",
            "migratable": "forbidden",
        },
    },
}


@lru_cache
def its_rules() -> Policy:
    """A policy as strict as dcap-qvl's fixed rules."""
    return read_policy(json.dumps(_ITS_RULES).encode(), name="the fixed rules of dcap-qvl")


class InputChanges(TypedDict, total=False):
    """The parts of an input, each optional."""

    quote: bytes
    tcb_info: Signed
    qe_identity: Signed
    root_crl: bytes
    pck_crl: bytes
    signing_chain: bytes
    pck_crl_chain: bytes
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A quote, its collateral and a time; `field` was changed, `change` says into what; `root` None: Intel's."""

    field: str
    change: str
    quote: bytes
    tcb_info: Signed
    qe_identity: Signed
    root_crl: bytes
    pck_crl: bytes
    signing_chain: bytes
    pck_crl_chain: bytes
    now: datetime
    root: bytes | None = None

    def but(self, field: str, change: str, **changes: Unpack[InputChanges]) -> Self:
        """The same with one thing changed."""
        return replace(self, field=field, change=change, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one verifier thinks: a status where it accepts, None and the reasons where it does not."""

    status: str | None
    reasons: tuple[str, ...] = ()


def theirs(given: Input) -> Opinion:
    """What dcap-qvl thinks."""
    chain = given.signing_chain.decode("latin-1")
    collateral = dcap_qvl.QuoteCollateralV3(
        given.pck_crl_chain.decode("latin-1"),
        given.root_crl,
        given.pck_crl,
        chain,
        given.tcb_info.body.decode(),
        given.tcb_info.signature,
        chain,
        given.qe_identity.body.decode(),
        given.qe_identity.signature,
    )
    at = int(given.now.timestamp())
    try:
        if given.root is None:
            report = dcap_qvl.verify(given.quote, collateral, at)
        else:
            report = dcap_qvl.verify_with_root_ca(given.quote, collateral, given.root, at)
    except ValueError as error:
        return Opinion(status=None, reasons=(" ".join(str(error).split()),))
    return Opinion(status=report.status)


def ours(given: Input) -> Opinion:
    """What we think under its rules: each check that said no, or why it can't be read."""
    try:
        collateral = Collateral(
            certificates=read_pem(given.signing_chain),
            intel_crls=(given.root_crl, given.pck_crl),
            tcb_infos=(given.tcb_info,),
            qe_identities=(given.qe_identity,),
        )
        appraisal = appraise(
            read_evidence(given.quote),
            policies=[its_rules()],
            trust=TrustRoots.production() if given.root is None else TrustRoots.simulated(),
            freshness=NoFreshness(),
            now=given.now,
            collateral=collateral,
        )
    except Malformed as error:
        return Opinion(status=None, reasons=(f"malformed: {error}",))
    if appraisal.verdict is not Verdict.ACCEPTED:
        said_no = appraisal.failed or appraisal.undecided
        return Opinion(status=None, reasons=tuple(f"{check.id}: {check.got}" for check in said_no))
    claims = appraisal.claims
    assert isinstance(claims, TdxClaims)
    assert claims.rating is not None
    return Opinion(status=claims.rating.status)
