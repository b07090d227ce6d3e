"""JSON that Intel signed, in the form in which its provisioning service sends it, told apart by the object's name."""

from collections.abc import Sequence
from typing import Final

from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.intel_keys import QeIdentityKey, TcbInfoKey
from cvmproof.collateral.keys import Wanted
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx import evaluation_numbers, qe_identity, tcb_info
from cvmproof_formats.tdx.signed_json import Signed, read_signed

NAMES: Final = (tcb_info.NAME, qe_identity.NAME, evaluation_numbers.NAME)


def read_any_signed(data: bytes) -> tuple[str, Signed]:
    """Cut a response apart, and say which object it is; neither its signature nor its content is looked at.

    Raises Malformed for another form or another object.
    """
    for name in NAMES:
        if f'"{name}"'.encode() in data[:64]:
            return name, read_signed(data, name)
    raise Malformed(f"signed JSON: expected {', '.join(NAMES)} as its first name, got another form")


def signed_collateral(data: bytes) -> Collateral:
    """Give a response to the appraisal; one that can't be cut apart is none, and so is a list of numbers."""
    try:
        name, signed = read_any_signed(data)
    except Malformed:
        return Collateral()
    if name == tcb_info.NAME:
        return Collateral(tcb_infos=(signed,))
    return Collateral(qe_identities=(signed,)) if name == qe_identity.NAME else Collateral()


def signed_for(signed: Sequence[tuple[str, Signed]], wanted: frozenset[Wanted]) -> Collateral:
    """Give what is about the platforms that are wanted, and QE identities if one is."""
    wants_qe = any(isinstance(key, QeIdentityKey) for key in wanted)
    return Collateral(
        tcb_infos=tuple(one for name, one in signed if name == tcb_info.NAME and _info_concerns(one, wanted)),
        qe_identities=tuple(one for name, one in signed if name == qe_identity.NAME and wants_qe),
    )


def _info_concerns(signed: Signed, wanted: frozenset[Wanted]) -> bool:
    try:
        fmspc = tcb_info.read_tcb_info(signed.body).fmspc
    except Malformed:
        return False
    return any(isinstance(key, TcbInfoKey) and key.fmspc == fmspc for key in wanted)
