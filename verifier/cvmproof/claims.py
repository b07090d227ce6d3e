"""What evidence says, in the words of its format; believed only as far as the verdict goes."""

from dataclasses import dataclass

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.product import KeyKind, Part, ProductLine
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.snp.tcb import Tcb, read_tcb


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpClaims:
    """What a report says, and which key signed it; `product` is None where neither report nor certificate tells."""

    report: AttestationReport
    product: ProductLine | None
    part: Part | None
    key: KeyKind
    csp_id: str | None

    def tcb(self, raw: bytes) -> Tcb | None:
        """Read one of the report's TCBs, None where its layout is not known or it does not fit."""
        try:
            return read_tcb(raw, self.product) if self.product else None
        except Malformed:
            return None
