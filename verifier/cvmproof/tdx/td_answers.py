"""Answers about the TD itself and its platform: what a policy demands of them."""

from functools import partial

from cvmproof.check import Absent, Answer, failed, passed, require, undecided
from cvmproof.policy.tdx_rules import PLATFORM_FACTS
from cvmproof.policy.values import Demand
from cvmproof.tdx.answering import answers_host, answers_td
from cvmproof.tdx.host import HostAsked
from cvmproof.tdx.td import TdAsked
from cvmproof_formats.bitfield import Bit, mask_of
from cvmproof_formats.tdx.body import TdBody15
from cvmproof_formats.tdx.td_attributes import RESERVED, TD_ATTRIBUTE_BITS, UNDER_DEBUG, UNNAMED
from cvmproof_formats.tdx.xfam import ALWAYS_ONE, XFAM_BITS

_NO_PCK = Absent("a PCK certificate that can be read")
_DEMANDED = {Demand.REQUIRED: 1, Demand.FORBIDDEN: 0}
_ALWAYS_ONE = f"{ALWAYS_ONE:#x}"
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


@answers_host("policy.tee")
def policy_tee(host: HostAsked) -> Answer:
    """The policy that asks must have rules for TDX."""
    return require(host.policy.tdx is not None, "rules for tdx", "tdx" if host.policy.tdx else "none")


@answers_host("tdx.fmspc")
def fmspc(host: HostAsked) -> Answer:
    """The platform must be of a kind that the policy names."""
    allowed = host.rules.fmspcs
    return undecided(allowed, _NO_PCK) if host.pck is None else _is_one_of(host.pck.fmspc, allowed)


@answers_host("tdx.ppid")
def ppid(host: HostAsked) -> Answer:
    """The processor must be one of those named."""
    allowed = host.rules.ppids
    return undecided(allowed, _NO_PCK) if host.pck is None else _is_one_of(host.pck.ppid, allowed)


@answers_host("tdx.ppid.denied")
def ppid_denied(host: HostAsked) -> Answer:
    """The processor may not be one that is ruled out."""
    expected = "a processor that denied_ppids does not name"
    if host.pck is None:
        return undecided(expected, _NO_PCK)
    return require(host.pck.ppid not in host.rules.denied_ppids, expected, host.pck.ppid)


@answers_host("tdx.platform_instance_id")
def platform_instance_id(host: HostAsked) -> Answer:
    """The platform must be one of those named; certificates of the Processor CA name none, and so are none of them."""
    allowed = host.rules.platform_instance_ids
    if host.pck is None:
        return undecided(allowed, _NO_PCK)
    platform = host.pck.platform
    return _is_one_of(platform.instance_id if platform else "none", allowed)


def platform_fact(name: str, host: HostAsked) -> Answer:
    """What the PCK certificate says of the platform must be as demanded; a Processor CA's says nothing."""
    demanded = _DEMANDED.get(host.rules.platform[name])
    if host.pck is None:
        return undecided(demanded, _NO_PCK)
    platform = host.pck.platform
    found = None if platform is None else int(getattr(platform, name))
    return require(found is not None and found == demanded, demanded, "not said" if found is None else found)


def register(name: str, rule: str, td: TdAsked) -> Answer:
    """A register of the TD must have one of the values that the policy names."""
    return _is_one_of(getattr(td.body, name), getattr(td.rules, rule))


@answers_td("tdx.mr_service_td")
def mr_service_td(td: TdAsked) -> Answer:
    """The service TDs bound to this one must be those named; a body without the field is of a TD that has none."""
    body = td.body
    found = body.mr_service_td if isinstance(body, TdBody15) else _NO_SERVICE_TD
    return _is_one_of(found, td.rules.mr_service_tds)


@answers_td("tdx.attributes.reserved")
def attributes_reserved(td: TdAsked) -> Answer:
    """Bits that must be zero may not be set."""
    return _has_none_of(td.body.td_attributes, RESERVED & ~UNDER_DEBUG)


@answers_td("tdx.attributes.under_debug")
def attributes_under_debug(td: TdAsked) -> Answer:
    """Nor those that must be zero and would put the TD under debug; the ones with a name are for the policy."""
    return _has_none_of(td.body.td_attributes, RESERVED & UNDER_DEBUG)


@answers_td("tdx.attributes.unknown")
def attributes_unknown(td: TdAsked) -> Answer:
    """Bits may not be set that may be, but of which nobody has said what they mean."""
    return _has_none_of(td.body.td_attributes, UNNAMED)


@answers_td("tdx.xfam.fixed")
def xfam_fixed(td: TdAsked) -> Answer:
    """x87 and SSE are always there."""
    found, expected = td.body.xfam & ALWAYS_ONE, _ALWAYS_ONE
    return passed(expected, expected) if found == ALWAYS_ONE else failed(expected, f"{found:#x}")


@answers_td("tdx.xfam.unknown")
def xfam_unknown(td: TdAsked) -> Answer:
    """No feature may be in use that is not known."""
    return _has_none_of(td.body.xfam, _UNKNOWN_XFAM)


def attribute_bit(bit: Bit, td: TdAsked) -> Answer:
    """A bit of TD_ATTRIBUTES must be as demanded."""
    found, demanded = td.body.td_attributes >> bit.index & 1, _DEMANDED.get(td.rules.attributes[bit.name])
    return require(found == demanded, demanded, found)


def xfam_bit(bit: Bit, td: TdAsked) -> Answer:
    """A bit of XFAM must be as demanded."""
    found, demanded = td.body.xfam >> bit.index & 1, _DEMANDED.get(td.rules.xfam[bit.name])
    return require(found == demanded, demanded, found)


for _name in PLATFORM_FACTS:
    answers_host(f"tdx.platform.{_name}")(partial(platform_fact, _name))
for _name, _rule in _REGISTERS.items():
    answers_td(f"tdx.{_name}")(partial(register, _name, _rule))
for _bit in TD_ATTRIBUTE_BITS:
    answers_td(f"tdx.attributes.{_bit.name}")(partial(attribute_bit, _bit))
for _bit in XFAM_BITS:
    answers_td(f"tdx.xfam.{_bit.name}")(partial(xfam_bit, _bit))


def _is_one_of(value: object, allowed: object) -> Answer:
    """Answer whether a value is among those a policy names; a policy that names none was not to be asked."""
    return require(isinstance(allowed, frozenset) and value in allowed, allowed, value)


def _has_none_of(value: int, mask: int) -> Answer:
    found = value & mask
    return require(not found, "none set", f"{found:#x}" if found else "none set")
