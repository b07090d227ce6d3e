"""Levels of a TCB: what Intel says about everything from some security version number on.

Follows PCS API 4, TCB info version 3 and enclave identity version 2. A level of a TDX module or a quoting enclave has
one number; those of a platform stand in `tcb_info`. What levels of all kinds share is read and written here.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.record import record
from cvmproof_formats.tdx import signed_json as sj
from cvmproof_formats.tdx.tcb_status import PART_STATUSES, TcbStatus

MAXIMUM_LEVELS: Final = 128  # in one list; the most seen is 8
MAXIMUM_ADVISORIES: Final = 256  # of one level; the most seen is 13

REQUIRED: Final = frozenset({"tcb", "tcbDate", "tcbStatus"})
OPTIONAL: Final = frozenset({"advisoryIDs"})
_SVN_NAMES = frozenset({"isvsvn"})
STATUSES: Final = {status.value: status for status in TcbStatus}
"""Each status by Intel's name for it."""

Rating = tuple[datetime, TcbStatus, tuple[str, ...]]
"""tcbDate, tcbStatus, advisoryIDs."""


@record
class SvnLevel:
    """A level of a TDX module or a quoting enclave."""

    isvsvn: int
    tcb_date: datetime
    status: TcbStatus
    advisories: tuple[str, ...] = ()


svn_of = attrgetter("isvsvn")
"""Rank of such a level."""


def read_svn_levels(value: object, what: str, highest: int) -> tuple[SvnLevel, ...]:
    """Read a list of levels of one number each (0 to `highest`), in the file's order.

    Raises Malformed, also for one number twice; with category TCB for a status that is not known there.
    """
    levels = tuple(_read_svn_level(entry, what, highest) for entry in sj.array(value, what, MAXIMUM_LEVELS))
    sj.require_distinct(levels, what, lambda level: level.isvsvn)
    return levels


def write_svn_levels(levels: Sequence[SvnLevel]) -> list[object]:
    """Write the list for `signed_json.build_body`."""
    return [
        {"tcb": {"isvsvn": level.isvsvn}, **write_rating(level.tcb_date, level.status, level.advisories)}
        for level in levels
    ]


def read_rating(found: sj.Members, what: str, known: frozenset[TcbStatus]) -> Rating:
    """Read what a level says; `known` are the statuses that may stand there.

    Raises Malformed, with category TCB for another status.
    """
    return (
        sj.moment(found["tcbDate"], what),
        _status(found["tcbStatus"], what, known),
        _advisories(found["advisoryIDs"], what) if "advisoryIDs" in found else (),
    )


def write_rating(tcb_date: datetime, status: TcbStatus, advisories: tuple[str, ...]) -> dict[str, object]:
    """Write what a level says, in Intel's order; without advisories their name is left out."""
    rest: dict[str, object] = {"advisoryIDs": list(advisories)} if advisories else {}
    return {"tcbDate": sj.write_moment(tcb_date), "tcbStatus": status.value, **rest}


def _read_svn_level(value: object, what: str, highest: int) -> SvnLevel:
    found = sj.members(value, what, REQUIRED, OPTIONAL)
    tcb = sj.members(found["tcb"], what, _SVN_NAMES)
    tcb_date, status, advisories = read_rating(found, what, PART_STATUSES)
    return SvnLevel(
        isvsvn=sj.integer(tcb["isvsvn"], f"{what}, isvsvn", highest),
        tcb_date=tcb_date,
        status=status,
        advisories=advisories,
    )


def _status(value: object, what: str, known: frozenset[TcbStatus]) -> TcbStatus:
    if isinstance(value, str) and value in known:
        return STATUSES[value]
    name = sj.text(value, f"{what}, tcbStatus")
    raise Malformed(
        f"{what}, tcbStatus: expected one of {', '.join(sorted(known))}, got {name!a}", category=Category.TCB
    )


def _advisories(value: object, what: str) -> tuple[str, ...]:
    what = f"{what}, advisoryIDs"
    return tuple([sj.text(entry, what) for entry in sj.array(value, what, MAXIMUM_ADVISORIES)])
