"""The state of a TD's TCB: platform, TDX module and quoting enclave rated apart, converged, at launch and now.

Follows Intel's quote verification library from 1.27 on ("TD preserving"). A level fits if every number reaches it; the
highest that fits counts, whatever order the file has. Where one of the three has none, there is no status at all, and
nothing of what the others came to is said.
"""

from dataclasses import dataclass
from datetime import datetime
from operator import ge

from cvmproof_formats.tdx.pck import PckIdentity
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.tcb_info import PlatformLevel, TcbInfo, descending
from cvmproof_formats.tdx.tcb_level import SvnLevel
from cvmproof_formats.tdx.tcb_status import TcbStatus, advise_relaunch, converge
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TdRating:
    """At launch, now where the quote says so, and the two together."""

    status: TcbStatus
    launch: Rating
    current: Rating | None


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
    platform = next((level for level in descending(info.levels) if _reaches(pck, svn, level)), None)
    versioned = info.identity(svn.module_version) if svn.module_version else None
    module = _highest(versioned.levels, svn.module_svn) if versioned else None
    enclave = _highest(identity.levels, qe_svn)
    found: list[PlatformLevel | SvnLevel] = [level for level in (platform, enclave, module) if level]
    if platform is None:
        return Rating(status=TcbStatus.NOT_SUPPORTED, missing="platform")
    if svn.module_version and module is None:
        return Rating(status=TcbStatus.NOT_SUPPORTED, missing=f"TDX module {svn.module_id}")
    if enclave is None:
        return Rating(status=TcbStatus.NOT_SUPPORTED, missing="quoting enclave")
    return Rating(
        status=converge(platform.status, *(level.status for level in found[1:])),
        platform=platform.status,
        module=module.status if module else None,
        qe=enclave.status,
        tcb_date=min(level.tcb_date for level in found),
        advisories=tuple(sorted({name for level in found for name in level.advisories})),
    )


def _reaches(pck: PckIdentity, svn: TeeTcbSvn, level: PlatformLevel) -> bool:
    # Each reader makes sure of 16 components.
    first = svn.first_of_platform
    return (
        pck.pcesvn >= level.pcesvn
        and all(map(ge, pck.components, level.sgx))
        and all(map(ge, svn.components[first:], level.tdx[first:]))
    )


def _highest(levels: tuple[SvnLevel, ...], svn: int) -> SvnLevel | None:
    reached = [level for level in levels if svn >= level.isvsvn]
    return max(reached, key=lambda level: level.isvsvn, default=None)
