"""What an event log explains: which of a TD's registers it replays to. It explains and decides nothing.

Anybody can write a log; registers are what the quote signs, and policies name their values. RTMR3 belongs to whatever
runs in the TD, which may extend it without an event, so nothing is said about it.
"""

from cvmproof.spelling import escape
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.event_log import read_event_log

EXPLAINED = 3  # RTMR0 to RTMR2


def replay_note(log: bytes, rtmrs: tuple[bytes, bytes, bytes, bytes]) -> str:
    """Say which registers the log replays to; `rtmrs` are RTMR0 to RTMR3 of the quote, 48 bytes each."""
    try:
        events = read_event_log(log)
    except Malformed as error:
        return f"the event log can't be read, and explains nothing: {escape(str(error))}"
    replayed = events.replay()
    same = [f"RTMR{i}" for i in range(EXPLAINED) if replayed[i] == rtmrs[i]]
    other = [f"RTMR{i}" for i in range(EXPLAINED) if replayed[i] != rtmrs[i]]
    said = [f"explains {', '.join(same)}"] if same else []
    said += [f"does not replay to {', '.join(other)}"] if other else []
    said += ["has events whose data are not what was measured"] if events.contradicted() else []
    return f"the event log ({len(events.events)} events) {'; '.join(said)}"
