"""What a TDX quote, its PCK certificate and Intel's collateral say, as a document."""

from typing import TYPE_CHECKING, Literal, TypedDict

from cvmproof.claims_document import BitsDocument, bits_document
from cvmproof.spelling import escape, spell_time
from cvmproof_formats.tdx.tcb_status import TcbStatus

if TYPE_CHECKING:
    from cvmproof.claims import TdxClaims
    from cvmproof.tdx.tcb import TdRating
    from cvmproof_formats.tdx.pck import PckIdentity


class TdxTcbDocument(TypedDict):
    """The state of the TCB in Intel's spelling; parts are those at launch.

    Without a level that fits, `status` is "NotSupported" and the parts are None; `module` is also None for a TDX module
    without a version.
    """

    status: TcbStatus
    platform: TcbStatus | None
    module: TcbStatus | None
    qe: TcbStatus | None
    advisories: list[str]


class TdxPlatformDocument(TypedDict):
    """What the PCK certificate says; `instance_id` and the three switches are the Platform CA's only."""

    ca: Literal["platform", "processor"]
    fmspc: str
    pceid: str
    pcesvn: int
    ppid: str
    components: list[int]
    sgx_type: int
    instance_id: str | None
    dynamic_platform: bool | None
    cached_keys: bool | None
    smt_enabled: bool | None


class QuotingEnclaveDocument(TypedDict):
    """What the quoting enclave's report says."""

    mrsigner: str
    mrenclave: str
    isvprodid: int
    isvsvn: int


class TdxClaimsDocument(TypedDict):
    """What a TDX quote says; believed only as far as the verdict goes.

    `tcb` is None where there was nothing to rate it by; `tee_tcb_svn2` and `mr_service_td` are TDX 1.5's.
    """

    tee: Literal["tdx"]
    version: int
    body_type: int
    tcb: TdxTcbDocument | None
    tcb_launch: TcbStatus | None
    tcb_current: TcbStatus | None
    tcb_date: str | None
    tcb_info_evaluation_number: int | None
    qe_identity_evaluation_number: int | None
    tee_tcb_svn: str
    tee_tcb_svn2: str | None
    module: str
    mr_seam: str
    mr_signer_seam: str
    seam_attributes: str
    attributes: BitsDocument
    xfam: BitsDocument
    mr_td: str
    mr_config_id: str
    mr_owner: str
    mr_owner_config: str
    rtmr0: str
    rtmr1: str
    rtmr2: str
    rtmr3: str
    mr_service_td: str | None
    report_data: str
    quoting_enclave: QuotingEnclaveDocument
    platform: TdxPlatformDocument | None


def tdx_claims_document(claims: "TdxClaims") -> TdxClaimsDocument:
    """Put them into a document."""
    # The document of an SNP report has these types, and needs nothing of what a quote is made of.
    from cvmproof_formats.tdx.body import TdBody15  # noqa: PLC0415 -- said above
    from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS  # noqa: PLC0415 -- said above
    from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn  # noqa: PLC0415 -- said above
    from cvmproof_formats.tdx.xfam import XFAM_BITS  # noqa: PLC0415 -- said above

    quote, rating = claims.quote, claims.rating
    body, current = quote.body, quote.current_tee_tcb_svn
    return {
        "tee": "tdx",
        "version": quote.header.version,
        "body_type": quote.body_type,
        "tcb": _tcb(rating) if rating else None,
        "tcb_launch": rating.launch.status if rating else None,
        "tcb_current": rating.current.status if rating and rating.current else None,
        "tcb_date": spell_time(rating.launch.tcb_date) if rating and rating.launch.tcb_date else None,
        "tcb_info_evaluation_number": claims.tcb_info.evaluation_number if claims.tcb_info else None,
        "qe_identity_evaluation_number": claims.qe_identity.evaluation_number if claims.qe_identity else None,
        "tee_tcb_svn": body.tee_tcb_svn.hex(),
        "tee_tcb_svn2": current.hex() if current is not None else None,
        "module": str(TeeTcbSvn.read(body.tee_tcb_svn)),
        "mr_seam": body.mr_seam.hex(),
        "mr_signer_seam": body.mr_signer_seam.hex(),
        "seam_attributes": f"{body.seam_attributes:#x}",
        "attributes": bits_document(body.td_attributes, TD_ATTRIBUTE_BITS),
        "xfam": bits_document(body.xfam, XFAM_BITS),
        "mr_td": body.mr_td.hex(),
        "mr_config_id": body.mr_config_id.hex(),
        "mr_owner": body.mr_owner.hex(),
        "mr_owner_config": body.mr_owner_config.hex(),
        "rtmr0": body.rtmr0.hex(),
        "rtmr1": body.rtmr1.hex(),
        "rtmr2": body.rtmr2.hex(),
        "rtmr3": body.rtmr3.hex(),
        "mr_service_td": body.mr_service_td.hex() if isinstance(body, TdBody15) else None,
        "report_data": body.report_data.hex(),
        "quoting_enclave": _quoting_enclave(claims),
        "platform": _platform(claims.pck) if claims.pck else None,
    }


def _tcb(rating: "TdRating") -> TdxTcbDocument:
    launch = rating.launch
    return {
        "status": rating.status,
        "platform": launch.platform,
        "module": launch.module,
        "qe": launch.qe,
        "advisories": [escape(name) for name in launch.advisories],
    }


def _quoting_enclave(claims: "TdxClaims") -> QuotingEnclaveDocument:
    report = claims.quote.qe.report
    return {
        "mrsigner": report.mr_signer.hex(),
        "mrenclave": report.mr_enclave.hex(),
        "isvprodid": report.isv_prod_id,
        "isvsvn": report.isv_svn,
    }


def _platform(pck: "PckIdentity") -> TdxPlatformDocument:
    platform = pck.platform
    return {
        "ca": pck.ca.value,
        "fmspc": pck.fmspc.hex(),
        "pceid": pck.pceid.hex(),
        "pcesvn": pck.pcesvn,
        "ppid": pck.ppid.hex(),
        "components": list(pck.components),
        "sgx_type": pck.sgx_type,
        "instance_id": platform.instance_id.hex() if platform else None,
        "dynamic_platform": platform.dynamic_platform if platform else None,
        "cached_keys": platform.cached_keys if platform else None,
        "smt_enabled": platform.smt_enabled if platform else None,
    }
