"""Fetching from whichever vendor's service has what is wanted. An HTTP client: imported where something is fetched."""

from collections.abc import Iterable
from datetime import datetime

from cvmproof.collateral import kds, pcs
from cvmproof.collateral.endpoint import Services
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted
from cvmproof.collateral.service import Fetched, Progress
from cvmproof.collateral.store import CollateralStore

VENDORS = Services()


def fetch_wanted(
    store: CollateralStore,
    wanted: Iterable[Wanted],
    now: datetime,
    *,
    services: Services = VENDORS,
    progress: Progress | None = None,
) -> tuple[Fetched, ...]:
    """Fill a store with what is wanted; raises what the clients raise."""
    keys = tuple(wanted)
    amd = [key for key in keys if isinstance(key, ChainKey | CrlKey | VcekKey)]
    intel = [key for key in keys if not isinstance(key, ChainKey | CrlKey | VcekKey)]
    of_amd = kds.KdsClient(store, services.kds, progress=progress).fetch(amd, now) if amd else ()
    if not intel:
        return of_amd
    client = pcs.PcsClient(store, services.pccs, ca_file=services.pccs_ca, progress=progress)
    return (*of_amd, *client.fetch(intel, now))
