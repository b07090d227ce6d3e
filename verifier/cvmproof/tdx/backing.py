"""What a quote is judged by: its chain, and the collateral chosen for it.

Of several that could serve, the time decides; everything else here is a pure function of bytes, and remembered.
"""

from datetime import datetime
from functools import lru_cache

from cvmproof.collateral.collateral import Collateral
from cvmproof.tdx.chain import PckChain, Signer, choose_signer, examine_pck_chain, signers_of
from cvmproof.tdx.link import Lists, lists_of, read_crl_once
from cvmproof.tdx.signed_info import (
    SignedInfo,
    choose_qe_identity,
    choose_tcb_info,
    examine_qe_identities,
    examine_tcb_infos,
    read_qe_identity_once,
    read_tcb_info_once,
)
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_info import TcbInfo


@record(eq=False)
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


_new_backing = maker(Backing)


def choose_backing(pck_chain: bytes, collateral: Collateral, now: datetime) -> Backing:
    """Choose the collateral to judge a quote by, which carries this chain (PEM).

    The time only decides between several that could serve. Raises Malformed as `examine_pck_chain` does.
    """
    supplied = collateral.certificates, collateral.intel_crls, collateral.tcb_infos, collateral.qe_identities
    only = _only_choice(pck_chain, *supplied)
    if only is not None:
        return only
    chain = examine_pck_chain(pck_chain)
    signed = (*collateral.tcb_infos, *collateral.qe_identities)
    signer = choose_signer(collateral.certificates, chain.root.certificate, now, signed)
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
    pck_chain: bytes,
    certificates: tuple[bytes, ...],
    crls: tuple[bytes, ...],
    tcb_infos: tuple[Signed, ...],
    qe_identities: tuple[Signed, ...],
) -> Backing | None:
    """Give what there is where there is at most one of each kind, so that no time could choose another."""
    _read_ahead(crls, tcb_infos, qe_identities)
    chain = examine_pck_chain(pck_chain)
    signers = signers_of(certificates, chain.root.certificate)
    if max(map(len, (signers, tcb_infos, qe_identities))) > 1:
        return None
    signer = signers[0] if signers else None
    spki = signer.certificate.spki if signer else None
    infos, identities = examine_tcb_infos(tcb_infos, spki), examine_qe_identities(qe_identities, spki)
    return _backing(chain, signer, infos[0] if infos else None, identities[0] if identities else None, crls)


def _read_ahead(crls: tuple[bytes, ...], tcb_infos: tuple[Signed, ...], qe_identities: tuple[Signed, ...]) -> None:
    """Read before any signature is checked.

    One check after the other finds the tables of the curve in the processor's caches; after each bit of reading they
    would have to be fetched anew.
    """
    for info in tcb_infos:
        read_tcb_info_once(info.body)
    for identity in qe_identities:
        read_qe_identity_once(identity.body)
    for crl in crls:
        read_crl_once(crl)


@lru_cache(maxsize=512)
def _backing(
    chain: PckChain,
    signer: Signer | None,
    tcb_info: SignedInfo[TcbInfo] | None,
    qe_identity: SignedInfo[QeIdentity] | None,
    crls: tuple[bytes, ...],
) -> Backing:
    """Give the same object for the same choice."""
    root_crls, pck_crls = lists_of(crls, chain.root.certificate, chain.authority)
    return _new_backing(
        chain=chain,
        signer=signer,
        tcb_info=tcb_info,
        qe_identity=qe_identity,
        root_crls=root_crls,
        pck_crls=pck_crls,
    )
