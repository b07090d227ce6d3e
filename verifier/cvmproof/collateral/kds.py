"""AMD's key distribution service (KDS). URLs and answers follow AMD 57230, chapter 4."""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from cvmproof.collateral.endpoint import AMD_KDS, read_endpoint
from cvmproof.collateral.keys import AmdKey, VcekKey
from cvmproof.collateral.service import Fetched, Limits, Outcome, Progress, ServiceClient, Session
from cvmproof.collateral.store import CollateralStore
from cvmproof_formats.errors import Category, CollateralError

__all__ = ["Fetched", "KdsClient", "Limits", "Outcome", "Progress"]

# Younger than this, a chain is not what makes a leaf's signature fail.
_CHAIN_SETTLED = timedelta(hours=1)


class KdsClient(ServiceClient[AmdKey]):
    """Fetches chains, revocation lists and VCEKs into one store; may be shared by threads."""

    def __init__(
        self,
        store: CollateralStore,
        base_url: str = AMD_KDS,
        *,
        ca_file: Path | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a store, the service's address, and a file of CA certificates in place of the system's.

        Raises EndpointError for an address that is not one we go to, Misuse for a file without CA certificates.
        """
        super().__init__(store, ca_file=ca_file, limits=limits, progress=progress, monotonic=monotonic)
        self._endpoint = read_endpoint(base_url, store.trust)

    def _in_order(self, wanted: Iterable[AmdKey]) -> tuple[AmdKey, ...]:
        keys = tuple(wanted)
        return tuple(dict.fromkeys((*(key.chain for key in keys), *keys)))

    def _url(self, key: AmdKey) -> str:
        return self._endpoint.url + key.url_path

    def _replace(self, key: AmdKey, session: Session) -> None:
        self._store.expect_not_absent(key, session.now)
        data = self._get(key, session).body
        try:
            self._store.put(key, data, session.now)
        except CollateralError as error:
            if not (isinstance(key, VcekKey) and error.category is Category.SIGNATURE):
                raise
            self._renew_chain(key, session)
            self._store.put(key, data, session.now)

    def _renew_chain(self, key: VcekKey, session: Session) -> None:
        """Fetch the chain again: AMD has put a new key under an intermediate's old name before (Genoa, 2022)."""
        chain = key.chain
        with self._store.lock(chain, session.remaining()):
            stored = self._store.look(chain, session.now)
            if stored is None or not timedelta(0) <= session.now - stored.stored < _CHAIN_SETTLED:
                self._store.put(chain, self._get(chain, session).body, session.now)
