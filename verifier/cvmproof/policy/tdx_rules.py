"""What a policy says about Intel TDX, version 1: every field declared once, with how it is read and what it means.

Values of registers may be all zero: that is what Intel's TDX module reports for what nobody has set.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cvmproof.policy.rules import Permission, Rules, demands, demands_of_bits, read_rules, rule
from cvmproof.policy.values import (
    ANY,
    Any_,
    Demand,
    choice,
    day,
    hexadecimal,
    integer,
    or_any,
    set_of,
    set_or_none,
    wrong,
)
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS
from cvmproof_formats.tdx.xfam import XFAM_BITS


class EvaluationNumbers(StrEnum):
    """How the TCB evaluation numbers of TCB info and QE identity must relate."""

    EQUAL = "equal"
    ANY = "any"


# No policy takes a TCB that Intel revoked, nor one that Intel's levels do not reach down to.
NEVER_TAKEN: Final = frozenset({TcbStatus.REVOKED, TcbStatus.NOT_SUPPORTED})
STATUSES: Final = tuple(status for status in TcbStatus if status not in NEVER_TAKEN)
PLATFORM_FACTS: Final = ("dynamic_platform", "cached_keys", "smt_enabled")
MAXIMUM_GRACE: Final = 90 * 24 * 3600  # seconds
_MAXIMUM_EVALUATION_NUMBER = (1 << 32) - 1  # PCS API 4
_MAXIMUM_ISVSVN = (1 << 16) - 1  # Intel SDM volume 3D, ISVSVN of a report
_MAXIMUM_MODULE_SVN = 255  # Intel 348551, TEE_TCB_SVN: a component
_MODULE_ID = re.compile(r"TDX_[0-9A-F]{2}", re.ASCII)
_ADVISORY = re.compile(r"[A-Z]{1,20}-SA-[0-9]{5}", re.ASCII)


def read_advisory(value: object, where: str) -> str:
    """Read the name of an Intel advisory as TCB info spells it."""
    if not isinstance(value, str) or not _ADVISORY.fullmatch(value):
        raise wrong(where, 'an advisory as "INTEL-SA-01397"', value)
    return value


def read_module_svns(value: object, where: str) -> Mapping[str, int | Any_]:
    """Read the lowest SVN of each version of the TDX module that is taken, by the id of its identity in TCB info."""
    expected = 'a table by module version: "TDX_01" for 1.5, "TDX_03" for 2.0, "TDX_00" for 1.0, which has none'
    if not isinstance(value, dict) or not value:
        raise wrong(where, expected, value)
    for name in value:
        if not _MODULE_ID.fullmatch(name):
            raise wrong(where, f"{expected}; two hexadecimal digits in capitals", name)
    read = or_any(integer(0, _MAXIMUM_MODULE_SVN))
    return MappingProxyType({name: read(item, f"{where}.{name}") for name, item in value.items()})


_registers = or_any(set_of(hexadecimal(48, zero=True)))
_machines = or_any(set_of(hexadecimal(16)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TdxRules(Rules):
    """The `[tdx]` table of a policy; ANY where it leaves something open."""

    tcb_statuses: frozenset[TcbStatus] = rule(
        set_of(choice(STATUSES)), "which states of the TCB are taken, in Intel's words; never Revoked"
    )
    denied_advisories: frozenset[str] = rule(
        set_or_none(read_advisory), 'advisories of which none may apply to the TCB; "none" for an empty list'
    )
    minimum_evaluation_number: int | Any_ = rule(
        or_any(integer(0, _MAXIMUM_EVALUATION_NUMBER)), "the lowest TCB evaluation number of TCB info and QE identity"
    )
    evaluation_numbers: EvaluationNumbers = rule(
        choice(EvaluationNumbers), "whether TCB info and QE identity must be of one number: equal, any"
    )
    minimum_tcb_date: date | Any_ = rule(or_any(day), 'the lowest date of the TCB, "year-month-day"')
    collateral_grace: int = rule(
        integer(0, MAXIMUM_GRACE), "seconds for which TCB info, QE identity and revocation lists may be used overdue"
    )
    fmspcs: frozenset[bytes] | Any_ = rule(
        or_any(set_of(hexadecimal(6, zero=True))), "kinds of platform that are taken, their FMSPC of 6 bytes"
    )
    ppids: frozenset[bytes] | Any_ = rule(_machines, "processors that are taken (machine pin), their PPID of 16 bytes")
    platform_instance_ids: frozenset[bytes] | Any_ = rule(
        _machines, "platforms that are taken (machine pin), their instance id of 16 bytes"
    )
    denied_ppids: frozenset[bytes] = rule(
        set_or_none(hexadecimal(16)), 'processors that are never taken; "none" for an empty list'
    )
    platform: Mapping[str, Demand] = demands(PLATFORM_FACTS, "of what the platform's PCK certificate says")
    minimum_qe_svn: int | Any_ = rule(
        or_any(integer(0, _MAXIMUM_ISVSVN)), "the lowest security version of the quoting enclave"
    )
    minimum_module_svns: Mapping[str, int | Any_] | Any_ = rule(
        or_any(read_module_svns), "by version of the TDX module, its lowest security version; others are refused"
    )
    mr_seams: frozenset[bytes] | Any_ = rule(_registers, "TDX modules that are taken, their MRSEAM of 48 bytes")
    mr_tds: frozenset[bytes] | Any_ = rule(_registers, "MRTD values, 48 bytes: the firmware the TD was built from")
    rtmr0: frozenset[bytes] | Any_ = rule(_registers, "RTMR0 values, 48 bytes: the firmware's settings")
    rtmr1: frozenset[bytes] | Any_ = rule(_registers, "RTMR1 values, 48 bytes: boot loader and kernel")
    rtmr2: frozenset[bytes] | Any_ = rule(_registers, "RTMR2 values, 48 bytes: command line and initial RAM disk")
    rtmr3: frozenset[bytes] | Any_ = rule(_registers, "RTMR3 values, 48 bytes: what the running system measures")
    mr_config_ids: frozenset[bytes] | Any_ = rule(_registers, "MRCONFIGID values, 48 bytes")
    mr_owners: frozenset[bytes] | Any_ = rule(_registers, "MROWNER values, 48 bytes")
    mr_owner_configs: frozenset[bytes] | Any_ = rule(_registers, "MROWNERCONFIG values, 48 bytes")
    mr_service_tds: frozenset[bytes] | Any_ = rule(
        _registers, "MRSERVICETD values, 48 bytes; a quote that does not say counts as zero: no service TD is bound"
    )
    attributes: Mapping[str, Demand] = demands_of_bits(TD_ATTRIBUTE_BITS)
    unknown_attribute_bits: Permission = rule(
        choice(Permission), "whether TD_ATTRIBUTES bits may be set that nobody has defined yet"
    )
    xfam: Mapping[str, Demand] = demands_of_bits(XFAM_BITS)
    unknown_xfam_bits: Permission = rule(choice(Permission), "whether XFAM bits may be set that nobody has defined yet")

    @property
    def constrains_software(self) -> bool:
        """Whether the policy says which software may run."""
        return self.mr_tds is not ANY


def read_tdx_rules(document: object, where: str) -> TdxRules:
    """Read the `[tdx]` table: every field present, none unknown, and consistent as a whole.

    Raises Misuse.
    """
    rules = read_rules(TdxRules, document, where)
    if rules.ppids is not ANY and rules.ppids <= rules.denied_ppids:
        raise wrong(f"{where}.ppids", "a processor that denied_ppids does not name", "none")
    return rules
