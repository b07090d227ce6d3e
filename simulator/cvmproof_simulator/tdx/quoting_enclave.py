"""A SIMULATED quoting enclave: it makes quotes of TD reports, right or wrong on purpose.

    quote(platform, body)                                  version 4
    quote(platform, body, version=5)                       with the TD 1.5 body
    quote(platform, body, qe_isv_svn=3)                    of an old enclave
    quote(platform, body, qe_signed_by=other_key)          whose report another key signed

The attestation key signs header and body; the enclave's report vouches for that key; the platform's PCK key signs the
report; the PCK chain stands behind it, as certification data 5 in 6. Whatever a test wants to be different is one
keyword argument, and what follows from it follows: a changed field is signed.
"""

from dataclasses import fields, replace
from typing import Final, TypedDict, Unpack, cast

from cvmproof_formats.tdx.body import BODIES, BodyType, TdBody15
from cvmproof_formats.tdx.certification_data import CertificationType, build_qe_certification
from cvmproof_formats.tdx.header import ECDSA_P256, INTEL_QE_VENDOR_ID, TDX, QuoteHeader
from cvmproof_formats.tdx.qe_report import EnclaveReport, attestation_key_report_data
from cvmproof_formats.tdx.quote import FIRST_VERSION_WITH_BODY_TYPE, build_quote
from cvmproof_simulator.tdx.ecdsa import Key, raw_key, sign_raw
from cvmproof_simulator.tdx.platform import SoftwarePlatform

SIMULATED_QE_MRENCLAVE: Final = bytes.fromhex("51" * 32)
SIMULATED_QE_MRSIGNER: Final = bytes.fromhex("52" * 32)
QE_PRODUCT: Final = 2
"""ISVPRODID of a TD quoting enclave."""
QE_ATTRIBUTES: Final = bytes.fromhex("1500000000000000e700000000000000")
"""INIT, MODE64BIT, PROVISIONKEY; XFRM with AVX-512."""
QE_AUTHENTICATION_DATA: Final = bytes(range(32))
"""As Intel's own quote generation service has it."""

_HEADER = {"attestation_key_type", "tee_type", "qe_vendor_id", "user_data"}
_BODY = {field.name for field in fields(TdBody15)}
_QE_PREFIX = "qe_"
_QE = {_QE_PREFIX + field.name for field in fields(EnclaveReport)}


class HeaderFields(TypedDict, total=False):
    """The fields of QuoteHeader that don't decide the form, each optional."""

    attestation_key_type: int
    tee_type: int
    qe_vendor_id: bytes
    user_data: bytes


class BodyFields(TypedDict, total=False):
    """The fields of TdBody15, each optional; the report data is an argument of its own."""

    tee_tcb_svn: bytes
    mr_seam: bytes
    mr_signer_seam: bytes
    seam_attributes: int
    td_attributes: int
    xfam: int
    mr_td: bytes
    mr_config_id: bytes
    mr_owner: bytes
    mr_owner_config: bytes
    rtmr0: bytes
    rtmr1: bytes
    rtmr2: bytes
    rtmr3: bytes
    tee_tcb_svn2: bytes
    mr_service_td: bytes


class _ReportFields(TypedDict, total=False):
    """The fields of EnclaveReport, each optional."""

    cpu_svn: bytes
    miscselect: bytes
    attributes: bytes
    mr_enclave: bytes
    mr_signer: bytes
    isv_prod_id: int
    isv_svn: int
    report_data: bytes


class QuoteChanges(HeaderFields, BodyFields, total=False):
    """Whatever of a quote can be different: header and body fields, the QE report's with `qe_`, and forgeries."""

    qe_cpu_svn: bytes
    qe_miscselect: bytes
    qe_attributes: bytes
    qe_mr_enclave: bytes
    qe_mr_signer: bytes
    qe_isv_prod_id: int
    qe_isv_svn: int
    qe_report_data: bytes
    """64 bytes, instead of the hash that vouches for the attestation key."""
    body_type: int
    """2 (TD 1.0) or 3 (TD 1.5); another number is only stated, over a TD 1.5 body."""
    body_size: int
    """What version 5 states."""
    signed_by: Key
    """Who signs header and body, instead of the attestation key."""
    signature: bytes
    """r || s over header and body, 64 bytes, instead of a right one."""
    attestation_key: bytes
    """x || y, 64 bytes; the QE report vouches for it all the same."""
    qe_signed_by: Key
    """Who signs the QE report, instead of the PCK key."""
    qe_signature: bytes
    """r || s over the QE report, 64 bytes, instead of a right one."""
    authentication_data: bytes
    pck_chain: bytes
    """PEM, as `platform.chain` makes it."""
    inner_type: int
    outer_type: int
    certification: bytes
    """All of the certification data."""


def quote(platform: SoftwarePlatform, body: TdBody15, *, version: int = 4, **changes: Unpack[QuoteChanges]) -> bytes:
    """A signed quote of a body, with the given things changed before signing.

    Version 4 has a TD 1.0 body and version 5 a TD 1.5 one, unless `body_type` says otherwise. Raises Malformed for a
    field that does not fit.
    """
    signed = _signed(platform, body, version, changes)
    key = changes.get("attestation_key", raw_key(platform.attestation_key))
    signer = changes.get("signed_by", platform.attestation_key)
    certification = changes.get("certification")
    return build_quote(
        signed=signed,
        signature=changes.get("signature", sign_raw(signer, signed)),
        attestation_key=key,
        certification=_certification(platform, key, changes) if certification is None else certification,
    )


def qe_report(platform: SoftwarePlatform, key: bytes, **changes: Unpack[QuoteChanges]) -> EnclaveReport:
    """The quoting enclave's report, unsigned, for an attestation key (x || y, 64 bytes)."""
    authentication_data = changes.get("authentication_data", QE_AUTHENTICATION_DATA)
    report = EnclaveReport(
        cpu_svn=platform.cpusvn,
        miscselect=bytes(4),
        attributes=QE_ATTRIBUTES,
        mr_enclave=SIMULATED_QE_MRENCLAVE,
        mr_signer=SIMULATED_QE_MRSIGNER,
        isv_prod_id=QE_PRODUCT,
        isv_svn=platform.qe_svn,
        report_data=attestation_key_report_data(attestation_key=key, authentication_data=authentication_data),
    )
    chosen = {name.removeprefix(_QE_PREFIX): value for name, value in changes.items() if name in _QE}
    return replace(report, **cast("_ReportFields", chosen))


def _signed(platform: SoftwarePlatform, body: TdBody15, version: int, changes: QuoteChanges) -> bytes:
    default = BodyType.TD_1_5 if version >= FIRST_VERSION_WITH_BODY_TYPE else BodyType.TD_1_0
    kind = changes.get("body_type", default)
    header = QuoteHeader(
        version=version,
        attestation_key_type=ECDSA_P256,
        tee_type=TDX,
        qe_vendor_id=INTEL_QE_VENDOR_ID,
        user_data=platform.qe_id.ljust(20, b"\0"),
    )
    chosen = {name: value for name, value in changes.items() if name in _HEADER}
    parts = [replace(header, **cast("HeaderFields", chosen)).build()]
    content = _content(body, kind, changes)
    if version >= FIRST_VERSION_WITH_BODY_TYPE:
        parts += (kind.to_bytes(2, "little"), changes.get("body_size", len(content)).to_bytes(4, "little"))
    return b"".join((*parts, content))


def _content(body: TdBody15, kind: int, changes: QuoteChanges) -> bytes:
    chosen = {name: value for name, value in changes.items() if name in _BODY}
    content = replace(body, **cast("BodyFields", chosen)).build()
    # The TD 1.0 body is the first part of the TD 1.5 one.
    return content[: BODIES[BodyType.TD_1_0].layout_size] if kind == BodyType.TD_1_0 else content


def _certification(platform: SoftwarePlatform, key: bytes, changes: QuoteChanges) -> bytes:
    report = qe_report(platform, key, **changes).build()
    signer = changes.get("qe_signed_by", platform.pck_key)
    return build_qe_certification(
        qe_report=report,
        signature=changes.get("qe_signature", sign_raw(signer, report)),
        authentication_data=changes.get("authentication_data", QE_AUTHENTICATION_DATA),
        pck_chain=changes.get("pck_chain", platform.pck_chain()),
        inner_type=changes.get("inner_type", CertificationType.PCK_CHAIN),
        outer_type=changes.get("outer_type", CertificationType.QE_REPORT),
    )
