import hashlib

import pytest

from cvmproof_formats.tdx.event_log import EV_IPL, EventLog, build_event_log, read_event_log
from cvmproof_simulator.tdx.boot import EV_EVENT_TAG, SIMULATED_BOOT, boot, event


def test_the_log_is_read_back() -> None:
    log = EventLog(events=SIMULATED_BOOT)
    assert read_event_log(build_event_log(log, size=4096)) == log


def test_no_event_contradicts_its_data_and_firmware_separates() -> None:
    log = EventLog(events=SIMULATED_BOOT)
    assert log.contradicted() == ()
    assert log.unseparated() == ()


def test_rtmr0_to_2_are_extended_and_rtmr3_is_not() -> None:
    *measured, application = EventLog(events=SIMULATED_BOOT).replay()
    assert all(any(register) for register in measured)
    assert application == bytes(48)


@pytest.mark.parametrize(
    ("other", "changed"),
    [
        (boot(secure_boot=False), {0}),
        (boot(kernel=b"another"), {1}),
        (boot(command_line="evil=1"), {2}),
        (boot(initrd=b"another"), {2}),
    ],
)
def test_what_is_booted_stands_in_its_register(other: tuple[object, ...], changed: set[int]) -> None:
    ours, theirs = EventLog(events=SIMULATED_BOOT).replay(), EventLog(events=other).replay()  # type: ignore[arg-type]  # events, in a table
    assert {i for i in range(4) if ours[i] != theirs[i]} == changed


def test_the_command_line_is_covered_by_its_digest() -> None:
    (line,) = [e for e in SIMULATED_BOOT if e.type == EV_IPL]
    assert line.covered == b"root=/dev/vda1 ro console=hvc0"


def test_an_event_measures_its_data_unless_told_otherwise() -> None:
    assert event(3, EV_EVENT_TAG, b"app").digest == hashlib.sha384(b"app").digest()
    assert event(3, EV_EVENT_TAG, b"app", measured=b"x").digest == hashlib.sha384(b"x").digest()
    assert event(3, EV_EVENT_TAG, b"app", digest=bytes(48)).digest == bytes(48)
    assert event(3, EV_EVENT_TAG, b"app").rtmr == 3
