"""What Intel signs about platforms and quoting enclaves: chosen from what was supplied, verified, and then read.

Of several, the one that suits this platform and this time best, and the newest of those: whoever adds others can't turn
a yes into a no. Reading and verifying are pure functions of bytes, and remembered.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Generic, TypeVar

from cvmproof.check import Unfit
from cvmproof.tdx.link import signed_problem
from cvmproof_formats.errors import Malformed
from cvmproof_formats.record import record
from cvmproof_formats.tdx.qe_identity import QeIdentity, read_qe_identity
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_info import TcbInfo, read_tcb_info

Info = TypeVar("Info", TcbInfo, QeIdentity)


@record(eq=False)
class SignedInfo(Generic[Info]):
    """One signed object: what it says or why it can't be read, and what is wrong with its signature."""

    signed: Signed
    read: Info | Unfit
    signature_problem: str

    @property
    def info(self) -> Info | None:
        """What it says, None where it can't be read."""
        return None if isinstance(self.read, Unfit) else self.read


def choose_tcb_info(
    supplied: tuple[Signed, ...], spki: bytes | None, fmspc: bytes | None, now: datetime
) -> SignedInfo[TcbInfo] | None:
    """Choose the TCB info for a platform; `spki` is the signing key's, None where it is not at hand."""
    examined = examine_tcb_infos(supplied, spki)
    return max(examined, key=lambda one: (_fits(one, fmspc), *_suitability(one, now)), default=None)


def choose_qe_identity(
    supplied: tuple[Signed, ...], spki: bytes | None, now: datetime
) -> SignedInfo[QeIdentity] | None:
    """Choose the QE identity; `spki` as above."""
    return max(examine_qe_identities(supplied, spki), key=lambda one: _suitability(one, now), default=None)


def examine_tcb_infos(supplied: tuple[Signed, ...], spki: bytes | None) -> tuple[SignedInfo[TcbInfo], ...]:
    """Verify and read every TCB info."""
    return tuple([_tcb_info(signed, spki) for signed in supplied])


def examine_qe_identities(supplied: tuple[Signed, ...], spki: bytes | None) -> tuple[SignedInfo[QeIdentity], ...]:
    """Verify and read every QE identity."""
    return tuple([_qe_identity(signed, spki) for signed in supplied])


@lru_cache(maxsize=256)
def read_tcb_info_once(body: bytes) -> TcbInfo | Unfit:
    """Read TCB info, or say why it can't be read; its signature is another question."""
    return _read(read_tcb_info, body)


@lru_cache(maxsize=256)
def read_qe_identity_once(body: bytes) -> QeIdentity | Unfit:
    """Read a QE identity in the same way."""
    return _read(read_qe_identity, body)


def _read(reader: Callable[[bytes], Info], body: bytes) -> Info | Unfit:
    try:
        return reader(body)
    except Malformed as error:
        return Unfit(str(error), error.category)


@lru_cache(maxsize=256)
def _tcb_info(signed: Signed, spki: bytes | None) -> SignedInfo[TcbInfo]:
    return _examine(read_tcb_info_once, signed, spki)


@lru_cache(maxsize=256)
def _qe_identity(signed: Signed, spki: bytes | None) -> SignedInfo[QeIdentity]:
    return _examine(read_qe_identity_once, signed, spki)


def _examine(reader: Callable[[bytes], Info | Unfit], signed: Signed, spki: bytes | None) -> SignedInfo[Info]:
    problem = signed_problem(signed, spki) if spki else ""
    return SignedInfo(signed=signed, read=reader(signed.body), signature_problem=problem)


def _suitability(one: SignedInfo[Info], now: datetime) -> tuple[bool, bool, int, float]:
    info = one.info
    if info is None:
        return not one.signature_problem, False, -1, 0.0
    current = info.issue_date <= now <= info.next_update
    return not one.signature_problem, current, info.evaluation_number, info.issue_date.timestamp()


def _fits(one: SignedInfo[TcbInfo], fmspc: bytes | None) -> bool:
    return one.info is not None and one.info.fmspc == fmspc
