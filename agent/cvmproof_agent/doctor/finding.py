"""One question about the guest, its answer, and what to do where that is bad."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a question came to."""

    PASS = "pass"  # noqa: S105 -- no password: what a good answer is called
    FAIL = "fail"
    SKIP = "skip"
    """Not there, and not missed: another machine has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A question by its id, the answer in words, and what to do about it."""

    id: str
    outcome: Outcome
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Findings about one thing."""

    title: str
    findings: tuple[Finding, ...]


def conclude(name: str, found: Iterable[str], *, good: str, hint: str) -> Finding:
    """Fail with everything that was found, or pass where that is nothing."""
    faults = list(found)
    if faults:
        return Finding(id=name, outcome=Outcome.FAIL, message="; ".join(faults), hint=hint)
    return Finding(id=name, outcome=Outcome.PASS, message=good)
