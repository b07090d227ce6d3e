"""From a report to evidence: what the host adds is bounded, and never a reason to give none or too much."""

import pytest
from tests.agent.machine import FakeDevice

from cvmproof_agent.gathering import gather
from cvmproof_agent.statement import NonceStatement
from cvmproof_formats.binding import Role
from cvmproof_formats.errors import DeviceError
from cvmproof_formats.evidence import EVENT_LOG_LIMIT

STATEMENT = NonceStatement(role=Role.SERVER, nonce=bytes(32))


def test_labels_report_and_certificates_come_together() -> None:
    evidence = gather(FakeDevice(host_certificates=(b"a", b"b")), STATEMENT)
    assert (evidence.certificates, evidence.nonce, len(evidence.report)) == ((b"a", b"b"), bytes(32), 1184)
    assert evidence.event_log is None


@pytest.mark.parametrize("certificates", [(bytes(65536),), (b"x",) * 33, (bytes(64352), b"x")])
def test_certificates_that_are_too_many_or_too_large_are_left_out(certificates: tuple[bytes, ...]) -> None:
    assert gather(FakeDevice(host_certificates=certificates), STATEMENT).certificates == ()


def test_certificates_up_to_the_limit_are_kept() -> None:
    certificates = (bytes(64 * 1024 - 1184),)
    assert gather(FakeDevice(host_certificates=certificates), STATEMENT).certificates == certificates


def test_an_event_log_that_is_too_large_is_refused_and_one_at_the_limit_is_not() -> None:
    with pytest.raises(DeviceError, match="at most 4194304 bytes of event log, got 4194305"):
        gather(FakeDevice(log=bytes(EVENT_LOG_LIMIT + 1)), STATEMENT, event_log=True)
    whole = bytes(EVENT_LOG_LIMIT)
    assert gather(FakeDevice(log=whole), STATEMENT, event_log=True).event_log == whole
