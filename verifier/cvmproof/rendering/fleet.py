"""Many verdicts: a line for each CVM, what was found below it, and the sum."""

from collections.abc import Iterator

from cvmproof.cvm.fleet_document import EntryDocument, FleetDocument
from cvmproof.rendering.terminal import Terminal
from cvmproof.rendering.tree import shorten

_REASONS = 4  # of which names are shown in a line


def draw_fleet(document: FleetDocument, terminal: Terminal) -> str:
    """Draw what became of a list of CVMs; every text in the document is escaped already."""
    entries = document["cvms"]
    width = max((len(_title(entry)) for entry in entries), default=0)
    lines = [line for entry in entries for line in _lines(entry, width, terminal)]
    sums = ", ".join(f"{document[name]} {name}" for name in ("accepted", "rejected", "undecided"))
    lines.append(f"{sums}, {document['failed']} without a verdict")
    error = document.get("error")
    if error:
        lines.append(f"{error['category']}: {error['message']}")
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _lines(entry: EntryDocument, width: int, terminal: Terminal) -> Iterator[str]:
    outcome = {"accepted": "pass", "rejected": "fail"}.get(entry["verdict"] or "", "open")
    yield f"{terminal.mark(outcome)} {_title(entry):<{width}}  {_what_became(entry)}"
    for finding in entry["findings"]:
        yield f"     {finding['id']}: expected {shorten(finding['expected'])}, got {shorten(finding['got'])}"


def _title(entry: EntryDocument) -> str:
    return shorten(f"{entry['name']} ({entry['id']})" if entry["name"] not in ("", entry["id"]) else entry["id"])


def _what_became(entry: EntryDocument) -> str:
    error = entry.get("error")
    if error:
        return f"{error['category']}: {shorten(error['message'])}"
    simulated = " (simulated)" if entry["simulated"] else ""
    verdict = f"{str(entry['verdict']).upper()}{simulated}"
    if entry["verdict"] == "accepted":
        return f"{verdict}   {entry['assurance']} · valid until {entry['expires_at']}"
    names = [reason["id"] for reason in entry["reasons"]]
    more = f" and {len(names) - _REASONS} more" if len(names) > _REASONS else ""
    return f"{verdict}   {', '.join(names[:_REASONS])}{more}"
