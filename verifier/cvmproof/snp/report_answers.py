"""Answers about the report itself, and about what a policy demands of it."""

from functools import lru_cache

from cvmproof.check import Absent, Answer, failed, passed, require, undecided
from cvmproof.policy.snp_rules import Allowance, CommittedFirmware
from cvmproof.policy.values import ANY
from cvmproof.snp.answering import answers
from cvmproof.snp.case import SnpCase
from cvmproof.snp.tcb_words import TcbWords
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.guest_policy import minimum_abi
from cvmproof_formats.snp.key_flags import AUTHOR_KEY_EN
from cvmproof_formats.snp.platform_info import KNOWN
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import GUEST_VMPLS, HOST_REQUESTED, NO_MIGRATION_AGENT
from cvmproof_formats.snp.tcb import Tcb, components_below

_NOT_PINNED = "a chip that chip_ids does not name"


def is_one_of(value: object, allowed: object) -> Answer:
    """Answer whether a value is among those a policy names; a policy that names none was not to be asked."""
    holds = isinstance(allowed, frozenset) and value in allowed
    return require(holds, allowed, value)


@answers("snp.report.guest_requested")
def guest_requested(case: SnpCase) -> Answer:
    """A report that the host asked for says nothing about who holds the guest's keys."""
    vmpl = case.report.vmpl
    got = "the host's request" if vmpl == HOST_REQUESTED else ("VMPL", vmpl)
    return require(vmpl in GUEST_VMPLS, "a guest at VMPL 0 to 3", got)


@answers("snp.tcb.layout")
def tcb_layout(case: SnpCase) -> Answer:
    """All four TCBs must be laid out as the product line has them."""
    expected, report = ("TCB_VERSION of", case.product), case.report
    if case.product is None:
        return _no_product(expected)
    for tcb in (report.reported_tcb, report.committed_tcb, report.current_tcb, report.launch_tcb):
        problem = _layout_problem(tcb, case.product)
        if problem:
            return failed(expected, problem)
    return passed(expected, expected)


@answers("snp.tcb.reported")
def tcb_reported(case: SnpCase) -> Answer:
    """A platform may report less than it runs, never more."""
    report = case.report
    above = components_below(report.current_tcb, report.reported_tcb)
    return require(
        not above,
        ("at most CURRENT_TCB", TcbWords(report.current_tcb, case.product)),
        TcbWords(report.reported_tcb, case.product),
    )


@answers("snp.product")
def product(case: SnpCase) -> Answer:
    """The product line must be taken: always, or because this chip is named."""
    rules, line = case.rules, case.product
    if line is None:
        return _no_product(rules.products_taken)
    allowance = rules.products[line]
    if allowance is Allowance.PINNED:
        pinned = rules.chip_ids is not ANY and case.report.chip_id in rules.chip_ids
        return require(
            pinned, f"{line} only as a chip named in chip_ids", f"{line}, {'named' if pinned else _NOT_PINNED}"
        )
    return require(allowance is Allowance.ALLOWED, rules.products_taken, line)


@answers("snp.report.version")
def report_version(case: SnpCase) -> Answer:
    """The report must be of a version that says what the policy wants to know."""
    return _at_least(case.report.version, case.rules.minimum_report_version)


@answers("snp.signing_key")
def signing_key(case: SnpCase) -> Answer:
    """The kind of key that signed must be taken."""
    return is_one_of(case.signing_key, case.rules.signing_keys)


@answers("snp.csp_id")
def csp_id(case: SnpCase) -> Answer:
    """A provider must be named by the key's certificate and be among those taken; a VCEK names none."""
    vek, allowed = case.chain.vek, case.rules.csp_ids
    if vek is None:
        return undecided(allowed, Absent(f"certificate of the {case.signing_key} that signed, in AMD's profile"))
    return (
        is_one_of(vek.csp_id, allowed) if vek.kind is KeyKind.VLEK else failed(allowed, "a key that names no provider")
    )


@answers("snp.vmpl")
def vmpl(case: SnpCase) -> Answer:
    """The report must come from one of the privilege levels."""
    return is_one_of(case.report.vmpl, case.rules.vmpls)


@answers("snp.measurement")
def measurement(case: SnpCase) -> Answer:
    """The launched software must be among the reference values."""
    return is_one_of(case.report.measurement, case.rules.measurements)


@answers("snp.host_data")
def host_data(case: SnpCase) -> Answer:
    """The launch configuration must be among those named."""
    return is_one_of(case.report.host_data, case.rules.host_data)


@answers("snp.id_key")
def id_key(case: SnpCase) -> Answer:
    """A trusted ID key must have signed the launch; firmware checked that before it put the digest here."""
    return is_one_of(case.report.id_key_digest, case.rules.id_key_digests)


@answers("snp.author_key")
def author_key(case: SnpCase) -> Answer:
    """A trusted author key must have signed the ID key; without AUTHOR_KEY_EN the digest means nothing."""
    allowed = case.rules.author_key_digests
    if not case.report.key_flags & AUTHOR_KEY_EN:
        return failed(allowed, "no author key (AUTHOR_KEY_EN 0)")
    return is_one_of(case.report.author_key_digest, allowed)


@answers("snp.family_id")
def family_id(case: SnpCase) -> Answer:
    """FAMILY_ID must be among those named."""
    return is_one_of(case.report.family_id, case.rules.family_ids)


@answers("snp.image_id")
def image_id(case: SnpCase) -> Answer:
    """IMAGE_ID must be among those named."""
    return is_one_of(case.report.image_id, case.rules.image_ids)


@answers("snp.guest_svn")
def guest_svn(case: SnpCase) -> Answer:
    """The guest's own security version must reach the minimum."""
    return _at_least(case.report.guest_svn, case.rules.minimum_guest_svn)


@answers("snp.chip_id")
def chip_id(case: SnpCase) -> Answer:
    """The machine must be one of those named; a masked one is none of them, since no policy can name zero."""
    return is_one_of(case.report.chip_id, case.rules.chip_ids)


@answers("snp.chip_id.denied")
def chip_id_denied(case: SnpCase) -> Answer:
    """The machine may not be one that is ruled out, and must say which it is for that to mean anything."""
    found, denied = case.report.chip_id, case.rules.denied_chip_ids
    return require(any(found) and found not in denied, "a chip that denied_chip_ids does not name", found)


@answers("snp.chip_id.masked")
def chip_id_masked(case: SnpCase) -> Answer:
    """The host may not hide which chip it is. A VLEK is no chip's: whose word that is, `snp.csp_id` asks."""
    if case.signing_key is KeyKind.VLEK:
        return passed("a chip that is named, or a VLEK", "a VLEK")
    return require(any(case.report.chip_id), "a chip that is named, or a VLEK", case.report.chip_id)


@answers("snp.report_id")
def report_id(case: SnpCase) -> Answer:
    """The launch must be one of those named."""
    return is_one_of(case.report.report_id, case.rules.report_ids)


@answers("snp.migration_agent")
def migration_agent(case: SnpCase) -> Answer:
    """The guest may have no migration agent."""
    return require(case.report.report_id_ma == NO_MIGRATION_AGENT, NO_MIGRATION_AGENT, case.report.report_id_ma)


@answers("snp.firmware.minimum")
def firmware_minimum(case: SnpCase) -> Answer:
    """The firmware that the platform can't go back behind must reach the minimum, as (major, minor, build)."""
    minimum, committed = case.rules.minimum_firmware, case.report.committed_firmware
    holds = minimum is not ANY and committed >= minimum
    return require(holds, ("at least", minimum), committed)


@answers("snp.firmware.committed")
def firmware_committed(case: SnpCase) -> Answer:
    """Committed firmware must equal what runs, or not exceed it, as the policy says."""
    report, mode = case.report, case.rules.committed_firmware
    same = report.committed_tcb == report.current_tcb and report.committed_firmware == report.current_firmware
    below = components_below(report.current_tcb, report.committed_tcb)
    at_most = not below and report.committed_firmware <= report.current_firmware
    expected = (mode, TcbWords(report.current_tcb, case.product), "version", report.current_firmware)
    got = (TcbWords(report.committed_tcb, case.product), "version", report.committed_firmware)
    return require(same if mode is CommittedFirmware.EQUAL else at_most, expected, got)


@answers("snp.tcb.floor.reported")
def tcb_floor_reported(case: SnpCase) -> Answer:
    """What the endorsement key proves must reach the floor; so then does what runs, which `snp.tcb.reported` asks."""
    return _reaches_floor(case, case.report.reported_tcb)


@answers("snp.tcb.floor.committed")
def tcb_floor_committed(case: SnpCase) -> Answer:
    """What the platform can't go back behind must reach the floor."""
    return _reaches_floor(case, case.report.committed_tcb)


@answers("snp.tcb.floor.launch")
def tcb_floor_launch(case: SnpCase) -> Answer:
    """What launched the guest must reach the floor."""
    return _reaches_floor(case, case.report.launch_tcb)


@answers("snp.mitigations.launch")
def mitigations_launch(case: SnpCase) -> Answer:
    """The mitigations must have been in place at launch; reports before version 5 show none."""
    return _has_mitigations(case, case.report.launch_mit_vector, case.rules.launch_mitigations)


@answers("snp.mitigations.current")
def mitigations_current(case: SnpCase) -> Answer:
    """The mitigations must be in place; reports before version 5 show none."""
    return _has_mitigations(case, case.report.current_mit_vector, case.rules.current_mitigations)


@answers("snp.guest_policy.abi")
def guest_policy_abi(case: SnpCase) -> Answer:
    """The guest must insist on a firmware ABI that is new enough."""
    minimum, found = case.rules.minimum_abi, minimum_abi(case.report.policy)
    return require(minimum is not ANY and found >= minimum, ("at least", minimum), found)


@answers("snp.platform_info.unknown")
def platform_info_unknown(case: SnpCase) -> Answer:
    """No bit may be set that nobody has defined."""
    unknown = case.report.platform_info & ~KNOWN
    return require(not unknown, "no bits beyond 7:0", f"{unknown:#x}" if unknown else "none")


@lru_cache(maxsize=1024)
def _layout_problem(tcb: bytes, product: ProductLine) -> str:
    try:
        Tcb.read(tcb, product)
    except Malformed as error:
        return str(error)
    return ""


def _at_least(value: int, minimum: object) -> Answer:
    return require(isinstance(minimum, int) and value >= minimum, ("at least", minimum), value)


def _reaches_floor(case: SnpCase, tcb: bytes) -> Answer:
    line, rules = case.product, case.rules
    if line is None:
        return _no_product("a TCB at its product line's floor")
    if rules.tcb_floor is ANY or line not in rules.tcb_floor:
        return failed(f"a floor for {line}", "none in this policy")
    floor = rules.floor_for(line, case.part)
    return require(not components_below(tcb, floor), ("at least", TcbWords(floor, line)), TcbWords(tcb, line))


def _has_mitigations(case: SnpCase, vector: int, masks: object) -> Answer:
    if case.product is None:
        return _no_product("mitigations of its product line")
    mask = masks.get(case.product) if isinstance(masks, dict) else None
    if mask is None:
        return failed(f"mitigations named for {case.product}", "none in this policy")
    return require(vector & mask == mask, ("at least bits", _bits(mask)), ("bits", _bits(vector) or "none"))


def _bits(vector: int) -> str:
    return ", ".join(str(index) for index in range(vector.bit_length()) if vector >> index & 1)


def _no_product(expected: object) -> Answer:
    return undecided(expected, Absent("the product line: a version 2 report does not say, its key's certificate would"))
