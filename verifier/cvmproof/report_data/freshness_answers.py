"""Answers about REPORT_DATA: whether the evidence was made for this verifier, now."""

from cvmproof.check import Answer, failed, require
from cvmproof.freshness import ExpectedNonce, ExpectedReportData
from cvmproof.report_data.answering import Bound, answers
from cvmproof_formats.binding import BindingKind, Role, key_report_data, nonce_report_data
from cvmproof_formats.errors import Misuse

# From a file: the TLS session of channel-bound evidence is gone, and user data is no nonce of the verifier's.
_CHECKED_BY_NONCE = {None: "raw", BindingKind.NONCE: "nonce", BindingKind.KEY: "key"}


@answers("binding.domain")
def binding_domain(case: Bound) -> Answer:
    """The evidence must be labelled as bound to the nonce alone or to nonce and key, or carry no label."""
    label = case.evidence.binding
    return require(label in _CHECKED_BY_NONCE, "nonce or key", label or "no label")


@answers("freshness.report_data")
def freshness_report_data(case: Bound) -> Answer:
    """REPORT_DATA must be what the verifier expects: given as it is, or computed from the verifier's own nonce."""
    found, freshness = case.report_data, case.freshness
    if isinstance(freshness, ExpectedReportData):
        return require(found == freshness.report_data, freshness.report_data, found)
    if not isinstance(freshness, ExpectedNonce):
        return failed("a nonce or report data", "neither")
    try:
        expected = _from_nonce(case, freshness.nonce)
    except Misuse as error:
        return failed("evidence bound to the nonce", str(error))
    return require(found == expected, expected, found)


def _from_nonce(case: Bound, nonce: bytes) -> bytes:
    evidence = case.evidence
    role = evidence.role or Role.SERVER
    if evidence.binding is BindingKind.KEY:
        return key_report_data(role=role, tee=evidence.tee, nonce=nonce, spki=evidence.spki or b"")
    return nonce_report_data(role=role, tee=evidence.tee, nonce=nonce)
