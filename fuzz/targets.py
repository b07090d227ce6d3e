"""What is fuzzed: each function takes bytes from outside, and may do two things with them.

It gives a result or raises one of our errors. Anything else is a finding.
"""

import importlib
from collections.abc import Callable

from cvmproof_formats.errors import CvmproofError

# module and function; each takes bytes as its only argument
TARGETS = {
    "evidence": "cvmproof_formats.evidence:read_evidence",
    "report": "cvmproof_formats.snp.report:AttestationReport.parse",
    "certificate-table": "cvmproof_formats.snp.certificate_table:read_certificate_table",
    "certificate": "cvmproof_formats.x509:read_certificate",
    "crl": "cvmproof_formats.x509:read_crl",
    "pem": "cvmproof_formats.pem:certificates",
}


def load(name: str) -> Callable[[bytes], None]:
    """The target of that name, silent about our own errors only."""
    module, _, path = TARGETS[name].partition(":")
    parse: object = importlib.import_module(module)
    for part in path.split("."):
        parse = getattr(parse, part)
    if not callable(parse):
        raise TypeError(f"{TARGETS[name]} can't be called")
    function = parse

    def once(data: bytes) -> None:
        try:
            function(data)
        except CvmproofError:
            return

    return once
