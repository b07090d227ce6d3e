"""What an SNP report says, as a document."""

from typing import Literal, NotRequired, TypedDict

from cvmproof.claims import SnpClaims
from cvmproof.claims_document import BitsDocument, bits_document, hex_unless_zero
from cvmproof.spelling import escape
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS, minimum_abi
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import FIRST_VERSION_WITH_CPUID, FIRST_VERSION_WITH_MITIGATIONS, AttestationReport


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


class SnpClaimsDocument(TypedDict):
    """What an SNP report says; believed only as far as the verdict goes. `tcb` is REPORTED_TCB in its short form."""

    tee: Literal["sev-snp"]
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


def snp_claims_document(claims: SnpClaims) -> SnpClaimsDocument:
    """Put what a report says into a document."""
    report = claims.report
    reported = claims.tcb(report.reported_tcb)
    return {
        "tee": "sev-snp",
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
        "platform_info": bits_document(report.platform_info, PLATFORM_INFO_BITS),
        "measurement": report.measurement.hex(),
        "host_data": report.host_data.hex(),
        "report_data": report.report_data.hex(),
        "id_key_digest": hex_unless_zero(report.id_key_digest),
        "author_key_digest": hex_unless_zero(report.author_key_digest),
        "family_id": report.family_id.hex(),
        "image_id": report.image_id.hex(),
        "report_id": report.report_id.hex(),
        "report_id_ma": report.report_id_ma.hex(),
        "chip_id": hex_unless_zero(report.chip_id),
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
    bits = bits_document(policy, GUEST_POLICY_BITS)
    return {"value": bits["value"], "set": bits["set"], "abi": _dotted(minimum_abi(policy))}


def _mitigations(report: AttestationReport) -> MitigationsDocument | None:
    if report.version < FIRST_VERSION_WITH_MITIGATIONS:
        return None
    return {"launch": f"{report.launch_mit_vector:#x}", "current": f"{report.current_mit_vector:#x}"}


def _cpuid(report: AttestationReport) -> CpuidDocument | None:
    if report.version < FIRST_VERSION_WITH_CPUID:
        return None
    return {"family": report.cpuid_family, "model": report.cpuid_model, "stepping": report.cpuid_stepping}


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
