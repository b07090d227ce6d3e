"""What an event log explains, and that it decides nothing."""

from pathlib import Path

import pytest

from cvmproof.tdx.event_log import replay_note
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


def test_nothing_is_said_about_what_the_running_system_measures() -> None:
    extended = TD.extend(3, b"\x11" * 48)
    assert replay_note(LOG, extended.rtmrs) == replay_note(LOG, TD.rtmrs)


@pytest.mark.parametrize("log", [b"", b"\0" * 64, LOG[:100], b"{}"])
def test_ac_082_a_log_that_is_none_explains_nothing(log: bytes) -> None:
    assert "can't be read, and explains nothing" in replay_note(log, TD.rtmrs)


def test_the_recorded_log_explains_its_quote(recorded: Path) -> None:
    folder = next(recorded.glob("tdx/ccel/google+go-tdx-guest"))
    quote = read_padded_quote((folder / "cos-113-tdx-quote.dat").read_bytes())
    assert "explains RTMR0, RTMR1, RTMR2" in replay_note((folder / "ccel_data.dat").read_bytes(), quote.body.rtmrs)
