"""What Intel signs about platforms and quoting enclaves: chosen from what was supplied, verified, and then read.

Of several, the one that suits this platform and this time best, and the newest of those: whoever adds others can't turn
a yes into a no. Reading and verifying are pure functions of bytes, and remembered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Generic, TypeVar

from cvmproof.tdx.link import signed_problem
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.qe_identity import QeIdentity, read_qe_identity
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_info import TcbInfo, read_tcb_info

Info = TypeVar("Info", TcbInfo, QeIdentity)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignedInfo(Generic[Info]):
    """One signed object: what it says, None where it can't be read; what is wrong with its form and its signature."""

    signed: Signed
    info: Info | None
    form_problem: str
    form_category: Category | None
    signature_problem: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Read(Generic[Info]):
    info: Info | None
    problem: str
    category: Category | None


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


@lru_cache(maxsize=256)
def examine_tcb_infos(supplied: tuple[Signed, ...], spki: bytes | None) -> tuple[SignedInfo[TcbInfo], ...]:
    """Verify and read every TCB info."""
    return tuple(_examine(signed, spki, _read_tcb_info(signed.body)) for signed in supplied)


@lru_cache(maxsize=256)
def examine_qe_identities(supplied: tuple[Signed, ...], spki: bytes | None) -> tuple[SignedInfo[QeIdentity], ...]:
    """Verify and read every QE identity."""
    return tuple(_examine(signed, spki, _read_qe_identity(signed.body)) for signed in supplied)


def _examine(signed: Signed, spki: bytes | None, read: "_Read[Info]") -> SignedInfo[Info]:
    return SignedInfo(
        signed=signed,
        info=read.info,
        form_problem=read.problem,
        form_category=read.category,
        signature_problem=signed_problem(signed, spki) if spki else "",
    )


def _suitability(one: SignedInfo[Info], now: datetime) -> tuple[bool, bool, int, float]:
    info = one.info
    if info is None:
        return not one.signature_problem, False, -1, 0.0
    current = info.issue_date <= now <= info.next_update
    return not one.signature_problem, current, info.evaluation_number, info.issue_date.timestamp()


def _fits(one: SignedInfo[TcbInfo], fmspc: bytes | None) -> bool:
    return one.info is not None and one.info.fmspc == fmspc


@lru_cache(maxsize=256)
def _read_tcb_info(body: bytes) -> _Read[TcbInfo]:
    return _read(read_tcb_info, body)


@lru_cache(maxsize=256)
def _read_qe_identity(body: bytes) -> _Read[QeIdentity]:
    return _read(read_qe_identity, body)


def _read(reader: Callable[[bytes], Info], body: bytes) -> _Read[Info]:
    try:
        return _Read(info=reader(body), problem="", category=None)
    except Malformed as error:
        return _Read(info=None, problem=str(error), category=error.category)
