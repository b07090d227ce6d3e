"""What a quote says about a TD: the TD report body, 584 bytes for TDX 1.0 and 648 for TDX 1.5.

Follows Intel's DCAP quote format, "TD Quote Body Descriptor" and "TD Quote Body" (the ECDSA quote library reference,
appendix A.3.2 and A.4). A version 4 quote carries the 1.0 body; a version 5 quote says which one. Bodies of SGX
enclaves and of TDs with the 1.5 extension are refused by name.
"""

from enum import IntEnum

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.layout import Layout, raw, structure, uint

REPORT_DATA_OFFSET = 520
REPORT_DATA_SIZE = 64  # bytes


class BodyType(IntEnum):
    """Body types of quote version 5."""

    SGX = 1
    TD_1_0 = 2
    TD_1_5 = 3
    TD_1_5_EX = 4


@structure(name="TD 1.0 report body", size=584)
class TdBody(Layout):
    """The body of TDX 1.0; what the host supplied is as good as the host, until a policy says what it must be."""

    tee_tcb_svn: bytes = raw(0, 16)  # of the TDX module that launched the TD
    mr_seam: bytes = raw(16, 48)
    mr_signer_seam: bytes = raw(64, 48)
    seam_attributes: int = uint(112, 8)
    td_attributes: int = uint(120, 8)
    xfam: int = uint(128, 8)
    mr_td: bytes = raw(136, 48)
    mr_config_id: bytes = raw(184, 48)  # the host's
    mr_owner: bytes = raw(232, 48)  # the host's
    mr_owner_config: bytes = raw(280, 48)  # the host's
    rtmr0: bytes = raw(328, 48)
    rtmr1: bytes = raw(376, 48)
    rtmr2: bytes = raw(424, 48)
    rtmr3: bytes = raw(472, 48)
    report_data: bytes = raw(REPORT_DATA_OFFSET, REPORT_DATA_SIZE)

    @property
    def rtmrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """RTMR0 to RTMR3."""
        return self.rtmr0, self.rtmr1, self.rtmr2, self.rtmr3


@structure(name="TD 1.5 report body", size=648)
class TdBody15(TdBody):
    """The body of TDX 1.5: that of 1.0 with the module's version of now, and the service TDs bound to this one."""

    tee_tcb_svn2: bytes = raw(584, 16)  # of the TDX module that runs the TD now
    mr_service_td: bytes = raw(600, 48)  # zero where no service TD is bound


@structure(name="TDX module in a TD report body", size=120)
class ModuleBody(Layout):
    """What comes first in a body: it is about the TDX module."""

    tee_tcb_svn: bytes = raw(0, 16)
    mr_seam: bytes = raw(16, 48)
    mr_signer_seam: bytes = raw(64, 48)
    seam_attributes: int = uint(112, 8)


CURRENT_TEE_TCB_SVN = slice(584, 600)
"""Where TDX 1.5 has the TEE_TCB_SVN of now."""

BODIES: dict[BodyType, type[TdBody]] = {BodyType.TD_1_0: TdBody, BodyType.TD_1_5: TdBody15}

_REFUSED = {
    BodyType.SGX: "an SGX enclave's report",
    BodyType.TD_1_5_EX: "a TD 1.5 report with the service TD extension",
}


def require_body_type(number: int) -> BodyType:
    """Give the type of a body that is read here.

    Raises Malformed (UNSUPPORTED) for 1 (SGX), 4 (TD 1.5 with extension) and every number that is not known.
    """
    known = set(BodyType)
    if number in known and (found := BodyType(number)) in BODIES:
        return found
    name = f" ({_REFUSED[BodyType(number)]})" if number in known else ""
    raise Malformed(
        f"quote: body type: expected 2 (TD 1.0) or 3 (TD 1.5), got {number}{name}", category=Category.UNSUPPORTED
    )
