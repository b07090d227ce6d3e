"""What the kernel offers: there, not there, there and refused."""

import errno

import pytest

from cvmproof_agent.devices.probing import Probe
from cvmproof_agent.doctor.finding import Outcome
from cvmproof_agent.doctor.interfaces import examine_interfaces
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError

THERE = Probe(name="configfs-tsm", tee=Tee.SEV_SNP)


def refused(number: int, name: str = "sev-guest") -> Probe:
    return Probe(name=name, error=DeviceError("refused", path="/dev/x", call="open", errno=number, hint="do this"))


def test_what_is_there_says_for_which_technology() -> None:
    (finding,) = examine_interfaces([THERE])
    assert (finding.id, finding.outcome, finding.message) == ("configfs-tsm", Outcome.PASS, "there, for sev-snp")


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ENOENT, "skip"),
        (errno.ENXIO, "skip"),
        (errno.ENODEV, "skip"),
        (errno.EACCES, "fail"),
        (errno.EIO, "fail"),
    ],
)
def test_what_is_not_there_is_no_fault_and_what_is_refused_is(number: int, outcome: str) -> None:
    _, finding = examine_interfaces([THERE, refused(number)])
    assert finding.outcome == outcome


@pytest.mark.parametrize(("number", "outcome"), [(errno.EACCES, "skip"), (errno.EPERM, "skip"), (errno.ENOTTY, "fail")])
def test_where_another_process_owns_the_device_being_refused_is_no_fault(number: int, outcome: str) -> None:
    (finding,) = examine_interfaces([refused(number)], owned=True)
    assert finding.outcome == outcome


def test_what_to_do_about_an_interface_that_is_not_there_is_said_where_there_is_no_other() -> None:
    (alone,) = examine_interfaces([refused(errno.ENOENT)])
    assert alone.hint == "do this"
    _, beside = examine_interfaces([THERE, refused(errno.ENOENT)])
    assert beside.hint == ""
    _, broken = examine_interfaces([THERE, refused(errno.EACCES)])
    assert broken.hint == "do this"
