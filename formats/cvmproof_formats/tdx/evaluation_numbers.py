"""TCB evaluation data numbers: which states of Intel's knowledge there are TCB infos and QE identities of.

Follows PCS API 4, "TCB evaluation data numbers", version 1.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cvmproof_formats.tdx import signed_json as sj

NAME: Final = "tcbEvaluationDataNumbers"
"""Name of the object in the response of the provisioning service."""
ID: Final = "TDX"
VERSION: Final = 1

_HIGHEST_EVALUATION_NUMBER = 0xFFFFFFFF
_MAXIMUM_NUMBERS = 256  # about two come in a year
_NAMES = frozenset({"id", "version", "issueDate", "nextUpdate", "tcbEvalNumbers"})
_ENTRY = frozenset({"tcbEvaluationDataNumber", "tcbRecoveryEventDate", "tcbDate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationNumber:
    """One number and its dates."""

    number: int
    recovery_event_date: datetime
    """When Intel made its reason known."""
    tcb_date: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationNumbers:
    """The numbers there are, in the file's order."""

    issue_date: datetime
    next_update: datetime
    numbers: tuple[EvaluationNumber, ...]


def read_evaluation_numbers(body: bytes) -> EvaluationNumbers:
    """Read the numbers from the bytes that were signed.

    Raises Malformed, also for one number twice; with category COLLATERAL_MISMATCH for another id than "TDX",
    UNSUPPORTED for another version or name, SIZE_LIMIT above 256 KiB or 256 numbers.
    """
    found = sj.read_document(body, NAME, kind=ID, version=VERSION, required=_NAMES)
    issue_date, next_update = sj.validity(found, NAME)
    numbers = tuple(_entry(entry) for entry in sj.array(found["tcbEvalNumbers"], "tcbEvalNumbers", _MAXIMUM_NUMBERS))
    sj.require_distinct(numbers, "tcbEvalNumbers", lambda entry: entry.number)
    return EvaluationNumbers(issue_date=issue_date, next_update=next_update, numbers=numbers)


def build_evaluation_numbers(numbers: EvaluationNumbers) -> bytes:
    """Write the bytes to be signed, in Intel's order; values are not checked, so that a test can state wrong ones."""
    return sj.build_body(
        {
            "id": ID,
            "version": VERSION,
            "issueDate": sj.write_moment(numbers.issue_date),
            "nextUpdate": sj.write_moment(numbers.next_update),
            "tcbEvalNumbers": [
                {
                    "tcbEvaluationDataNumber": entry.number,
                    "tcbRecoveryEventDate": sj.write_moment(entry.recovery_event_date),
                    "tcbDate": sj.write_moment(entry.tcb_date),
                }
                for entry in numbers.numbers
            ],
        }
    )


def _entry(value: object) -> EvaluationNumber:
    found = sj.members(value, "tcbEvalNumbers", _ENTRY)
    return EvaluationNumber(
        number=sj.integer(found["tcbEvaluationDataNumber"], "tcbEvaluationDataNumber", _HIGHEST_EVALUATION_NUMBER),
        recovery_event_date=sj.moment(found["tcbRecoveryEventDate"], "tcbRecoveryEventDate"),
        tcb_date=sj.moment(found["tcbDate"], "tcbDate"),
    )
