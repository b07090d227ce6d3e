"""What is fuzzed: each function takes bytes from outside, and may do two things with them.

It gives a result or raises one of our errors. Anything else is a finding.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import cvmproof
from cvmproof_formats.errors import CvmproofError
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.pem import certificates
from cvmproof_formats.snp.certificate_table import read_certificate_table
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.x509 import read_certificate, read_crl
from cvmproof_simulator.psp import SoftwarePsp

AT = datetime(2026, 11, 1, tzinfo=UTC)
GENUINE = cvmproof.builtin_policy("genuine")


def read_policy(data: bytes) -> object:
    """Read a policy of either form."""
    return cvmproof.read_policy(data, name="fuzzed")


def appraise(data: bytes) -> object:
    """Appraise, and render the whole result."""
    appraisal = cvmproof.appraise(
        read_evidence(data),
        policies=[GENUINE],
        trust=cvmproof.TrustRoots.simulated(),
        freshness=cvmproof.NoFreshness(),
        now=AT,
    )
    return [str(check) for check in appraisal.checks]


TARGETS: dict[str, Callable[[bytes], object]] = {
    "appraise": appraise,
    "certificate": read_certificate,
    "certificate-table": read_certificate_table,
    "crl": read_crl,
    "evidence": read_evidence,
    "pem": certificates,
    "policy": read_policy,
    "report": AttestationReport.parse,
}


def once(name: str) -> Callable[[bytes], None]:
    """The target of that name, silent about our own errors only."""
    target = TARGETS[name]

    def run(data: bytes) -> None:
        try:
            target(data)
        except CvmproofError:
            return

    return run


def seeds() -> tuple[bytes, ...]:
    """Inputs to begin with: what the simulator makes, for every target alike."""
    psp = SoftwarePsp(ProductLine.GENOA)
    report = psp.report(bytes(64))
    return (report, *psp.certificates(), psp.authorities.crl(AT), report + bytes(24))
