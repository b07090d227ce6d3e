"""Answers about the TD itself and its platform: what a policy demands of them."""

from functools import partial

from cvmproof.check import Absent, Answer, require, undecided
from cvmproof.policy.tdx_rules import PLATFORM_FACTS
from cvmproof.policy.values import Demand
from cvmproof.tdx.answering import answers
from cvmproof.tdx.case import TdxCase
from cvmproof_formats.bitfield import Bit, mask_of
from cvmproof_formats.tdx.body import TdBody15
from cvmproof_formats.tdx.td_attributes import RESERVED, TD_ATTRIBUTE_BITS, UNDER_DEBUG, UNNAMED
from cvmproof_formats.tdx.xfam import ALWAYS_ONE, XFAM_BITS

_NO_PCK = Absent("a PCK certificate that can be read")
_DEMANDED = {Demand.REQUIRED: 1, Demand.FORBIDDEN: 0}
_UNKNOWN_XFAM = ~mask_of(XFAM_BITS)
_NO_SERVICE_TD = bytes(48)  # MRSERVICETD where none is bound, which bodies without the field stand for
# Register of the body: the rule that names its values.
_REGISTERS = {
    "mr_seam": "mr_seams",
    "mr_td": "mr_tds",
    "rtmr0": "rtmr0",
    "rtmr1": "rtmr1",
    "rtmr2": "rtmr2",
    "rtmr3": "rtmr3",
    "mr_config_id": "mr_config_ids",
    "mr_owner": "mr_owners",
    "mr_owner_config": "mr_owner_configs",
}


@answers("policy.tee")
def policy_tee(case: TdxCase) -> Answer:
    """The policy that asks must have rules for TDX."""
    return require(case.policy.tdx is not None, "rules for tdx", "tdx" if case.policy.tdx else "none")


@answers("tdx.fmspc")
def fmspc(case: TdxCase) -> Answer:
    """The platform must be of a kind that the policy names."""
    allowed = case.rules.fmspcs
    return undecided(allowed, _NO_PCK) if case.pck is None else _is_one_of(case.pck.fmspc, allowed)


@answers("tdx.ppid")
def ppid(case: TdxCase) -> Answer:
    """The processor must be one of those named."""
    allowed = case.rules.ppids
    return undecided(allowed, _NO_PCK) if case.pck is None else _is_one_of(case.pck.ppid, allowed)


@answers("tdx.ppid.denied")
def ppid_denied(case: TdxCase) -> Answer:
    """The processor may not be one that is ruled out."""
    expected = "a processor that denied_ppids does not name"
    if case.pck is None:
        return undecided(expected, _NO_PCK)
    return require(case.pck.ppid not in case.rules.denied_ppids, expected, case.pck.ppid)


@answers("tdx.platform_instance_id")
def platform_instance_id(case: TdxCase) -> Answer:
    """The platform must be one of those named; certificates of the Processor CA name none, and so are none of them."""
    allowed = case.rules.platform_instance_ids
    if case.pck is None:
        return undecided(allowed, _NO_PCK)
    platform = case.pck.platform
    return _is_one_of(platform.instance_id if platform else "none", allowed)


def platform_fact(name: str, case: TdxCase) -> Answer:
    """What the PCK certificate says of the platform must be as demanded; a Processor CA's says nothing."""
    demanded = _DEMANDED.get(case.rules.platform[name])
    if case.pck is None:
        return undecided(demanded, _NO_PCK)
    platform = case.pck.platform
    found = None if platform is None else int(getattr(platform, name))
    return require(found is not None and found == demanded, demanded, "not said" if found is None else found)


def register(name: str, rule: str, case: TdxCase) -> Answer:
    """A register of the TD must have one of the values that the policy names."""
    return _is_one_of(getattr(case.body, name), getattr(case.rules, rule))


@answers("tdx.mr_service_td")
def mr_service_td(case: TdxCase) -> Answer:
    """The service TDs bound to this one must be those named; a body without the field is of a TD that has none."""
    body = case.body
    found = body.mr_service_td if isinstance(body, TdBody15) else _NO_SERVICE_TD
    return _is_one_of(found, case.rules.mr_service_tds)


@answers("tdx.attributes.reserved")
def attributes_reserved(case: TdxCase) -> Answer:
    """Bits that must be zero may not be set."""
    return _has_none_of(case.body.td_attributes, RESERVED & ~UNDER_DEBUG)


@answers("tdx.attributes.under_debug")
def attributes_under_debug(case: TdxCase) -> Answer:
    """Nor those that must be zero and would put the TD under debug; the ones with a name are for the policy."""
    return _has_none_of(case.body.td_attributes, RESERVED & UNDER_DEBUG)


@answers("tdx.attributes.unknown")
def attributes_unknown(case: TdxCase) -> Answer:
    """Bits may not be set that may be, but of which nobody has said what they mean."""
    return _has_none_of(case.body.td_attributes, UNNAMED)


@answers("tdx.xfam.fixed")
def xfam_fixed(case: TdxCase) -> Answer:
    """x87 and SSE are always there."""
    found = case.body.xfam & ALWAYS_ONE
    return require(found == ALWAYS_ONE, f"{ALWAYS_ONE:#x}", f"{found:#x}")


@answers("tdx.xfam.unknown")
def xfam_unknown(case: TdxCase) -> Answer:
    """No feature may be in use that is not known."""
    return _has_none_of(case.body.xfam, _UNKNOWN_XFAM)


def attribute_bit(bit: Bit, case: TdxCase) -> Answer:
    """A bit of TD_ATTRIBUTES must be as demanded."""
    found, demanded = case.body.td_attributes >> bit.index & 1, _DEMANDED.get(case.rules.attributes[bit.name])
    return require(found == demanded, demanded, found)


def xfam_bit(bit: Bit, case: TdxCase) -> Answer:
    """A bit of XFAM must be as demanded."""
    found, demanded = case.body.xfam >> bit.index & 1, _DEMANDED.get(case.rules.xfam[bit.name])
    return require(found == demanded, demanded, found)


for _name in PLATFORM_FACTS:
    answers(f"tdx.platform.{_name}")(partial(platform_fact, _name))
for _name, _rule in _REGISTERS.items():
    answers(f"tdx.{_name}")(partial(register, _name, _rule))
for _bit in TD_ATTRIBUTE_BITS:
    answers(f"tdx.attributes.{_bit.name}")(partial(attribute_bit, _bit))
for _bit in XFAM_BITS:
    answers(f"tdx.xfam.{_bit.name}")(partial(xfam_bit, _bit))


def _is_one_of(value: object, allowed: object) -> Answer:
    """Answer whether a value is among those a policy names; a policy that names none was not to be asked."""
    return require(isinstance(allowed, frozenset) and value in allowed, allowed, value)


def _has_none_of(value: int, mask: int) -> Answer:
    found = value & mask
    return require(not found, "none set", f"{found:#x}" if found else "none set")
