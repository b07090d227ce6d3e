"""Evidence of a SIMULATED machine, and the collateral it needs, as files that the verifier reads."""

from collections.abc import Mapping
from datetime import UTC, datetime

from cvmproof_formats.binding import BindingKind, Role, Tee, nonce_report_data
from cvmproof_formats.evidence import Evidence, write_evidence
from cvmproof_simulator.psp import ReportFields, SoftwarePsp


def nonce_evidence(
    psp: SoftwarePsp, nonce: bytes, changes: ReportFields | None = None, *, with_certificates: bool = False
) -> bytes:
    """An evidence file bound to a nonce of 32 bytes; `changes` are fields of the report, changed before signing.

    Raises Misuse for another length of nonce, Malformed for a field that does not fit.
    """
    report_data = nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=nonce)
    return wrap(psp.report(report_data, **(changes or {})), nonce, psp.certificates() if with_certificates else ())


def wrap(report: bytes, nonce: bytes, certificates: tuple[bytes, ...] = ()) -> bytes:
    """Any report of 1184 bytes, right or wrong, in an evidence file that says it is bound to the nonce."""
    evidence = Evidence(
        tee=Tee.SEV_SNP,
        binding=BindingKind.NONCE,
        role=Role.SERVER,
        nonce=nonce,
        report=report,
        certificates=certificates,
    )
    return write_evidence(evidence)


def list_issued(now: datetime) -> datetime:
    """When SIMULATED collateral was issued: at the midnight before, so that on one day none is older than another."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def collateral_files(psp: SoftwarePsp, now: datetime) -> Mapping[str, bytes]:
    """Root, intermediate, endorsement certificate and the day's revocation list, DER, by file name."""
    leaf, intermediate, root = psp.certificates()
    line, key = psp.product.value.lower(), psp.key.value.lower()
    above = "ask" if key == "vcek" else "asvk"
    return {
        f"simulated-{line}-ark.der": root,
        f"simulated-{line}-{above}.der": intermediate,
        f"simulated-{line}-{key}.der": leaf,
        f"simulated-{line}-ark.crl": psp.authorities.crl(list_issued(now)),
    }
