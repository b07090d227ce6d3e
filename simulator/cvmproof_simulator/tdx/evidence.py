"""Evidence of a SIMULATED TD as files that the verifier reads; its collateral is `Collateral.files`."""

from cvmproof_formats.binding import BindingKind, Role, Tee, nonce_report_data
from cvmproof_formats.evidence import Evidence, write_evidence
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges
from cvmproof_simulator.tdx.td import SoftwareTd


def nonce_evidence(
    td: SoftwareTd,
    nonce: bytes,
    changes: QuoteChanges | None = None,
    *,
    version: int = 4,
    with_event_log: bool = False,
) -> bytes:
    """An evidence file bound to a nonce of 32 bytes; `changes` are made to the quote before it is signed.

    Raises Misuse for another length of nonce, Malformed for a field that does not fit.
    """
    report_data = nonce_report_data(role=Role.SERVER, tee=Tee.TDX, nonce=nonce)
    quote = td.quote(report_data, version=version, **(changes or {}))
    return wrap(quote, nonce, td.event_log() if with_event_log else None)


def wrap(quote: bytes, nonce: bytes, event_log: bytes | None = None) -> bytes:
    """Any quote, right or wrong, in an evidence file that says it is bound to the nonce."""
    evidence = Evidence(
        tee=Tee.TDX, binding=BindingKind.NONCE, role=Role.SERVER, nonce=nonce, report=quote, event_log=event_log
    )
    return write_evidence(evidence)
