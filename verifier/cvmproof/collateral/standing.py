"""What a stored object is worth once it is verified: from when until when it holds, and which of two is the newer."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cvmproof.collateral.admission import admit_chain, admit_crl, admit_vcek
from cvmproof.collateral.intel_keys import Authority, IntelCertificatesKey, IntelCrlKey, IntelKey
from cvmproof.collateral.keys import AmdKey, ChainKey, CrlKey, VcekKey, Wanted
from cvmproof_formats.x509 import Certificate, CertificateList

if TYPE_CHECKING:  # the store asks for standings, and they rest on what is in the store
    from cvmproof.collateral.store import CollateralStore

Rank = tuple[int, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`rank` is TCB evaluation data number (0 where there is none) and date of issue; None: two never differ so."""

    begin: datetime
    until: datetime
    rank: Rank | None = None

    @property
    def issue(self) -> str:
        """Say the rank."""
        if self.rank is None:
            return ""
        number, issued = self.rank
        date = f"{issued:%Y-%m-%d %H:%M:%S}"
        return f"evaluation number {number} of {date}" if number else date


def standing_of(key: Wanted, data: bytes, store: "CollateralStore") -> Standing:
    """Verify what is, or is to be, stored under a key, and say what it is worth.

    Raises CollateralError as the functions of admission do; UNAVAILABLE where what it is verified under is not there.
    """
    if isinstance(key, ChainKey | CrlKey | VcekKey):
        return _of_amds(key, data, store)
    return _of_intels(key, data, store)


def _of_amds(key: AmdKey, data: bytes, store: "CollateralStore") -> Standing:
    if isinstance(key, ChainKey):
        chain = admit_chain(key, data, store.trust)
        return Standing(begin=chain.valid_from, until=chain.valid_until, rank=(0, chain.intermediate.not_before))
    if isinstance(key, CrlKey):
        return _of_list(admit_crl(key, data, store.ark(key)))
    leaf = admit_vcek(key, data, store.chain(key.chain))
    return Standing(begin=leaf.not_before, until=leaf.not_after)


def _of_intels(key: IntelKey, data: bytes, store: "CollateralStore") -> Standing:
    from cvmproof.collateral.intel_admission import (  # noqa: PLC0415 -- a store of AMD's alone loads nothing of TDX
        admit_certificates,
        admit_intel_crl,
        admit_signed,
    )

    if isinstance(key, IntelCertificatesKey):
        # Several issues lie in one file: it holds as long as one of them does.
        certificates = admit_certificates(key, data, store.trust)
        return Standing(
            begin=min(one.not_before for one in certificates), until=max(one.not_after for one in certificates)
        )
    if isinstance(key, IntelCrlKey):
        issuers = () if key.authority is Authority.ROOT else store.intel_certificates(key.chain)
        crl, issuer = admit_intel_crl(key, data, issuers, store.trust)
        return _of_list(crl, issuer)
    signers = store.intel_certificates(key.chain)
    info, signer = admit_signed(key, data, signers)
    number = getattr(info, "evaluation_number", 0)  # the list of all numbers has none of its own
    # Of several certificates of the one signing key, the last to end.
    certified = max(one.not_after for one in signers if one.spki == signer.spki)
    return Standing(begin=info.issue_date, until=min(info.next_update, certified), rank=(number, info.issue_date))


def _of_list(crl: CertificateList, issuer: Certificate | None = None) -> Standing:
    until = crl.next_update or crl.this_update
    return Standing(
        begin=crl.this_update, until=min(until, issuer.not_after) if issuer else until, rank=(0, crl.this_update)
    )
