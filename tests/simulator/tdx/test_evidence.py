import pytest

from cvmproof_formats.errors import Malformed, Misuse
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.tdx.evidence import nonce_evidence, wrap
from cvmproof_simulator.tdx.td import SoftwareTd

TD = SoftwareTd()
NONCE = bytes(range(32))


def test_evidence_is_read_back() -> None:
    evidence = read_evidence(nonce_evidence(TD, NONCE, {"td_attributes": 1}, version=5, with_event_log=True))
    assert evidence.nonce == NONCE
    assert evidence.event_log == TD.event_log()
    assert read_quote(evidence.report).body.td_attributes == 1


def test_anything_can_be_wrapped() -> None:
    assert read_evidence(wrap(b"no quote", NONCE)).report == b"no quote"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(Misuse, match="nonce: expected exactly 32 bytes"):
        nonce_evidence(TD, b"short")
    with pytest.raises(Malformed, match="mr_td: expected 48 bytes"):
        nonce_evidence(TD, NONCE, {"mr_td": b"short"})
