"""The result as a document: what `--json` prints, what `explain` reads, what the tree is drawn from.

The types here are the contract: `schema/appraisal.schema.json` is generated from them (`python -m cvmproof.generated`).
Bytes are hexadecimal, times RFC 3339 in UTC; text that came with evidence is escaped and cut.
"""

from collections.abc import Sequence
from typing import Final, Literal, NotRequired, TypedDict

from cvmproof.appraisal import Appraisal, Assurance, Pin, Verdict
from cvmproof.check import Check, Outcome
from cvmproof.claims import SnpClaims
from cvmproof.errors import Category, CvmproofError
from cvmproof.policy.policy import Policy
from cvmproof.spelling import escape, spell_time
from cvmproof_formats.binding import Tee
from cvmproof_formats.bitfield import Bit, set_names
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS, minimum_abi
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import FIRST_VERSION_WITH_CPUID, FIRST_VERSION_WITH_MITIGATIONS, AttestationReport

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


class TcbDocument(TypedDict):
    """Security versions by component; `fmc` on Turin only."""

    boot_loader: int
    tee: int
    snp: int
    microcode: int
    fmc: NotRequired[int]


class FirmwareDocument(TypedDict):
    """Firmware versions, "major.minor.build"."""

    current: str
    committed: str


class BitsDocument(TypedDict):
    """A field of bits: its value in hexadecimal, and the names of the bits that are set."""

    value: str
    set: list[str]


class GuestPolicyDocument(BitsDocument):
    """GUEST_POLICY; `abi` is the lowest firmware ABI the guest runs on, "major.minor"."""

    abi: str


class MitigationsDocument(TypedDict):
    """Mitigation vectors in hexadecimal; reports from version 5 on have them."""

    launch: str
    current: str


class CpuidDocument(TypedDict):
    """Which CPU; reports from version 3 on say."""

    family: int
    model: int
    stepping: int


class ClaimsDocument(TypedDict):
    """What an SNP report says; believed only as far as the verdict goes. `tcb` is REPORTED_TCB in its short form."""

    product: ProductLine | None
    part: str | None
    key: KeyKind
    csp_id: str | None
    version: int
    tcb: str | None
    reported_tcb: TcbDocument | None
    committed_tcb: TcbDocument | None
    current_tcb: TcbDocument | None
    launch_tcb: TcbDocument | None
    firmware: FirmwareDocument
    vmpl: int
    guest_svn: int
    policy: GuestPolicyDocument
    platform_info: BitsDocument
    measurement: str
    host_data: str
    report_data: str
    id_key_digest: str | None
    author_key_digest: str | None
    family_id: str
    image_id: str
    report_id: str
    report_id_ma: str
    chip_id: str | None
    mitigations: MitigationsDocument | None
    cpuid: CpuidDocument | None


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
    claims: ClaimsDocument
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


def _claims(claims: SnpClaims) -> ClaimsDocument:
    report = claims.report
    reported = claims.tcb(report.reported_tcb)
    return {
        "product": claims.product,
        "part": claims.part.name if claims.part else None,
        "key": claims.key,
        "csp_id": escape(claims.csp_id) if claims.csp_id is not None else None,
        "version": report.version,
        "tcb": str(reported) if reported else None,
        "reported_tcb": _tcb(claims, report.reported_tcb),
        "committed_tcb": _tcb(claims, report.committed_tcb),
        "current_tcb": _tcb(claims, report.current_tcb),
        "launch_tcb": _tcb(claims, report.launch_tcb),
        "firmware": {"current": _dotted(report.current_firmware), "committed": _dotted(report.committed_firmware)},
        "vmpl": report.vmpl,
        "guest_svn": report.guest_svn,
        "policy": _guest_policy(report.policy),
        "platform_info": _bits(report.platform_info, PLATFORM_INFO_BITS),
        "measurement": report.measurement.hex(),
        "host_data": report.host_data.hex(),
        "report_data": report.report_data.hex(),
        "id_key_digest": _unless_zero(report.id_key_digest),
        "author_key_digest": _unless_zero(report.author_key_digest),
        "family_id": report.family_id.hex(),
        "image_id": report.image_id.hex(),
        "report_id": report.report_id.hex(),
        "report_id_ma": report.report_id_ma.hex(),
        "chip_id": _unless_zero(report.chip_id),
        "mitigations": _mitigations(report),
        "cpuid": _cpuid(report),
    }


def _tcb(claims: SnpClaims, raw: bytes) -> TcbDocument | None:
    tcb = claims.tcb(raw)
    if tcb is None:
        return None
    document: TcbDocument = {
        "boot_loader": tcb.boot_loader,
        "tee": tcb.tee,
        "snp": tcb.snp,
        "microcode": tcb.microcode,
    }
    if tcb.fmc is not None:
        document["fmc"] = tcb.fmc
    return document


def _guest_policy(policy: int) -> GuestPolicyDocument:
    bits = _bits(policy, GUEST_POLICY_BITS)
    return {"value": bits["value"], "set": bits["set"], "abi": _dotted(minimum_abi(policy))}


def _bits(value: int, bits: tuple[Bit, ...]) -> BitsDocument:
    return {"value": f"{value:#x}", "set": list(set_names(value, bits))}


def _mitigations(report: AttestationReport) -> MitigationsDocument | None:
    if report.version < FIRST_VERSION_WITH_MITIGATIONS:
        return None
    return {"launch": f"{report.launch_mit_vector:#x}", "current": f"{report.current_mit_vector:#x}"}


def _cpuid(report: AttestationReport) -> CpuidDocument | None:
    if report.version < FIRST_VERSION_WITH_CPUID:
        return None
    return {"family": report.cpuid_family, "model": report.cpuid_model, "stepping": report.cpuid_stepping}


def _unless_zero(data: bytes) -> str | None:
    return data.hex() if any(data) else None


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
