"""What evidence says, in the words of its format; believed only as far as the verdict goes.

An appraisal of one technology loads nothing of the other: only those who look inside its claims do.
"""

from typing import TYPE_CHECKING

from cvmproof_formats.errors import Malformed
from cvmproof_formats.record import record
from cvmproof_formats.snp.tcb import Tcb, read_tcb

if TYPE_CHECKING:
    from cvmproof.tdx.tcb import TdRating
    from cvmproof_formats.snp.product import KeyKind, Part, ProductLine
    from cvmproof_formats.snp.report import AttestationReport
    from cvmproof_formats.tdx.pck import PckIdentity
    from cvmproof_formats.tdx.qe_identity import QeIdentity
    from cvmproof_formats.tdx.quote import Quote
    from cvmproof_formats.tdx.tcb_info import TcbInfo


@record
class SnpClaims:
    """What a report says, and which key signed it; `product` is None where neither report nor certificate tells."""

    report: "AttestationReport"
    product: "ProductLine | None"
    part: "Part | None"
    key: "KeyKind"
    csp_id: str | None

    def tcb(self, raw: bytes) -> Tcb | None:
        """Read one of the report's TCBs, None where its layout is not known or it does not fit."""
        try:
            return read_tcb(raw, self.product) if self.product else None
        except Malformed:
            return None


@record
class TdxClaims:
    """What a quote says, what its PCK certificate says, and how the TD is rated by the collateral that was at hand."""

    quote: "Quote"
    pck: "PckIdentity | None"
    rating: "TdRating | None"
    tcb_info: "TcbInfo | None"
    qe_identity: "QeIdentity | None"


Claims = SnpClaims | TdxClaims
