"""What `cvmproof cvm list | show | create | delete | stats | policy | forget --json` print.

The types here are the contract: `schema/cvm.schema.json` is generated from them (`python -m cvmproof.generated`). Times
are RFC 3339 in UTC; texts are the control plane's words, escaped and cut; ids are whole.
"""

from collections.abc import Iterable
from typing import Final, Literal, TypedDict

from cvmproof.prism.cvm import Cvm, CvmStat
from cvmproof.prism.identifier import LONGEST
from cvmproof.spelling import escape, spell_time
from cvmproof_formats.binding import Tee

CVM_SCHEMA: Final = "cvmproof.cvm/1"  # of them all; each names its own
NOT_CHECKED: Final = (
    "nothing was checked: this is what the API says, and no evidence; cvmproof cvm verify asks for that"
)
_URL_LIMIT: Final = 2000  # characters


class RecordDocument(TypedDict):
    """A CVM as the API describes it; null and empty are what it does not say.

    Of `attestation` and `attestation_token` only how many bytes; `unreadable` names those that are no base64.
    `tee` is what `cc_platform` means, null where that is not known.
    """

    id: str
    name: str
    cvm_id: str
    agent_url: str | None
    status: str
    state: str
    created_at: str | None
    deleted_at: str | None
    provider: str
    vcpus: int | None
    attestation: int | None
    attestation_token: int | None
    agent_log_level: str
    monthly_cost_estimate: str
    cc_platform: str
    tee: Tee | None
    unreadable: list[str]


class CvmListDocument(TypedDict):
    """The CVMs of a domain; `complete` is false where there are more than were asked for."""

    schema: Literal["cvmproof.cvm-list/1"]
    api: str
    domain: str
    cvms: list[RecordDocument]
    complete: bool


class CvmShownDocument(TypedDict):
    """One CVM; nothing of it was checked."""

    schema: Literal["cvmproof.cvm/1"]
    api: str
    domain: str
    checked: bool
    note: str
    cvm: RecordDocument


class SampleDocument(TypedDict):
    """Whether a CVM was online at a moment."""

    id: str
    cvm_id: str
    timestamp: str
    online: bool


class CvmStatsDocument(TypedDict):
    """When a CVM was online, the oldest sample first."""

    schema: Literal["cvmproof.cvm-stats/1"]
    api: str
    domain: str
    cvm: str
    online: int
    offline: int
    samples: list[SampleDocument]


class CvmCreatedDocument(TypedDict):
    """A CVM that was created.

    `ids` is what the API said, or what was not listed under the name before: none where it is not listed yet, several
    where others took the name at the same moment. `same_name` are all CVMs of the name now, the newest first.
    """

    schema: Literal["cvmproof.cvm-created/1"]
    api: str
    domain: str
    name: str
    ids: list[str]
    same_name: list[RecordDocument]
    notes: list[str]


class CvmDeletedDocument(TypedDict):
    """A CVM that was deleted; the API keeps its record."""

    schema: Literal["cvmproof.cvm-deleted/1"]
    api: str
    domain: str
    id: str
    note: str


class PolicySignatureDocument(TypedDict):
    """What a signed policy says of itself: believed only where it was verified with keys of the operator's.

    `key_id` is SHA-256 of the key's SubjectPublicKeyInfo, null where the message names none; `policy_sha256` is that
    of the policy inside, null where it is not inside.
    """

    verified: bool
    key_id: str | None
    cvm: str
    serial: int
    expires_at: str
    policy_sha256: str | None


class CvmPolicyDocument(TypedDict):
    """A CVM's attestation policy: `policy` is what came, in base64, and `sha256` is of that.

    `form` is that of the policy inside where it is signed; `foreign` names a form that others write, `problem` says why
    it can't be read.
    """

    schema: Literal["cvmproof.cvm-policy/1"]
    api: str
    domain: str
    cvm: str
    form: Literal["empty", "toml", "json", "foreign", "unknown"]
    foreign: str | None
    problem: str | None
    constrains_software: bool | None
    signature: PolicySignatureDocument | None
    size: int
    sha256: str
    policy: str
    written: str | None


class CvmForgottenDocument(TypedDict):
    """Whether there was a machine to forget."""

    schema: Literal["cvmproof.cvm-forgotten/1"]
    api: str
    domain: str
    trust: str
    cvm: str
    forgotten: bool


CVM_DOCUMENTS: Final = (
    CvmListDocument,
    CvmShownDocument,
    CvmStatsDocument,
    CvmCreatedDocument,
    CvmDeletedDocument,
    CvmPolicyDocument,
    CvmForgottenDocument,
)


def record_document(cvm: Cvm) -> RecordDocument:
    """Put a record into a document."""
    return {
        "id": escape(cvm.id, LONGEST),
        "name": escape(cvm.name),
        "cvm_id": escape(cvm.cvm_id, LONGEST),
        "agent_url": None if cvm.agent_url is None else escape(cvm.agent_url, _URL_LIMIT),
        "status": escape(cvm.status),
        "state": escape(cvm.state),
        "created_at": spell_time(cvm.created_at) if cvm.created_at else None,
        "deleted_at": spell_time(cvm.deleted_at) if cvm.deleted_at else None,
        "provider": escape(cvm.provider),
        "vcpus": cvm.vcpus,
        "attestation": len(cvm.attestation) if cvm.attestation else None,
        "attestation_token": len(cvm.attestation_token) if cvm.attestation_token else None,
        "agent_log_level": escape(cvm.agent_log_level),
        "monthly_cost_estimate": escape(cvm.monthly_cost_estimate),
        "cc_platform": escape(cvm.cc_platform),
        "tee": cvm.tee,
        "unreadable": list(cvm.unreadable),
    }


def sample_documents(samples: Iterable[CvmStat]) -> list[SampleDocument]:
    """Put samples into documents, the oldest first."""
    return [
        {
            "id": escape(sample.id, LONGEST),
            "cvm_id": escape(sample.cvm_id, LONGEST),
            "timestamp": spell_time(sample.timestamp),
            "online": sample.online,
        }
        for sample in sorted(samples, key=lambda sample: sample.timestamp)
    ]
