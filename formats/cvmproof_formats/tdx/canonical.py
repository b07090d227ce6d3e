"""Signed JSON as Intel writes it: compact, each object's names in one order, nothing escaped.

What fits these patterns to the last character is read at once. Anything else is not wrong: it is read member by member
(`signed_json`), which decides. So nothing may fit here that is refused there, or would be read otherwise.
"""

import re
from datetime import datetime
from typing import Final

from cvmproof_formats.tdx.authority import MAXIMUM_RESPONSE
from cvmproof_formats.tdx.pattern import Pattern
from cvmproof_formats.tdx.tcb_level import MAXIMUM_ADVISORIES, MAXIMUM_LEVELS, SvnLevel
from cvmproof_formats.tdx.tcb_status import PART_STATUSES

NUMBER: Final = "(0|[1-9][0-9]{0,9})"
# fromisoformat refuses days that do not exist; hours it may take up to 24, so those are counted here.
MOMENT: Final = '"(20[0-9]{2}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}Z)"'
_TEXT = r'"[ !#-\[\]-~]{1,64}"'  # printable ASCII without a quotation mark or backslash
RATING: Final = rf'"tcbDate":{MOMENT},"tcbStatus":"([A-Za-z]+)"(?:,"advisoryIDs":\[({_TEXT}(?:,{_TEXT})*)\])?'
"""What a level says: date, status, and the advisories as a text or None."""
_SVN_LEVEL = Pattern(rf'\{{"tcb":\{{"isvsvn":{NUMBER}\}},{RATING}\}}')

Groups = tuple[str, ...]


class Unusual(ValueError):
    """Raised where something is not written as Intel writes it."""


UNUSUAL: Final = (ValueError, KeyError)
"""What reading at once raises where something is unusual: values and statuses out of bounds among it."""


def text_of(body: bytes) -> str:
    """Give the characters of a body; raises Unusual for more than 256 KiB, and for others than ASCII."""
    if len(body) > MAXIMUM_RESPONSE or not body.isascii():
        raise Unusual
    return body.decode("ascii")


def entries(text: str, at: int, pattern: re.Pattern[str], limit: int = MAXIMUM_LEVELS) -> tuple[list[Groups], int]:
    """Read a list of 1 to `limit` entries that starts at `at`; give the groups of each, and where the list ends.

    Raises Unusual.
    """
    found: list[Groups] = []
    separator = "["
    while text.startswith(separator, at):
        entry = pattern.match(text, at + 1)
        if entry is None:
            raise Unusual
        found.append(entry.groups())
        at, separator = entry.end(), ","
    if not text.startswith("]", at) or not 1 <= len(found) <= limit:
        raise Unusual
    return found, at + 1


def number(digits: str, highest: int) -> int:
    """Read an integer of 0 to `highest`; raises Unusual."""
    found = int(digits)
    if found > highest:
        raise Unusual
    return found


def advisories(text: str | None) -> tuple[str, ...]:
    """Read what `RATING` gives of advisories; raises Unusual for too many."""
    if text is None:
        return ()
    found = tuple(text[1:-1].split('","'))
    if len(found) > MAXIMUM_ADVISORIES:
        raise Unusual
    return found


# ValueError for a time that does not exist.
moment = datetime.fromisoformat
_PART_STATUSES = {str(one): one for one in PART_STATUSES}


def svn_levels(text: str, at: int, highest: int) -> tuple[tuple[SvnLevel, ...], int]:
    """Read the list of levels of a module or enclave; give it, and where it ends. Raises one of `UNUSUAL`."""
    found, end = entries(text, at, _SVN_LEVEL.compiled)
    levels = tuple(
        [
            SvnLevel(
                isvsvn=number(isvsvn, highest),
                tcb_date=moment(date),
                status=_PART_STATUSES[name],
                advisories=advisories(named),
            )
            for isvsvn, date, name, named in found
        ]
    )
    if len({level.isvsvn for level in levels}) != len(levels):
        raise Unusual
    return levels, end
