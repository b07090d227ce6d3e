"""Which collateral evidence needs, read off what it says of itself."""

from cvmproof.collateral.intel_keys import Issue, Update, wanted_for_platform
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted, wanted_for
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Malformed
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.snp.product import ProductLine, part_of_cpuid
from cvmproof_formats.snp.report import FIRST_VERSION_WITH_CPUID, AttestationReport, read_report
from cvmproof_formats.snp.tcb import read_tcb


def wanted_for_evidence(evidence: Evidence, issue: Issue = Update.STANDARD) -> tuple[Wanted, ...]:
    """Name the collateral of a report, for each product line it can be of, or of a quote; `issue` is for the latter.

    Raises Malformed for evidence that can't be read, or of a CPU that is not known.
    """
    if evidence.tee is Tee.TDX:
        return _wanted_for_quote(evidence.report, issue)
    report = read_report(evidence.report)
    return tuple(wanted for product in _products(report) for wanted in _wanted(report, product))


def _wanted_for_quote(data: bytes, issue: Issue) -> tuple[Wanted, ...]:
    """Follow the PCK certificate; one that does not say what it must is refused whatever else is at hand."""
    from cvmproof.tdx.chain import examine_pck_chain  # noqa: PLC0415 -- SNP evidence loads nothing of TDX
    from cvmproof_formats.tdx.quote import read_padded_quote  # noqa: PLC0415 -- as above

    identity = examine_pck_chain(read_padded_quote(data).qe.pck_chain).identity
    return () if identity is None else wanted_for_platform(fmspc=identity.fmspc, ca=identity.ca, issue=issue)


# A version 2 report does not name its product line; Turin firmware never wrote one.
_V2_PRODUCTS = (ProductLine.MILAN, ProductLine.GENOA)


def _products(report: AttestationReport) -> tuple[ProductLine, ...]:
    if report.version < FIRST_VERSION_WITH_CPUID:
        return _V2_PRODUCTS
    return (part_of_cpuid(report.cpuid_family, report.cpuid_model, report.cpuid_stepping).product,)


def _wanted(report: AttestationReport, product: ProductLine) -> tuple[Wanted, ...]:
    kind = report.signing_key
    try:
        tcb = read_tcb(report.reported_tcb, product)
    except Malformed:
        return ChainKey(product=product, kind=kind), CrlKey(product=product, kind=kind)
    return wanted_for(product=product, kind=kind, chip_id=report.chip_id, tcb=tcb)
