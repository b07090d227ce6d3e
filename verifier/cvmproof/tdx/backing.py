"""What a quote is judged by: its chain, and the collateral chosen for it.

Of several that could serve, the time decides; everything else here is a pure function of bytes, and remembered.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cvmproof.collateral.collateral import Collateral
from cvmproof.tdx.chain import PckChain, Signer, choose_signer, signers_of
from cvmproof.tdx.link import RevocationList, examine_crl
from cvmproof.tdx.signed_info import (
    SignedInfo,
    choose_qe_identity,
    choose_tcb_info,
    examine_qe_identities,
    examine_tcb_infos,
)
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_info import TcbInfo
from cvmproof_formats.x509 import Certificate

Lists = tuple[RevocationList, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backing:
    """What a quote is judged by: its chain, and the collateral chosen for it; the same object for the same bytes.

    It says nothing of the quote's own signatures, and nothing in it depends on the time.
    """

    chain: PckChain
    signer: Signer | None
    tcb_info: SignedInfo[TcbInfo] | None
    qe_identity: SignedInfo[QeIdentity] | None
    root_crls: Lists
    pck_crls: Lists

    @property
    def info(self) -> TcbInfo | None:
        """The TCB info, None where there is none that can be read."""
        return self.tcb_info.info if self.tcb_info else None

    @property
    def identity(self) -> QeIdentity | None:
        """The QE identity, None where there is none that can be read."""
        return self.qe_identity.info if self.qe_identity else None


def choose_backing(chain: PckChain, collateral: Collateral, now: datetime) -> Backing:
    """Choose the collateral to judge a quote by; the time only decides between several that could serve."""
    supplied = collateral.certificates, collateral.intel_crls, collateral.tcb_infos, collateral.qe_identities
    only = _only_choice(chain, *supplied)
    if only is not None:
        return only
    signed = (*collateral.tcb_infos, *collateral.qe_identities)
    signer = choose_signer(collateral.certificates, chain.root, now, signed)
    spki = signer.certificate.spki if signer else None
    fmspc = chain.identity.fmspc if chain.identity else None
    return _backing(
        chain,
        signer,
        choose_tcb_info(collateral.tcb_infos, spki, fmspc, now),
        choose_qe_identity(collateral.qe_identities, spki, now),
        collateral.intel_crls,
    )


@lru_cache(maxsize=512)
def _only_choice(
    chain: PckChain,
    certificates: tuple[bytes, ...],
    crls: tuple[bytes, ...],
    tcb_infos: tuple[Signed, ...],
    qe_identities: tuple[Signed, ...],
) -> Backing | None:
    """Give what there is where there is at most one of each kind, so that no time could choose another."""
    signers = signers_of(certificates, chain.root)
    if max(map(len, (signers, tcb_infos, qe_identities))) > 1:
        return None
    signer = signers[0] if signers else None
    spki = signer.certificate.spki if signer else None
    infos, identities = examine_tcb_infos(tcb_infos, spki), examine_qe_identities(qe_identities, spki)
    return _backing(chain, signer, infos[0] if infos else None, identities[0] if identities else None, crls)


@lru_cache(maxsize=512)
def _backing(
    chain: PckChain,
    signer: Signer | None,
    tcb_info: SignedInfo[TcbInfo] | None,
    qe_identity: SignedInfo[QeIdentity] | None,
    crls: tuple[bytes, ...],
) -> Backing:
    return Backing(
        chain=chain,
        signer=signer,
        tcb_info=tcb_info,
        qe_identity=qe_identity,
        root_crls=_lists(crls, chain.root),
        pck_crls=_lists(crls, chain.authority),
    )


@lru_cache(maxsize=256)
def _lists(crls: tuple[bytes, ...], authority: Certificate) -> Lists:
    """Examine the revocation lists of one authority; those of others are passed over, unreadable ones are not."""
    examined = (examine_crl(data, authority) for data in crls)
    return tuple(one for one in examined if one.crl is None or one.crl.issuer == authority.subject)
