"""Faults are read strictly, happen as often as they were asked for, and each is described for users."""

import errno
from pathlib import Path

import pytest

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.devices.faults import NEEDS_VALUE, Fault, FaultKind, Faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sev-busy", Fault(kind=FaultKind.SEV_BUSY)),
        ("sev-busy*3", Fault(kind=FaultKind.SEV_BUSY, times=3)),
        ("delay=0x10", Fault(kind=FaultKind.DELAY, value=16)),
        ("sev-errno=EBADMSG*1", Fault(kind=FaultKind.SEV_ERRNO, value=errno.EBADMSG, times=1)),
        ("tsm-read-errno=EWOULDBLOCK", Fault(kind=FaultKind.TSM_READ_ERRNO, value=errno.EWOULDBLOCK)),
    ],
)
def test_a_fault_is_read_and_written(text: str, fault: Fault) -> None:
    assert Fault.read(text) == fault
    assert Fault.read(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one of delay, "),
        ("nonsense", "expected one of delay, "),
        ("SEV_BUSY", "expected one of delay, "),
        ("sev-busy=1", "expected no value"),
        ("delay", "expected a value"),
        ("delay=", "expected a number"),
        ("delay=x", "expected a number"),
        ("delay=-1", "expected a number"),
        ("delay=ENOTHING", "expected a number"),
        ("delay=1*", "expected a number"),
        ("delay=1*x", "expected a number"),
        ("delay=18446744073709551616", "expected a number"),
    ],
)
def test_what_is_no_fault_is_misuse(text: str, message: str) -> None:
    with pytest.raises(Misuse, match=message):
        Fault.read(text)


def test_a_fault_happens_as_often_as_it_was_asked_for() -> None:
    faults = Faults([Fault.read("sev-busy*2"), Fault.read("sev-vmpl=3")])
    assert [bool(faults.take(FaultKind.SEV_BUSY)) for _ in range(4)] == [True, True, False, False]
    assert [faults.number(FaultKind.SEV_VMPL) for _ in range(3)] == [3, 3, 3]
    faults.clear()
    assert faults.number(FaultKind.SEV_VMPL) is None


def test_the_latest_of_a_kind_counts() -> None:
    faults = Faults([Fault.read("sev-vmpl=1*9")])
    faults.add(Fault.read("sev-vmpl=2*1"))
    assert [faults.number(FaultKind.SEV_VMPL) for _ in range(2)] == [2, None]


def test_time_adds_up_until_somebody_waits() -> None:
    faults = Faults([Fault.read("delay=250*2")])
    for milliseconds in (None, None, None, 500):
        faults.spend(milliseconds)
    assert (faults.owed(), faults.owed()) == (1.0, 0.0)


def test_every_fault_is_in_the_documentation(root: Path) -> None:
    text = (root / "docs" / "simulated-devices.md").read_text(encoding="utf-8")
    assert [kind for kind in FaultKind if f"`{kind}" not in text] == []
    assert [kind for kind in NEEDS_VALUE if f"`{kind}=" not in text] == []
