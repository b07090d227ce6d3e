"""The device that would be used: one that answers, one that lies, none."""

from tests.agent.machine import FakeDevice

from cvmproof_agent import open_device
from cvmproof_agent.doctor.device import examine_device
from cvmproof_agent.doctor.finding import Outcome


def test_a_device_that_answers_is_well_and_closed_again() -> None:
    device = FakeDevice()
    assert examine_device(lambda: device).outcome is Outcome.PASS
    assert device.closed.is_set()


def test_a_device_that_lies_is_not_well_and_closed_again() -> None:
    device = FakeDevice(change=lambda _: b"")
    finding = examine_device(lambda: device)
    assert finding.outcome is Outcome.FAIL
    assert "no report" in finding.message
    assert device.closed.is_set()


def test_where_there_is_none_it_says_what_to_do() -> None:
    finding = examine_device(lambda: open_device("auto"))
    assert finding.outcome is Outcome.FAIL
    assert finding.hint
