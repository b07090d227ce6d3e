"""What an API says of CVMs, for people: a table of many, the fields of one, when one was online.

Drawn from the documents that --json prints, whose texts are escaped.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from cvmproof.prism.document import RecordDocument, SampleDocument
from cvmproof.rendering.columns import columns
from cvmproof.rendering.table import table
from cvmproof.rendering.terminal import Terminal

_HEAD: Final = ("ID", "NAME", "STATUS", "STATE", "PLATFORM", "PROVIDER", "AGENT", "CREATED")
_NONE: Final = "-"
_LONGEST_LINE: Final = 72  # columns of samples where there is no terminal
_ONLINE, _OFFLINE, _BOTH = "#", ".", "+"


def cvm_table(records: Sequence[RecordDocument], terminal: Terminal, width: int | None) -> str:
    """Draw a line for each CVM."""
    return table(_HEAD, [_row(record) for record in records], terminal=terminal, width=width)


def cvm_fields(record: RecordDocument) -> str:
    """Write a CVM field by field."""
    fields = (
        ("id", record["id"]),
        ("name", record["name"]),
        ("cvm_id", record["cvm_id"]),
        ("agent_url", record["agent_url"]),
        ("status", record["status"]),
        ("state", record["state"]),
        ("created_at", record["created_at"]),
        ("deleted_at", record["deleted_at"]),
        ("provider", record["provider"]),
        ("vcpus", None if record["vcpus"] is None else str(record["vcpus"])),
        ("attestation", _blob(record, "attestation", record["attestation"])),
        ("attestation_token", _blob(record, "attestation_token", record["attestation_token"])),
        ("agent_log_level", record["agent_log_level"]),
        ("monthly_cost_estimate", record["monthly_cost_estimate"]),
        ("cc_platform", _platform(record)),
    )
    return columns([(name, value or _NONE) for name, value in fields])


def online_line(samples: Sequence[SampleDocument], width: int | None) -> str:
    """Draw samples from the oldest to the newest on one line, several to a mark where there are many."""
    marks = min(len(samples), width or _LONGEST_LINE)
    bounds = [index * len(samples) // marks for index in range(marks + 1)]
    return "".join(_mark(samples[bounds[index] : bounds[index + 1]]) for index in range(marks))


def online_table(samples: Sequence[SampleDocument], terminal: Terminal, width: int | None) -> str:
    """Draw a line for each run of equal samples, the newest first."""
    rows = [*_runs(samples)][::-1]
    return table(("STATUS", "FROM", "TO", "SAMPLES"), rows, terminal=terminal, width=width, whole=4)


def online_legend() -> str:
    """Say what the marks mean."""
    return f"{_ONLINE} online  {_OFFLINE} offline  {_BOTH} both"


def _row(record: RecordDocument) -> tuple[str, ...]:
    status = ", ".join(word for word in (record["status"], "deleted" if record["deleted_at"] else "") if word)
    texts = (
        record["id"],
        record["name"],
        status,
        record["state"],
        record["tee"] or record["cc_platform"],
        record["provider"],
        record["agent_url"],
        record["created_at"],
    )
    return tuple(text or _NONE for text in texts)


def _blob(record: RecordDocument, name: str, size: int | None) -> str | None:
    if name in record["unreadable"]:
        return "unreadable: not base64"
    return None if size is None else f"{size} bytes"


def _platform(record: RecordDocument) -> str | None:
    tee, sent = record["tee"], record["cc_platform"]
    return sent if tee is None or tee == sent else f"{tee} (as sent: {sent})"


def _mark(samples: Sequence[SampleDocument]) -> str:
    online = {sample["online"] for sample in samples}
    return _BOTH if len(online) > 1 else _ONLINE if True in online else _OFFLINE


def _runs(samples: Sequence[SampleDocument]) -> Iterator[tuple[str, str, str, str]]:
    for online, group in groupby(samples, key=lambda sample: sample["online"]):
        run = list(group)
        yield "online" if online else "offline", run[0]["timestamp"], run[-1]["timestamp"], str(len(run))
