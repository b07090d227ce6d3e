"""How new the collateral is that backs a quote, as high-water marks: of what is signed, and by whom it has to be."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from cvmproof.high_water import QE_IDENTITY_NAME, Mark, Seen, crl_name, tcb_info_name
from cvmproof.tdx.backing import Backing


@lru_cache(maxsize=512)
def marks_of(backing: Backing) -> Mapping[str, tuple[str, Mark]]:
    """Name how new everything is whose signature holds, each thing under the id of the check about it."""
    chain, tcb_info, qe_identity = backing.chain, backing.tcb_info, backing.qe_identity
    found: dict[str, tuple[str, Mark]] = {}
    if tcb_info and tcb_info.info and not tcb_info.signature_problem:
        info = tcb_info.info
        mark = Mark(number=info.evaluation_number, issued=info.issue_date)
        found["tdx.tcb_info.rollback"] = (tcb_info_name(info.fmspc), mark)
    if qe_identity and qe_identity.info and not qe_identity.signature_problem:
        identity = qe_identity.info
        mark = Mark(number=identity.evaluation_number, issued=identity.issue_date)
        found["tdx.qe_identity.rollback"] = (QE_IDENTITY_NAME, mark)
    for check, lists, authority in (
        ("tdx.root_crl.rollback", backing.root_crls, chain.root.certificate),
        ("tdx.pck_crl.rollback", backing.pck_crls, chain.authority),
    ):
        dates = [one.crl.this_update for one in lists if one.crl and not one.problem]
        if dates:
            name = crl_name(hashlib.sha256(authority.spki).digest())
            found[check] = (name, Mark(number=0, issued=max(dates)))
    return MappingProxyType(found)


def seen_under(backing: Backing, trust: str) -> Seen:
    """Give the marks of what is signed, all the way up, under the root of this trust set."""
    chain, signer = backing.chain, backing.signer
    if chain.root.pinned_in != trust or chain.root.signature_problem:
        return ()
    signed = signer is not None and not signer.problem and not signer.signature_problem
    sound = not chain.authority_problem and not chain.authority_signature_problem
    needs = {"tdx.tcb_info.rollback": signed, "tdx.qe_identity.rollback": signed, "tdx.pck_crl.rollback": sound}
    return tuple(mark for check, mark in marks_of(backing).items() if needs.get(check, True))
