"""What a file says, field by field, believed by nobody: evidence of either kind, certificates, lists, event logs."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from cvmproof.rendering.certificate_contents import certificate_or_list
from cvmproof.rendering.quote_contents import event_log_section, is_event_log, quote_sections
from cvmproof.rendering.section import Section, spell_yes
from cvmproof_formats.binding import Tee
from cvmproof_formats.bitfield import Bit, set_names
from cvmproof_formats.encoding import require_size
from cvmproof_formats.errors import Malformed
from cvmproof_formats.evidence import FILE_LIMIT, REPORT_LIMIT, Evidence, read_evidence
from cvmproof_formats.pem import read_pem
from cvmproof_formats.snp import certificate_table
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS, minimum_abi
from cvmproof_formats.snp.key_flags import AUTHOR_KEY_EN, MASK_CHIP_KEY
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.snp.product import Part, ProductLine, part_of_cpuid
from cvmproof_formats.snp.report import (
    FIRST_VERSION_WITH_CPUID,
    FIRST_VERSION_WITH_MITIGATIONS,
    HOST_REQUESTED,
    REPORT_SIZE,
    AttestationReport,
    read_report,
)
from cvmproof_formats.snp.tcb import Tcb

_PEM = b"-----BEGIN "
_NAMES_OF_TABLE = {
    certificate_table.VCEK: "VCEK",
    certificate_table.VLEK: "VLEK",
    certificate_table.ASK: "ASK or ASVK",
    certificate_table.ARK: "ARK",
    certificate_table.CRL: "CRL",
}


Value = TypeVar("Value")


def sections_of(data: bytes) -> tuple[Section, ...]:
    """Read whatever it is: evidence file, report, quote, certificate, revocation list, certificate table, event log.

    Raises Malformed for anything else.
    """
    require_size(data, what="file", limit=FILE_LIMIT)
    start = data.lstrip(b" \t\r\n")
    if start.startswith(b"{"):
        return tuple(_evidence(read_evidence(data)))
    if is_event_log(data):
        return (event_log_section(data),)
    require_size(data, what="file", limit=REPORT_LIMIT)
    if start.startswith(_PEM):
        label = "X509 CRL" if start.startswith(_PEM + b"X509 CRL") else "CERTIFICATE"
        return tuple(certificate_or_list(der) for der in read_pem(data, label))
    if data.startswith(b"\x30"):
        return (certificate_or_list(data),)
    if _is_table(data):
        return tuple(_table(data))
    evidence = read_evidence(data)
    return tuple(_evidence(evidence, table=data[REPORT_SIZE:] if evidence.tee is Tee.SEV_SNP else b""))


def _is_table(data: bytes) -> bool:
    return data[:16].hex() in {guid.replace("-", "") for guid in _NAMES_OF_TABLE}


def _evidence(evidence: Evidence, table: bytes = b"") -> Iterator[Section]:
    if evidence.binding is not None:
        yield Section("evidence file", tuple(_labels(evidence)))
    if evidence.tee is Tee.TDX:
        yield from quote_sections(evidence.report, evidence.event_log)
    else:
        yield _report(read_report(evidence.report))
    if table:
        yield from _table(table)
    else:
        yield from (certificate_or_list(der) for der in evidence.certificates)


def _labels(evidence: Evidence) -> Iterator[tuple[str, str]]:
    yield "tee", evidence.tee
    yield "binding", str(evidence.binding)
    for name in ("role", "uid"):
        value = getattr(evidence, name)
        if value is not None:
            yield name, str(value)
    for name in ("nonce", "spki", "user_data"):
        value = getattr(evidence, name)
        if value is not None:
            yield name, value.hex()
    yield "certificates", str(len(evidence.certificates))
    if evidence.event_log is not None:
        yield "event_log", f"{len(evidence.event_log)} bytes"


def _table(data: bytes) -> Iterator[Section]:
    for entry in certificate_table.read_certificate_table(data):
        name = _NAMES_OF_TABLE.get(entry.guid, "unknown")
        yield Section(f"table entry {entry.guid} ({name})", (("size", f"{len(entry.data)} bytes"),))
        if entry.guid in _NAMES_OF_TABLE:
            yield certificate_or_list(entry.data)


def _report(report: AttestationReport) -> Section:
    part = _part(report)
    product = part.product if part else None
    fields = (
        ("version", str(report.version)),
        ("product", f"{product} ({part.name})" if part else "a version 2 report does not say, or unknown"),
        ("signing_key", report.signing_key),
        ("author_key_en", spell_yes(report.key_flags & AUTHOR_KEY_EN)),
        ("mask_chip_key", spell_yes(report.key_flags & MASK_CHIP_KEY)),
        ("guest_svn", str(report.guest_svn)),
        ("vmpl", "asked for by the host" if report.vmpl == HOST_REQUESTED else str(report.vmpl)),
        ("policy", f"{report.policy:#x}: ABI {_abi(report)}{_bits(report.policy, GUEST_POLICY_BITS)}"),
        ("platform_info", f"{report.platform_info:#x}{_bits(report.platform_info, PLATFORM_INFO_BITS, ': ')}"),
        *((name, getattr(report, name).hex()) for name in _RAW),
        *((f"{name}_tcb", _tcb(getattr(report, f"{name}_tcb"), product)) for name in _TCBS),
        ("current_firmware", _dotted(report.current_firmware)),
        ("committed_firmware", _dotted(report.committed_firmware)),
        *_newer(report),
    )
    return Section("SEV-SNP attestation report", fields)


_TCBS = ("reported", "committed", "current", "launch")
_RAW = (
    "measurement",
    "report_data",
    "host_data",
    "id_key_digest",
    "author_key_digest",
    "family_id",
    "image_id",
    "report_id",
    "report_id_ma",
    "chip_id",
)


def _newer(report: AttestationReport) -> Iterator[tuple[str, str]]:
    if report.version >= FIRST_VERSION_WITH_CPUID:
        yield "cpuid", f"{report.cpuid_family:#x}/{report.cpuid_model:#x}/{report.cpuid_stepping:#x}"
    if report.version >= FIRST_VERSION_WITH_MITIGATIONS:
        yield "launch_mitigations", f"{report.launch_mit_vector:#x}"
        yield "current_mitigations", f"{report.current_mit_vector:#x}"


def _part(report: AttestationReport) -> Part | None:
    if report.version < FIRST_VERSION_WITH_CPUID:
        return None
    return _unless_malformed(lambda: part_of_cpuid(report.cpuid_family, report.cpuid_model, report.cpuid_stepping))


def _tcb(raw: bytes, product: ProductLine | None) -> str:
    tcb = _unless_malformed(lambda: Tcb.read(raw, product or ProductLine.MILAN))
    return f"{raw.hex()}: {tcb}" if tcb else raw.hex()


def _unless_malformed(read: Callable[[], Value]) -> Value | None:
    try:
        return read()
    except Malformed:
        return None


def _bits(value: int, bits: tuple[Bit, ...], before: str = ", ") -> str:
    names = set_names(value, bits)
    return before + ", ".join(names) if names else ""


def _abi(report: AttestationReport) -> str:
    return _dotted(minimum_abi(report.policy))


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
