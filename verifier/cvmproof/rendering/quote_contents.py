"""What a TDX quote says, and the log of a boot beside it, field by field; believed by nobody."""

from collections.abc import Iterator

from cvmproof.rendering.certificate_contents import certificate_or_list
from cvmproof.rendering.section import Section, spell_bits
from cvmproof.spelling import escape
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.body import TdBody, TdBody15
from cvmproof_formats.tdx.certification_data import QeCertification, read_pck_chain
from cvmproof_formats.tdx.event_log import EV_IPL, RTMRS, EventLog, read_event_log
from cvmproof_formats.tdx.header import INTEL_QE_VENDOR_ID
from cvmproof_formats.tdx.qe_report import ENCLAVE_ATTRIBUTE_BITS
from cvmproof_formats.tdx.quote import Quote, read_padded_quote
from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn
from cvmproof_formats.tdx.xfam import XFAM_BITS

_SPEC_ID = slice(32, 48), b"Spec ID Event03\0"  # TCG profile 10.2.1: behind the head of the first event
# Nobody logs all that extends RTMR3: events explain it only where they happen to.
_LOGGED_IN_FULL = (0, 1, 2)
_LINES = 8  # of what a boot loader logged
_LINE_LIMIT = 200  # characters
_TITLE = "event log"


def quote_sections(data: bytes, event_log: bytes | None) -> Iterator[Section]:
    """Read a quote, with zeros behind it or without, and the log beside it, if there is one; raises Malformed."""
    quote = read_padded_quote(data)
    yield Section("TDX quote", tuple(_header(quote)))
    yield Section(f"{quote.body.layout_name} (type {quote.body_type:d})", tuple(_body(quote.body)))
    yield Section("quoting enclave's report", tuple(_quoting_enclave(quote.qe)))
    yield from _chain(quote.qe.pck_chain)
    if event_log is not None:
        yield event_log_section(event_log, quote.body)


def is_event_log(data: bytes) -> bool:
    """Tell a log by how it starts."""
    where, what = _SPEC_ID
    return data[where] == what


def event_log_section(data: bytes, body: TdBody | None = None) -> Section:
    """Summarise a log; `body` is that of the quote beside it."""
    size = ("size", f"{len(data)} bytes")
    try:
        log = read_event_log(data)
    except Malformed as error:
        return Section(_TITLE, (size, ("problem", escape(str(error)))))
    events = ("events", str(len(log.events)))
    return Section(_TITLE, (size, events, *_registers(log, body), *_oddities(log), *_boot_loader(log)))


def _header(quote: Quote) -> Iterator[tuple[str, str]]:
    header = quote.header
    yield "version", str(header.version)
    yield "attestation_key_type", f"{header.attestation_key_type} (ECDSA P-256)"
    yield "tee_type", f"{header.tee_type:#010x} (TDX)"
    yield "qe_vendor_id", f"{header.qe_vendor_id.hex()}{' (Intel)' * (header.qe_vendor_id == INTEL_QE_VENDOR_ID)}"
    yield "user_data", header.user_data.hex()
    yield "attestation_key", quote.attestation_key.hex()
    yield "signature", quote.signature.hex()
    if quote.padding:
        yield "padding", f"{quote.padding} zero bytes behind the quote"


def _body(body: TdBody) -> Iterator[tuple[str, str]]:
    yield "tee_tcb_svn", _svn(body.tee_tcb_svn)
    if isinstance(body, TdBody15):
        yield "tee_tcb_svn2", _svn(body.tee_tcb_svn2)
    yield "mr_seam", body.mr_seam.hex()
    yield "mr_signer_seam", body.mr_signer_seam.hex()
    yield "seam_attributes", f"{body.seam_attributes:#x}"
    yield "td_attributes", spell_bits(body.td_attributes, TD_ATTRIBUTE_BITS)
    yield "xfam", spell_bits(body.xfam, XFAM_BITS)
    for name in ("mr_td", "mr_config_id", "mr_owner", "mr_owner_config", "rtmr0", "rtmr1", "rtmr2", "rtmr3"):
        yield name, getattr(body, name).hex()
    if isinstance(body, TdBody15):
        yield "mr_service_td", body.mr_service_td.hex()
    yield "report_data", body.report_data.hex()


def _quoting_enclave(qe: QeCertification) -> Iterator[tuple[str, str]]:
    report = qe.report
    yield "mr_signer", report.mr_signer.hex()
    yield "mr_enclave", report.mr_enclave.hex()
    yield "isv_prod_id", str(report.isv_prod_id)
    yield "isv_svn", str(report.isv_svn)
    yield "cpu_svn", report.cpu_svn.hex()
    yield "miscselect", report.miscselect.hex()
    yield "attributes", f"{report.attributes.hex()}: {spell_bits(report.flags, ENCLAVE_ATTRIBUTE_BITS)}"
    yield "report_data", report.report_data.hex()
    yield "signature", qe.signature.hex()
    yield "authentication_data", qe.authentication_data.hex() or "none"


def _chain(pem: bytes) -> Iterator[Section]:
    try:
        found = read_pck_chain(pem)
    except Malformed as error:
        yield Section("PCK chain", (("size", f"{len(pem)} bytes"), ("problem", escape(str(error)))))
        return
    yield from map(certificate_or_list, found)


def _svn(data: bytes) -> str:
    svn = TeeTcbSvn.read(data)
    return f"{data.hex()}: {svn}, {svn.module_id or 'TDX 1.0'}"


def _registers(log: EventLog, body: TdBody | None) -> Iterator[tuple[str, str]]:
    for rtmr, replayed in zip(range(RTMRS), log.replay(), strict=True):
        number = len(log.of(rtmr))
        count = f"{number} event{'s' * (number != 1)}, replayed"
        if body is None:
            yield f"rtmr{rtmr}", f"{count}: {replayed.hex()}"
        elif replayed == body.rtmrs[rtmr]:
            yield f"rtmr{rtmr}", f"{count}: as in the quote"
        elif rtmr in _LOGGED_IN_FULL:
            yield f"rtmr{rtmr}", f"{count}: {replayed.hex()}, and not what the quote says"
        else:
            yield f"rtmr{rtmr}", f"{count}: {replayed.hex()}; not all that extends it is logged"


def _oddities(log: EventLog) -> Iterator[tuple[str, str]]:
    if contradicted := len(log.contradicted()):
        yield "contradicted", f"{contradicted} with data that is not what was measured"
    if unseparated := log.unseparated():
        yield "unseparated", ", ".join(f"rtmr{rtmr}" for rtmr in unseparated)


def _boot_loader(log: EventLog) -> Iterator[tuple[str, str]]:
    """Show what boot loaders say they measured: commands, and command lines."""
    events = [event for event in log.events if event.type == EV_IPL]
    for number, event in enumerate(events[:_LINES], 1):
        text = escape(event.data.rstrip(b"\0").decode("utf-8", "replace"), _LINE_LIMIT)
        yield f"ipl {number}", f"rtmr{event.rtmr}: {text}{'' if event.covered else ' (not what was measured)'}"
    if len(events) > _LINES:
        yield "ipl", f"{len(events) - _LINES} more"
