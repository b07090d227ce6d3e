"""The result as a document: what `--json` prints, what `explain` reads, what the tree is drawn from.

The types here are the contract: `schema/appraisal.schema.json` is generated from them (`python -m cvmproof.generated`).
Bytes are hexadecimal, times RFC 3339 in UTC; text that came with evidence is escaped and cut.
"""

from collections.abc import Sequence
from typing import Final, Literal, NotRequired, TypedDict

from cvmproof.appraisal import Appraisal, Assurance, Pin, Verdict
from cvmproof.check import Check, Outcome
from cvmproof.claims import Claims, SnpClaims
from cvmproof.errors import Category, CvmproofError
from cvmproof.policy.policy import Policy
from cvmproof.snp.claims_document import SnpClaimsDocument, snp_claims_document
from cvmproof.spelling import escape, spell_time
from cvmproof.tdx.claims_document import TdxClaimsDocument, tdx_claims_document
from cvmproof_formats.binding import Tee

SCHEMA: Final = "cvmproof.appraisal/1"


class CheckDocument(TypedDict):
    """One check: `asked_by` is the policy that asked, empty where every policy would."""

    id: str
    outcome: Outcome
    category: Category
    expected: str
    got: str
    why: str
    spec: str
    asked_by: str


class PolicyDocument(TypedDict):
    """One policy: `sha256` of the bytes it was read from, and whose word it is."""

    name: str
    sha256: str
    authority: str


# "class" can't be a field of a class body.
ErrorDetail = TypedDict("ErrorDetail", {"class": str, "category": Category, "message": str, "hint": str})
ErrorDetail.__doc__ = "What went wrong: whose fault (the class), which kind of no, and what to do next."


class ErrorDocument(TypedDict):
    """The one object where there is no appraisal: exit codes 1, 2, 5 and 70, and 4 before anything was appraised."""

    schema: Literal["cvmproof.appraisal/1"]
    error: ErrorDetail


class FetchedPolicyDocument(TypedDict):
    """A policy as an API gave it: `sha256` of those bytes; key id, serial and expiry where an operator signed it."""

    sha256: str
    signed_by: str | None
    serial: int | None
    expires_at: str | None


class CvmDocument(TypedDict):
    """What an API says of a CVM, in its own words; `policy` is None where the operator's own was taken instead."""

    id: str
    name: str
    cvm_id: str
    agent_url: str
    status: str
    provider: str
    cc_platform: str
    policy: FetchedPolicyDocument | None


class FindingDocument(TypedDict):
    """Something that contradicts or has changed; the verdict does not rest on it."""

    id: str
    category: Category
    expected: str
    got: str
    why: str


class AppraisalDocument(TypedDict):
    """An appraisal. `error` is there where the verdict is undecided: what is missing, and why it could not be had.

    `cvm` and `findings` are there where the machine was taken from an API.
    """

    schema: Literal["cvmproof.appraisal/1"]
    verdict: Verdict
    assurance: Assurance
    identity_pinned: Pin
    identity_pin_source: str | None
    policy_authority: str
    simulated: bool
    tee: Tee
    appraised_at: str
    expires_at: str | None
    checks: list[CheckDocument]
    unconstrained: list[str]
    notes: list[str]
    policies: list[PolicyDocument]
    claims: SnpClaimsDocument | TdxClaimsDocument
    cvm: NotRequired[CvmDocument]
    findings: NotRequired[list[FindingDocument]]
    error: NotRequired[ErrorDetail]


def appraisal_document(appraisal: Appraisal, policies: Sequence[Policy]) -> AppraisalDocument:
    """Put an appraisal under these policies into a document."""
    return {
        "schema": SCHEMA,
        "verdict": appraisal.verdict,
        "assurance": appraisal.assurance,
        "identity_pinned": appraisal.identity_pinned,
        "identity_pin_source": appraisal.identity_pin_source,
        "policy_authority": str(appraisal.policy_authority),
        "simulated": appraisal.simulated,
        "tee": appraisal.tee,
        "appraised_at": spell_time(appraisal.appraised_at),
        "expires_at": spell_time(appraisal.expires_at) if appraisal.expires_at else None,
        "checks": [_check(check) for check in appraisal.checks],
        "unconstrained": [check.id for check in appraisal.unconstrained],
        "notes": [escape(note) for note in appraisal.notes],
        "policies": [_policy(policy) for policy in policies],
        "claims": _claims(appraisal.claims),
    }


def error_document(error: ErrorDetail) -> ErrorDocument:
    """Put an error into a document of its own."""
    return {"schema": SCHEMA, "error": error}


def error_detail(error: CvmproofError) -> ErrorDetail:
    """Say what an error is, its texts escaped."""
    message = escape(str(error), MESSAGE_LIMIT)
    return {
        "class": type(error).__name__,
        "category": error.category,
        "message": message,
        "hint": escape(error.hint, MESSAGE_LIMIT),
    }


# Long enough for every reason of an undecided appraisal.
MESSAGE_LIMIT = 4000  # characters


def _check(check: Check) -> CheckDocument:
    question = check.question
    return {
        "id": question.id,
        "outcome": check.outcome,
        "category": check.category,
        "expected": check.expected,
        "got": check.got,
        "why": question.why,
        "spec": question.spec,
        "asked_by": escape(check.asked_by),
    }


def _policy(policy: Policy) -> PolicyDocument:
    return {"name": escape(policy.name), "sha256": policy.digest.hex(), "authority": policy.authority}


def _claims(claims: Claims) -> SnpClaimsDocument | TdxClaimsDocument:
    return snp_claims_document(claims) if isinstance(claims, SnpClaims) else tdx_claims_document(claims)
