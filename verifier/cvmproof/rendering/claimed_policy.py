"""A policy that demands what evidence claims, with comments that say so."""

from cvmproof.policy.floors import AMD_SB_3023
from cvmproof.policy.writing import TomlValue, write_toml
from cvmproof.rendering.claimed_tdx_policy import claimed_tdx_policy
from cvmproof.spelling import escape
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.snp.product import KeyKind, Part, ProductLine, part_of_cpuid
from cvmproof_formats.snp.report import FIRST_VERSION_WITH_CPUID, AttestationReport, read_report
from cvmproof_formats.snp.tcb import TCB_SIZE, Tcb, components_below
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.x509 import read_certificate

_COMMENTS = {
    "snp.measurements": "the software it claims to run",
    "snp.host_data": "the launch configuration it claims",
    "snp.id_key_digests": "who it claims vouched for the launch",
    "snp.chip_ids": "the machine it claims to be",
    "snp.minimum_report_version": "the version of its report",
    "snp.signing_keys": "the kind of key it claims to be signed with",
    "snp.csp_ids": "the provider its certificate names",
    "snp.vmpls": "the privilege level it claims",
}


def claimed_policy(evidence: Evidence, title: str) -> str:
    """Write the policy as TOML; `title` names the evidence, escaped by the caller.

    Raises Malformed for evidence that can't be read; UNSUPPORTED where it does not say its product line.
    """
    if evidence.tee is Tee.TDX:
        text, looser = claimed_tdx_policy(evidence)
        taken = f"It takes what builtin:recommended refuses, by {', '.join(looser)}." if looser else ""
        return _head(title, taken) + text
    report = read_report(evidence.report)
    part, product = _part_and_product(report, evidence)
    floor = _lowest(report)
    document: dict[str, TomlValue] = {"extends": "builtin:recommended", "snp": _rules(report, product, floor, evidence)}
    return _head(title, _shortfall(floor, part, product)) + write_toml(document, _COMMENTS)


def _head(title: str, warning: str) -> str:
    lines = [
        f"# What {title} claims of itself. Nothing was checked: anybody can write such evidence.",
        "# Use it only if you know that the evidence comes from a machine you trust, and read every line.",
    ]
    return "\n".join([*lines, f"# {warning}"] if warning else lines) + "\n"


def _shortfall(floor: bytes, part: Part | None, product: ProductLine) -> str:
    wanted = AMD_SB_3023.products[product].for_part(part, product).build(product)
    below = components_below(floor, wanted)
    return f"Its TCB lies BELOW the floor {AMD_SB_3023.name}: known faults of that firmware are open." if below else ""


def _rules(report: AttestationReport, product: ProductLine, floor: bytes, evidence: Evidence) -> dict[str, TomlValue]:
    rules: dict[str, TomlValue] = {"minimum_report_version": report.version}
    rules |= _key_rules(report, evidence)
    rules |= {"vmpls": [report.vmpl], "measurements": [report.measurement.hex()]}
    if any(report.host_data):
        rules["host_data"] = [report.host_data.hex()]
    if any(report.id_key_digest):
        rules["id_key_digests"] = [report.id_key_digest.hex()]
    if any(report.chip_id):
        rules["chip_ids"] = [report.chip_id.hex()]
    taken = "pinned" if product is ProductLine.MILAN else "allowed"
    rules["products"] = {line.value: taken if line is product else "forbidden" for line in ProductLine}
    rules["tcb_floor"] = {product.value: dict(Tcb.read(floor, product).components())}
    if not _alias_checked(report):
        rules["platform_info"] = {"alias_check_complete": "any"}
    return rules


def _key_rules(report: AttestationReport, evidence: Evidence) -> dict[str, TomlValue]:
    rules: dict[str, TomlValue] = {"signing_keys": [report.signing_key.value]}
    provider = _csp_id(evidence)
    if provider is not None:
        rules["csp_ids"] = [escape(provider)]
    if report.signing_key is KeyKind.VCEK and not any(report.chip_id):
        rules["masked_chip_id"] = "any"
    return rules


def _lowest(report: AttestationReport) -> bytes:
    """The lowest of its four TCBs, component by component: a floor that the evidence itself reaches, and no lower."""
    tcbs = (report.reported_tcb, report.committed_tcb, report.current_tcb, report.launch_tcb)
    return bytes(min(tcb[i] for tcb in tcbs) for i in range(TCB_SIZE))


def _alias_checked(report: AttestationReport) -> bool:
    return any(bit.name == "alias_check_complete" and report.platform_info & bit.mask for bit in PLATFORM_INFO_BITS)


def _part_and_product(report: AttestationReport, evidence: Evidence) -> tuple[Part | None, ProductLine]:
    if report.version >= FIRST_VERSION_WITH_CPUID:
        part = part_of_cpuid(report.cpuid_family, report.cpuid_model, report.cpuid_stepping)
        return part, part.product
    for der in evidence.certificates:
        try:
            return None, read_vek(read_certificate(der).extensions).product
        except Malformed:
            continue
    message = "a version 2 report does not say its product line, and no certificate in the evidence does"
    raise Malformed(message, category=Category.UNSUPPORTED)


def _csp_id(evidence: Evidence) -> str | None:
    for der in evidence.certificates:
        try:
            found = read_vek(read_certificate(der).extensions).csp_id
        except Malformed:
            continue
        if found is not None:
            return found
    return None
