"""The system clock, where it enters: certificates and revocation lists are judged by it, so it may not be far behind.

A clock that is set back brings expired certificates and outdated revocation lists to life. One that shows a time before
this version was released is wrong for certain, whoever set it.
"""

from datetime import datetime

from cvmproof.version import RELEASED
from cvmproof_formats.errors import Category, CollateralError


def require_plausible(now: datetime) -> datetime:
    """Give a reading of the system clock (aware) back if it can be right.

    Raises CollateralError (EXPIRED) for a time before the release of this version: nothing can be decided by it.
    """
    if now < RELEASED:
        raise CollateralError(
            f"the system clock says {now:%Y-%m-%d}, before cvmproof was released ({RELEASED:%Y-%m-%d})",
            category=Category.EXPIRED,
            hint="set the clock; to appraise as of an earlier time on purpose, name it with --at",
        )
    return now
