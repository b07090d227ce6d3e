"""Intel's provisioning certification service (PCS), and caching ones with the same interface (PCCS).

What it signs comes with its certificates, percent-encoded in a header: they are verified, then what they signed is.
URLs, headers and answers follow PCS API 4.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cvmproof.collateral.endpoint import INTEL_PCS, INTEL_ROOT_CRL, read_pccs
from cvmproof.collateral.intel_keys import Authority, IntelCertificatesKey, IntelCrlKey, IntelKey
from cvmproof.collateral.service import Limits, Progress, ServiceClient, Session
from cvmproof.collateral.spelled import read_one_crl
from cvmproof.collateral.store import CollateralStore
from cvmproof_formats.errors import CollateralError, Malformed

if TYPE_CHECKING:
    from cvmproof.collateral.download import Downloaded


class PcsClient(ServiceClient[IntelKey]):
    """Fetches TCB info, QE identities, revocation lists and certificates into one store; may be shared by threads."""

    def __init__(
        self,
        store: CollateralStore,
        base_url: str = INTEL_PCS,
        *,
        root_crl: str | None = None,
        ca_file: Path | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a store, the service's address, and a file of CA certificates in place of the system's.

        `root_crl` is the path of the root's list at that address; None: Intel's own for Intel's service, a PCCS's for
        any other. Raises EndpointError for an address that is not one we go to, Misuse for a file without CA
        certificates.
        """
        super().__init__(store, ca_file=ca_file, limits=limits, progress=progress, monotonic=monotonic)
        self._base = read_pccs(base_url, store.trust).url
        self._root_crl = root_crl

    def _in_order(self, wanted: Iterable[IntelKey]) -> tuple[IntelKey, ...]:
        # Certificates come with what they signed.
        return tuple(dict.fromkeys(key for key in wanted if not isinstance(key, IntelCertificatesKey)))

    def _url(self, key: IntelKey) -> str:
        if isinstance(key, IntelCrlKey) and key.authority is Authority.ROOT:
            if self._root_crl is not None:
                return self._base + self._root_crl
            if self._base == INTEL_PCS:
                return INTEL_ROOT_CRL
        return self._base + key.url_path

    def _replace(self, key: IntelKey, session: Session) -> None:
        self._store.expect_not_absent(key, session.now)
        answer = self._get(key, session)
        try:
            self._put_certificates(key, answer, session)
            data = read_one_crl(answer.body) if isinstance(key, IntelCrlKey) else answer.body
        except Malformed as error:
            raise CollateralError(f"{key}: {error}", category=error.category) from error
        self._store.put(key, data, session.now)

    def _put_certificates(self, key: IntelKey, answer: "Downloaded", session: Session) -> None:
        """Keep the certificates that came along; without any, those that are stored have to do."""
        header = None if isinstance(key, IntelCertificatesKey) else answer.headers.get(key.chain_header)
        if not header or key.chain.authority is Authority.ROOT:
            return
        with self._store.lock(key.chain, session.remaining()):
            self._store.put(key.chain, read_chain_header(header), session.now)


def read_chain_header(value: str) -> bytes:
    """Take percent-encoding off a chain of certificates (PEM); a "+" stands for itself, as base64 has it.

    Raises Malformed for anything but ASCII behind it.
    """
    try:
        return unquote(value).encode("ascii")
    except UnicodeError as error:
        raise Malformed(f"issuer chain: expected percent-encoded PEM: {error}") from error
