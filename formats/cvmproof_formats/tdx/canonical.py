"""Signed JSON as Intel writes it: compact, each object's names in one order, nothing escaped.

What fits these patterns to the last character is read at once. Anything else is not wrong: it is read member by member
(`signed_json`), which decides. So nothing may fit here that is refused there, or would be read otherwise.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cvmproof_formats.pattern import Pattern
from cvmproof_formats.record import maker
from cvmproof_formats.tdx.authority import MAXIMUM_RESPONSE
from cvmproof_formats.tdx.read_levels import ReadLevels
from cvmproof_formats.tdx.tcb_level import MAXIMUM_ADVISORIES, MAXIMUM_LEVELS, STATUSES, Rating, SvnLevel
from cvmproof_formats.tdx.tcb_status import PART_STATUSES, TcbStatus

NUMBER: Final = "(0|[1-9][0-9]{0,9})"
# Only what exists, so that a level's date needs no look once it fits; a February 29 is left to the strict reader.
_DAY = "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
MOMENT: Final = rf'"(20[0-9]{{2}}-{_DAY}T{_TIME}Z)"'
_TEXT = r'"[ !#-\[\]-~]{1,64}"'  # printable ASCII without a quotation mark or backslash
_ADVISORIES = f"{_TEXT}(?:,{_TEXT}){{0,{MAXIMUM_ADVISORIES - 1}}}"
BEHIND: Final[str] = r"([,\]])"
"""What follows an entry of a list: another one, or its end."""
Groups = tuple[str, ...]


def rating(statuses: frozenset[TcbStatus]) -> str:
    """Write the pattern of what a level says: date, one of these statuses, and the advisories as a text or None."""
    names = "|".join(sorted(statuses))
    return rf'"tcbDate":{MOMENT},"tcbStatus":"({names})"(?:,"advisoryIDs":\[({_ADVISORIES})\])?'


_SVN_LEVEL = Pattern(rf'\{{"tcb":\{{"isvsvn":{NUMBER}\}},{rating(PART_STATUSES)}\}}{BEHIND}')


class Unusual(ValueError):
    """Raised where something is not written as Intel writes it."""


UNUSUAL: Final = (ValueError, KeyError)
"""What reading at once raises where something is unusual: values out of bounds among it."""


def text_of(body: bytes) -> str:
    """Give the characters of a body; raises one of `UNUSUAL` for more than 256 KiB, and for others than ASCII."""
    if len(body) > MAXIMUM_RESPONSE:
        raise Unusual
    return body.decode("ascii")


def entries(text: str, at: int, pattern: re.Pattern[str], limit: int = MAXIMUM_LEVELS) -> tuple[list[Groups], int]:
    """Read a list of 1 to `limit` entries, from behind its bracket; give the groups of each, and where the list ends.

    The last group of `pattern` is `BEHIND`. Raises Unusual.
    """
    found: list[Groups] = []
    behind = ","
    while behind == ",":
        entry = pattern.match(text, at)
        if entry is None:
            raise Unusual
        groups = entry.groups()
        found.append(groups)
        at, behind = entry.end(), groups[-1]
    if len(found) > limit:
        raise Unusual
    return found, at


def number(digits: str, highest: int) -> int:
    """Read an integer of 0 to `highest`; raises Unusual."""
    found = int(digits)
    if found > highest:
        raise Unusual
    return found


moment = datetime.fromisoformat
_new_svn_level = maker(SvnLevel)


def rating_of(texts: Groups) -> Rating:
    """Give what a level says, of the groups that `rating` has."""
    date, name, named = texts
    return moment(date), STATUSES[name], tuple(named[1:-1].split('","')) if named else ()


def svn_levels(text: str, at: int, highest: int) -> tuple[Sequence[SvnLevel], int]:
    """Read the list of levels of a module or enclave, from behind its bracket; give it, and where it ends.

    Raises one of `UNUSUAL`.
    """
    found, end = entries(text, at, _SVN_LEVEL.compiled)
    numbers = [int(entry[0]) for entry in found]
    if len(set(numbers)) != len(numbers) or max(numbers) > highest:
        raise Unusual
    return ReadLevels(numbers, [entry[1:4] for entry in found], _svn_level), end


def _svn_level(isvsvn: int, texts: Groups) -> SvnLevel:
    tcb_date, status, advisories = rating_of(texts)
    return _new_svn_level(isvsvn=isvsvn, tcb_date=tcb_date, status=status, advisories=advisories)
