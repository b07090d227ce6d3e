"""What became of many CVMs, as a document: what `cvm verify --all --json` prints."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NotRequired, TypedDict

from cvmproof.appraisal import Appraisal, Assurance, Pin, Verdict
from cvmproof.cvm.document import finding_documents
from cvmproof.cvm.examining import Outcome
from cvmproof.document import ErrorDetail, FindingDocument, error_detail
from cvmproof.errors import Category, CvmproofError
from cvmproof.spelling import escape, spell_time

SCHEMA: Final = "cvmproof.cvms/1"


class ReasonDocument(TypedDict):
    """A check that did not pass."""

    id: str
    category: Category


class EntryDocument(TypedDict):
    """One CVM: `verdict` is None where there is no appraisal, `error` says why then.

    `reasons` are the checks that failed or could not be answered; `cvm verify ID` shows them whole.
    """

    id: str
    name: str
    agent_url: str
    verdict: Verdict | None
    assurance: Assurance | None
    identity_pinned: Pin | None
    policy_authority: str | None
    simulated: bool | None
    expires_at: str | None
    reasons: list[ReasonDocument]
    findings: list[FindingDocument]
    error: NotRequired[ErrorDetail]


class FleetDocument(TypedDict):
    """Every CVM that was listed; `error` is there where the list could not be read to its end, or was empty."""

    schema: Literal["cvmproof.cvms/1"]
    accepted: int
    rejected: int
    undecided: int
    failed: int
    cvms: list[EntryDocument]
    error: NotRequired[ErrorDetail]


def entry_document(outcome: Outcome) -> EntryDocument:
    """Put one outcome into a document; nothing of the appraisal itself stays in memory."""
    case, appraisal = outcome.case, outcome.appraisal
    entry: EntryDocument = {
        "id": escape(outcome.cvm.id),
        "name": escape(outcome.cvm.name),
        "agent_url": escape(outcome.cvm.agent_url or ""),
        "verdict": None,
        "assurance": None,
        "identity_pinned": None,
        "policy_authority": None,
        "simulated": None,
        "expires_at": None,
        "reasons": [],
        "findings": [],
    }
    if appraisal is not None:
        entry["verdict"] = appraisal.verdict
        entry["assurance"] = appraisal.assurance
        entry["identity_pinned"] = appraisal.identity_pinned
        entry["policy_authority"] = str(appraisal.policy_authority)
        entry["simulated"] = appraisal.simulated
        entry["expires_at"] = spell_time(appraisal.expires_at) if appraisal.expires_at else None
        entry["reasons"] = _reasons(appraisal)
        entry["findings"] = finding_documents(case, appraisal) if case is not None else []
    if outcome.error is not None:
        entry["error"] = error_detail(outcome.error)
    return entry


def fleet_document(entries: Sequence[EntryDocument], error: CvmproofError | None) -> FleetDocument:
    """Put what became of a list of CVMs into a document; `error` is what ended the list."""
    document: FleetDocument = {
        "schema": SCHEMA,
        "accepted": _count(entries, Verdict.ACCEPTED),
        "rejected": _count(entries, Verdict.REJECTED),
        "undecided": _count(entries, Verdict.UNDECIDED),
        "failed": _count(entries, None),
        "cvms": list(entries),
    }
    if error is not None:
        document["error"] = error_detail(error)
    return document


def _count(entries: Iterable[EntryDocument], verdict: Verdict | None) -> int:
    return sum(entry["verdict"] is verdict for entry in entries)


def _reasons(appraisal: Appraisal) -> list[ReasonDocument]:
    found = {check.id: check.category for check in (*appraisal.failed, *appraisal.undecided)}
    return [{"id": name, "category": category} for name, category in found.items()]
