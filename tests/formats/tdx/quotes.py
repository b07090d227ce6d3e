"""Quotes for tests of the format alone: every byte tells where it stands, and no signature is one."""

from dataclasses import replace

from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.body import TdBody, TdBody15
from cvmproof_formats.tdx.certification_data import build_qe_certification
from cvmproof_formats.tdx.qe_report import EnclaveReport
from cvmproof_formats.tdx.quote import build_quote, build_signed

CERTIFICATES = tuple(b"\x30\x03\x02\x01" + bytes([number]) for number in range(3))
CHAIN = b"".join(map(write_pem, CERTIFICATES)) + b"\0"
USER_DATA = bytes(range(1, 21))
SIGNATURE, KEY, QE_SIGNATURE = b"\x51" * 64, b"\x52" * 64, b"\x53" * 64
AUTHENTICATION_DATA = bytes(range(32))
QE_REPORT = replace(
    EnclaveReport.parse(bytes(384)), cpu_svn=b"\x61" * 16, isv_prod_id=2, isv_svn=7, report_data=b"\x62" * 64
)
BODY = TdBody(
    tee_tcb_svn=bytes((3, 0, 5)).ljust(16, b"\0"),
    mr_seam=b"\xa1" * 48,
    mr_signer_seam=b"\xa2" * 48,
    seam_attributes=0,
    td_attributes=0x10000000,
    xfam=0x602E7,
    mr_td=b"\xa3" * 48,
    mr_config_id=b"\xa4" * 48,
    mr_owner=b"\xa5" * 48,
    mr_owner_config=b"\xa6" * 48,
    rtmr0=b"\xb0" * 48,
    rtmr1=b"\xb1" * 48,
    rtmr2=b"\xb2" * 48,
    rtmr3=b"\xb3" * 48,
    report_data=b"\x71" * 64,
)
BODY_15 = replace(
    TdBody15.parse(BODY.build() + bytes(64)),
    tee_tcb_svn=bytes((7, 1, 3)).ljust(16, b"\0"),
    tee_tcb_svn2=bytes((13, 1, 4)).ljust(16, b"\0"),
    mr_service_td=b"\x72" * 48,
)
# Every kind of quote that is read: its version, and its body.
KINDS = ((4, BODY), (5, BODY), (5, BODY_15))


def certification(
    *,
    report: EnclaveReport = QE_REPORT,
    authentication_data: bytes = AUTHENTICATION_DATA,
    chain: bytes = CHAIN,
    inner_type: int = 5,
    outer_type: int = 6,
) -> bytes:
    """Certification data, 6 with 5 inside unless told otherwise."""
    return build_qe_certification(
        qe_report=report.build(),
        signature=QE_SIGNATURE,
        authentication_data=authentication_data,
        pck_chain=chain,
        inner_type=inner_type,
        outer_type=outer_type,
    )


def quote(version: int = 4, body: TdBody = BODY, *, certified: bytes | None = None) -> bytes:
    """A quote of that version around that body."""
    return build_quote(
        signed=build_signed(body, version=version, user_data=USER_DATA),
        signature=SIGNATURE,
        attestation_key=KEY,
        certification=certification() if certified is None else certified,
    )


def patched(data: bytes, offset: int, new: bytes) -> bytes:
    """The same bytes with others in one place."""
    return data[:offset] + new + data[offset + len(new) :]
