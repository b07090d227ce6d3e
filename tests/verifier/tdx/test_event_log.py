"""What an event log explains, and that it decides nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from cvmproof.tdx.event_log import replay_note
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.event_log import EV_SEPARATOR, build_event_log, read_event_log
from cvmproof_formats.tdx.quote import read_padded_quote
from cvmproof_simulator.tdx.td import SoftwareTd

TD = SoftwareTd()
LOG = TD.event_log()


def test_a_log_explains_the_registers_it_replays_to() -> None:
    assert replay_note(LOG, TD.rtmrs).endswith("explains RTMR0, RTMR1, RTMR2")


def test_ac_082_a_log_of_another_boot_does_not() -> None:
    first, _, _, last = TD.rtmrs
    note = replay_note(LOG, (first, bytes(48), bytes(48), last))
    assert note.endswith("explains RTMR0; does not replay to RTMR1, RTMR2")


def test_ac_082_a_log_that_replays_to_nothing_explains_nothing() -> None:
    zeros = (bytes(48),) * 4
    count = len(read_event_log(LOG).events)
    assert replay_note(LOG, zeros) == f"the event log ({count} events) does not replay to RTMR0, RTMR1, RTMR2"


def test_ac_082_data_that_was_not_measured_is_said_to_be_that() -> None:
    log = read_event_log(LOG)
    first = next(event for event in log.events if event.type == EV_SEPARATOR)
    forged = replace(log, events=tuple(replace(one, data=b"\1\2\3\4") if one is first else one for one in log.events))
    assert forged.replay() == log.replay()
    words = "explains RTMR0, RTMR1, RTMR2; has events whose data are not what was measured"
    assert replay_note(build_event_log(forged), TD.rtmrs).endswith(f" events) {words}")


def test_nothing_is_said_about_what_the_running_system_measures() -> None:
    extended = TD.extend(3, b"\x11" * 48)
    assert replay_note(LOG, extended.rtmrs) == replay_note(LOG, TD.rtmrs)


@pytest.mark.parametrize("log", [b"", b"\0" * 64, LOG[:100], b"{}"])
def test_ac_082_a_log_that_is_none_explains_nothing(log: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read_event_log(log)
    assert replay_note(log, TD.rtmrs) == f"the event log can't be read, and explains nothing: {caught.value}"


def test_the_recorded_log_explains_its_quote(recorded: Path) -> None:
    folder = next(recorded.glob("tdx/ccel/google+go-tdx-guest"))
    quote = read_padded_quote((folder / "cos-113-tdx-quote.dat").read_bytes())
    assert "explains RTMR0, RTMR1, RTMR2" in replay_note((folder / "ccel_data.dat").read_bytes(), quote.body.rtmrs)
