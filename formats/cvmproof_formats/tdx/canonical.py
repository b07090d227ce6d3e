"""Signed JSON as Intel writes it: compact, each object's names in one order, nothing escaped.

What fits these patterns to the last character is read at once. Anything else is not wrong: it is read member by member
(`signed_json`), which decides. So nothing may fit here that is refused there, or would be read otherwise.
"""

import re
from datetime import datetime
from typing import Final

from cvmproof_formats.record import maker
from cvmproof_formats.tdx.authority import MAXIMUM_RESPONSE
from cvmproof_formats.tdx.pattern import Pattern
from cvmproof_formats.tdx.tcb_level import MAXIMUM_ADVISORIES, MAXIMUM_LEVELS, SvnLevel
from cvmproof_formats.tdx.tcb_status import PART_STATUSES

NUMBER: Final = "(0|[1-9][0-9]{0,9})"
# fromisoformat refuses days that do not exist; hours it may take up to 24, so those are counted here.
_TWO = "[0-9][0-9]"
MOMENT: Final = rf'"(20{_TWO}-{_TWO}-{_TWO}T(?:[01][0-9]|2[0-3]):{_TWO}:{_TWO}Z)"'
_TEXT = r'"[ !#-\[\]-~]{1,64}"'  # printable ASCII without a quotation mark or backslash
_ADVISORIES = f"{_TEXT}(?:,{_TEXT}){{0,{MAXIMUM_ADVISORIES - 1}}}"
RATING: Final = rf'"tcbDate":{MOMENT},"tcbStatus":"([A-Za-z]+)"(?:,"advisoryIDs":\[({_ADVISORIES})\])?'
"""What a level says: date, status, and the advisories as a text or None."""
BEHIND: Final[str] = r"([,\]])"
"""What follows an entry of a list: another one, or its end."""
_SVN_LEVEL = Pattern(rf'\{{"tcb":\{{"isvsvn":{NUMBER}\}},{RATING}\}}{BEHIND}')

Groups = tuple[str, ...]


class Unusual(ValueError):
    """Raised where something is not written as Intel writes it."""


UNUSUAL: Final = (ValueError, KeyError)
"""What reading at once raises where something is unusual: values and statuses out of bounds among it."""


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


# ValueError for a time that does not exist.
moment = datetime.fromisoformat
_svn_level = maker(SvnLevel)
_PART_STATUSES = {str(one): one for one in PART_STATUSES}


def svn_levels(text: str, at: int, highest: int) -> tuple[tuple[SvnLevel, ...], int]:
    """Read the list of levels of a module or enclave, from behind its bracket; give it, and where it ends.

    Raises one of `UNUSUAL`.
    """
    found, end = entries(text, at, _SVN_LEVEL.compiled)
    levels = tuple(
        [
            _svn_level(
                isvsvn=int(isvsvn),
                tcb_date=moment(date),
                status=_PART_STATUSES[name],
                advisories=tuple(named[1:-1].split('","')) if named else (),
            )
            for isvsvn, date, name, named, _ in found
        ]
    )
    numbers = {level.isvsvn for level in levels}
    if len(numbers) != len(levels) or max(numbers) > highest:
        raise Unusual
    return levels, end
