"""The state of a TD's TCB: platform, TDX module and quoting enclave rated apart, converged, at launch and now.

Follows Intel's quote verification library from 1.27 on ("TD preserving"). A level fits if every number reaches it; the
highest that fits counts, whatever order the file has. Where one of the three has none, there is no status at all, and
nothing of what the others came to is said.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from operator import attrgetter, ge
from typing import TypeVar

from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.pck import PckIdentity
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.read_levels import ranks_of
from cvmproof_formats.tdx.tcb_info import PlatformLevel, PlatformRank, TcbInfo, rank_of
from cvmproof_formats.tdx.tcb_level import svn_of
from cvmproof_formats.tdx.tcb_status import TcbStatus, advise_relaunch, converge
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn

Rank = TypeVar("Rank", int, PlatformRank)
Level = TypeVar("Level")


@record
class Rating:
    """What the levels come to: `module` is None for a module without a version; parts are None without a status."""

    status: TcbStatus
    platform: TcbStatus | None = None
    module: TcbStatus | None = None
    qe: TcbStatus | None = None
    tcb_date: datetime | None = None
    advisories: tuple[str, ...] = ()
    missing: str = ""
    """Which part has no level that fits."""


@record
class TdRating:
    """At launch, now where the quote says so, and the two together."""

    status: TcbStatus
    launch: Rating
    current: Rating | None


_rating = maker(Rating)
_status, _tcb_date, _advisories = map(attrgetter, ("status", "tcb_date", "advisories"))


def rate(
    info: TcbInfo, identity: QeIdentity, pck: PckIdentity, *, launch: bytes, current: bytes | None, qe_svn: int
) -> TdRating:
    """Rate a TD: `launch` and `current` are TEE_TCB_SVN, 16 bytes each, `qe_svn` the quoting enclave's ISVSVN."""
    at_launch = rate_once(info, identity, pck, TeeTcbSvn.read(launch), qe_svn)
    if current is None:
        return TdRating(status=at_launch.status, launch=at_launch, current=None)
    now = at_launch if current == launch else rate_once(info, identity, pck, TeeTcbSvn.read(current), qe_svn)
    return TdRating(status=advise_relaunch(at_launch.status, now.status), launch=at_launch, current=now)


def rate_once(info: TcbInfo, identity: QeIdentity, pck: PckIdentity, svn: TeeTcbSvn, qe_svn: int) -> Rating:
    """Rate a TD whose TEE_TCB_SVN is this."""
    platform, version = _platform(info, pck, svn), svn.module_version
    if platform is None:
        return Rating(status=TcbStatus.NOT_SUPPORTED, missing="platform")
    versioned = info.identity(version) if version else None
    module = _highest(versioned.levels, svn_of, partial(ge, svn.module_svn)) if versioned else None
    if version and module is None:
        return Rating(status=TcbStatus.NOT_SUPPORTED, missing=f"TDX module {svn.module_id}")
    enclave = _highest(identity.levels, svn_of, partial(ge, qe_svn))
    if enclave is None:
        return Rating(status=TcbStatus.NOT_SUPPORTED, missing="quoting enclave")
    parts = (enclave,) if module is None else (enclave, module)
    found = (platform, *parts)
    return _rating(
        status=converge(*map(_status, found)),
        platform=platform.status,
        module=module.status if module else None,
        qe=enclave.status,
        tcb_date=min(map(_tcb_date, found)),
        advisories=tuple(sorted({*chain(*map(_advisories, found))})),
    )


def _platform(info: TcbInfo, pck: PckIdentity, svn: TeeTcbSvn) -> PlatformLevel | None:
    first = svn.first_of_platform
    compared = svn.components[first:]

    def fits(rank: PlatformRank) -> bool:
        sgx, pcesvn, tdx = rank
        # Each reader makes sure of 16 components.
        return pck.pcesvn >= pcesvn and all(map(ge, pck.components, sgx)) and all(map(ge, compared, tdx[first:]))

    return _highest(info.levels, rank_of, fits)


def _highest(levels: Sequence[Level], rank_of: Callable[[Level], Rank], fits: Callable[[Rank], bool]) -> Level | None:
    """Give the highest level that fits, whatever the order of the file."""
    ranks = ranks_of(levels, rank_of)
    for rank in sorted(ranks, reverse=True):
        if fits(rank):
            return levels[ranks.index(rank)]
    return None
