"""Intel's words for the state of a TCB, and how the states of its parts make one.

The names are those of PCS API 4 (TCB info version 3, enclave identity version 2). The rules are those of Intel's quote
verification library from 1.27 on ("TD preserving"): platform, TDX module and quoting enclave are rated apart, then
converged; a TD whose module was updated under it is rated at launch and now.
"""

from enum import StrEnum
from typing import Final


class TcbStatus(StrEnum):
    """A state, in Intel's spelling; the last three stand in no file, they are results."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    REVOKED = "Revoked"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    NOT_SUPPORTED = "NotSupported"
    """No level fits: this is no status of the TCB, but that there is none."""


PLATFORM_STATUSES: Final = frozenset(
    {
        TcbStatus.UP_TO_DATE,
        TcbStatus.SW_HARDENING_NEEDED,
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        TcbStatus.OUT_OF_DATE,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
        TcbStatus.REVOKED,
    }
)
"""What a level of the platform may say."""
PART_STATUSES: Final = frozenset({TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED})
"""What a level of a TDX module or of a quoting enclave may say."""

_OUTDATED: Final = {
    TcbStatus.UP_TO_DATE: TcbStatus.OUT_OF_DATE,
    TcbStatus.SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE,
    TcbStatus.CONFIGURATION_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    TcbStatus.OUT_OF_DATE: TcbStatus.OUT_OF_DATE,
    TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}
_STALE: Final = frozenset({TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED})
_CURRENT: Final = PLATFORM_STATUSES - _STALE - {TcbStatus.REVOKED}
_CONFIGURATION: Final = frozenset(
    {
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    }
)
# Whichever side has one of these decides alone, the first one first.
_FINAL: Final = (TcbStatus.NOT_SUPPORTED, TcbStatus.REVOKED)


def converge(platform: TcbStatus, *parts: TcbStatus) -> TcbStatus:
    """Make one status of the platform's and those of its parts: the quoting enclave, and the TDX module if rated.

    A part never improves it. Raises ValueError for a status that a platform or a part can't have.
    """
    _require(platform, PLATFORM_STATUSES)
    for part in parts:
        _require(part, PART_STATUSES)
    for status in _FINAL:
        if status in (platform, *parts):
            return status
    return _OUTDATED[platform] if TcbStatus.OUT_OF_DATE in parts else platform


def advise_relaunch(launch: TcbStatus, current: TcbStatus) -> TcbStatus:
    """Make one status of a TD's converged ones at its launch and now.

    What was current enough only after the module's update advises to launch anew; otherwise the launch counts. No level
    for either is no status; revoked now is revoked, which Intel's rules leave to the launch. Raises ValueError for a
    status that convergence never gives.
    """
    _require(launch, PLATFORM_STATUSES)
    _require(current, PLATFORM_STATUSES)
    for status in _FINAL:
        if status in (launch, current):
            return status
    if launch not in _STALE or current not in _CURRENT:
        return launch
    if launch in _CONFIGURATION or current in _CONFIGURATION:
        return TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
    return TcbStatus.TD_RELAUNCH_ADVISED


def _require(status: TcbStatus, known: frozenset[TcbStatus]) -> None:
    if status not in known and status is not TcbStatus.NOT_SUPPORTED:
        raise ValueError(f"{status} can't stand here")
