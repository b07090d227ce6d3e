"""What a policy demands of a TD and its platform: truth tables of every bit, and each value beside its refused twin."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.snp.situation import categories, ids_of_no
from tests.verifier.tdx.situation import (
    Situation,
    assert_accepted,
    assert_refused,
    check_of,
    policy_of,
)

from cvmproof.appraisal import Pin, Verdict
from cvmproof.policy.policy import Authority
from cvmproof.policy.tdx_rules import PLATFORM_FACTS
from cvmproof_formats.bitfield import Bit
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.td_attributes import (
    MIGRATABLE,
    PERFMON,
    RESERVED,
    SEPT_VE_DISABLE,
    SERVTD_EXT,
    TD_ATTRIBUTE_BITS,
    UNDER_DEBUG,
    UNNAMED,
)
from cvmproof_formats.tdx.xfam import ALWAYS_ONE, XFAM_BITS
from cvmproof_formats.tdx.xfam import RESERVED as UNKNOWN_XFAM
from cvmproof_simulator.tdx.platform import SIMULATED_FMSPC
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SIMULATED_XFAM

GOOD = Situation()
FIFTH = Situation(version=5)
PROCESSOR = Situation(ca=Ca.PROCESSOR)
DEMANDS = (("required", 1), ("forbidden", 0), ("any", None))
ZERO = bytes(48)
# Registers and the rules about them, with the category of their no.
REGISTERS = {
    "mr_seam": ("mr_seams", Category.MEASUREMENT),
    "mr_td": ("mr_tds", Category.MEASUREMENT),
    "rtmr0": ("rtmr0", Category.MEASUREMENT),
    "rtmr1": ("rtmr1", Category.MEASUREMENT),
    "rtmr2": ("rtmr2", Category.MEASUREMENT),
    "rtmr3": ("rtmr3", Category.MEASUREMENT),
    "mr_config_id": ("mr_config_ids", Category.IDENTITY),
    "mr_owner": ("mr_owners", Category.IDENTITY),
    "mr_owner_config": ("mr_owner_configs", Category.IDENTITY),
}


def with_field(machine: Situation, name: str, value: bytes | int) -> Situation:
    """One field of the body changed, and signed."""
    changes: QuoteChanges = {**machine.quote, name: value}  # type: ignore[misc]  # names of its fields
    return replace(machine, quote=changes)


# --- bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", TD_ATTRIBUTE_BITS, ids=lambda bit: bit.name)
def test_ac_044_every_attribute_demand_and_value(bit: Bit) -> None:
    for (demand, wanted), value in ((d, v) for d in DEMANDS for v in (0, 1)):
        situation = replace(
            with_field(GOOD, "td_attributes", bit.mask * value),
            rules={"attributes": {**dict.fromkeys(UNDER_DEBUG_NAMES, "any"), bit.name: demand}},
        )
        question = f"tdx.attributes.{bit.name}"
        if wanted is None or wanted == value:
            assert_accepted(situation)
        else:
            category = Category.DEBUG if bit.mask & UNDER_DEBUG else Category.POLICY_MISMATCH
            assert_refused(situation, category, question)
            assert (check_of(situation, question).expected, check_of(situation, question).got) == (
                str(wanted),
                str(value),
            )
        asked = question in {check.id for check in situation.appraise().checks if check.outcome != "unconstrained"}
        assert asked is (wanted is not None)


@pytest.mark.parametrize("bit", XFAM_BITS, ids=lambda bit: bit.name)
def test_ac_045_every_feature_demand_and_value(bit: Bit) -> None:
    for (demand, wanted), value in ((d, v) for d in DEMANDS for v in (0, 1)):
        xfam = ALWAYS_ONE & ~bit.mask | bit.mask * value
        situation = replace(with_field(GOOD, "xfam", xfam), rules={"xfam": {bit.name: demand}})
        expected = ["tdx.xfam.fixed"] if bit.mask & ALWAYS_ONE and not value else []
        expected += [] if wanted is None or wanted == value else [f"tdx.xfam.{bit.name}"]
        assert ids_of_no(situation.appraise()) == expected
        assert categories(situation.appraise()) == ({Category.POLICY_MISMATCH} if expected else set())


@pytest.mark.parametrize("name", PLATFORM_FACTS)
def test_every_fact_about_a_platform_demand_and_value(name: str) -> None:
    for (demand, wanted), value in ((d, v) for d in DEMANDS for v in (0, 1)):
        rules: dict[str, object] = {"platform": {name: demand}}
        situation = replace(GOOD, machine={name: bool(value)}, rules=rules)  # type: ignore[misc]  # names of its fields
        if wanted is None or wanted == value:
            assert_accepted(situation)
        else:
            assert_refused(situation, Category.PLATFORM, f"tdx.platform.{name}")
        # A certificate of the Processor CA says nothing of it.
        silent = replace(PROCESSOR, rules=rules)
        if wanted is None:
            assert_accepted(silent)
        else:
            assert_refused(silent, Category.PLATFORM, f"tdx.platform.{name}")
            assert check_of(silent, f"tdx.platform.{name}").got == "not said"


UNDER_DEBUG_NAMES = [bit.name for bit in TD_ATTRIBUTE_BITS if bit.mask & UNDER_DEBUG]
GENUINE, RECOMMENDED = GOOD, Situation(base="recommended", rules={"mr_tds": "any"})
BOTH = pytest.mark.parametrize("machine", [GENUINE, RECOMMENDED], ids=["genuine", "recommended"])


@BOTH
@pytest.mark.parametrize("bit", range(8))
def test_ac_044_no_bit_of_the_debug_group_is_taken_by_a_built_in_policy(machine: Situation, bit: int) -> None:
    under = with_field(machine, "td_attributes", SEPT_VE_DISABLE | 1 << bit)
    named = {bit.index: bit.name for bit in TD_ATTRIBUTE_BITS}
    if bit in named:
        assert_refused(under, Category.DEBUG, f"tdx.attributes.{named[bit]}")
    else:
        assert_refused(under, Category.DEBUG, "tdx.attributes.under_debug")


@pytest.mark.parametrize("bit", [bit for bit in range(64) if RESERVED >> bit & 1])
def test_ac_044_a_reserved_attribute_is_refused_under_every_policy(bit: int) -> None:
    everything = {"attributes": dict.fromkeys([bit.name for bit in TD_ATTRIBUTE_BITS], "any")}
    reserved = replace(with_field(GOOD, "td_attributes", 1 << bit), rules=everything)
    under_debug = UNDER_DEBUG >> bit & 1
    question = "tdx.attributes.under_debug" if under_debug else "tdx.attributes.reserved"
    assert_refused(reserved, Category.DEBUG if under_debug else Category.POLICY_MISMATCH, question)
    assert check_of(reserved, question).got == f"{1 << bit:#x}"


@pytest.mark.parametrize("bit", [bit for bit in range(64) if UNNAMED >> bit & 1])
def test_ac_044_an_attribute_without_a_name_is_refused_where_the_policy_says_so(bit: int) -> None:
    unnamed = with_field(GOOD, "td_attributes", 1 << bit)
    assert_accepted(unnamed)
    strict = replace(unnamed, rules={"unknown_attribute_bits": "forbidden"})
    assert_refused(strict, Category.POLICY_MISMATCH, "tdx.attributes.unknown")
    assert_accepted(with_field(strict, "td_attributes", 0))


def test_every_attribute_bit_is_asked_about() -> None:
    named = sum(bit.mask for bit in TD_ATTRIBUTE_BITS)
    assert named | RESERVED | UNNAMED == (1 << 64) - 1
    assert not named & RESERVED
    assert not (named | RESERVED) & UNNAMED


@pytest.mark.parametrize("bit", [bit for bit in range(64) if UNKNOWN_XFAM >> bit & 1])
def test_ac_045_a_feature_without_a_name_is_refused_where_the_policy_says_so(bit: int) -> None:
    unknown = with_field(GOOD, "xfam", SIMULATED_XFAM | 1 << bit)
    assert_accepted(unknown)
    strict = replace(unknown, rules={"unknown_xfam_bits": "forbidden"})
    assert_refused(strict, Category.POLICY_MISMATCH, "tdx.xfam.unknown")
    assert_accepted(with_field(strict, "xfam", SIMULATED_XFAM))


@pytest.mark.parametrize("xfam", [0, 1, 2, SIMULATED_XFAM & ~3])
def test_ac_045_a_td_without_x87_or_sse_is_none(xfam: int) -> None:
    assert_refused(with_field(GOOD, "xfam", xfam), Category.POLICY_MISMATCH, "tdx.xfam.fixed")
    assert_accepted(with_field(GOOD, "xfam", xfam | 3))


@pytest.mark.parametrize(
    ("attributes", "question"),
    [
        (0, "tdx.attributes.sept_ve_disable"),
        (SEPT_VE_DISABLE | MIGRATABLE, "tdx.attributes.migratable"),
        (SEPT_VE_DISABLE | SERVTD_EXT, "tdx.attributes.servtd_ext"),
    ],
)
def test_ac_022_ac_044_what_genuine_leaves_open_is_refused_by_the_recommended_policy(
    attributes: int, question: str
) -> None:
    assert_accepted(with_field(GENUINE, "td_attributes", attributes))
    assert_refused(with_field(RECOMMENDED, "td_attributes", attributes), Category.POLICY_MISMATCH, question)
    assert_accepted(with_field(RECOMMENDED, "td_attributes", SEPT_VE_DISABLE | PERFMON))


# --- registers: AC-045 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTERS)
def test_ac_032_ac_045_a_register_one_bit_off_is_refused(name: str) -> None:
    rule, category = REGISTERS[name]
    for machine in (GOOD, FIFTH):
        found = bytes.fromhex(check_of(replace(machine, rules={rule: ["11" * 48]}), f"tdx.{name}").got)
        named = replace(machine, rules={rule: [found.hex(), "11" * 48]})
        assert_accepted(named)
        for bit in (0, 191, 383):
            off = (int.from_bytes(found, "big") ^ 1 << bit).to_bytes(48, "big")
            assert_refused(with_field(named, name, off), category, f"tdx.{name}")
            assert_accepted(replace(with_field(machine, name, off), rules={rule: [off.hex()]}))


@pytest.mark.parametrize("name", REGISTERS)
def test_ac_047_ac_065_a_register_that_nobody_set_is_refused_where_a_value_is_expected(name: str) -> None:
    rule, category = REGISTERS[name]
    unset = with_field(GOOD, name, ZERO)
    assert_accepted(unset)
    assert_refused(replace(unset, rules={rule: ["11" * 48]}), category, f"tdx.{name}")
    assert_accepted(replace(unset, rules={rule: [ZERO.hex()]}))


def test_ac_088_reference_values_of_another_environment_are_refused() -> None:
    for base in ("genuine", "recommended"):
        another = Situation(base=base, rules={"mr_tds": ["11" * 48]})
        assert_refused(another, Category.MEASUREMENT, "tdx.mr_td")
        assert_accepted(replace(another, rules={"mr_tds": [SIMULATED_MRTD.hex(), "11" * 48]}))


def test_ac_045_a_service_td_is_one_of_those_named_and_a_body_that_has_no_room_for_it_has_none() -> None:
    none_bound: dict[str, object] = {"mr_service_tds": [ZERO.hex()]}
    bound = with_field(FIFTH, "mr_service_td", b"\1" * 48)
    assert_accepted(bound)
    assert_refused(replace(bound, rules=none_bound), Category.POLICY_MISMATCH, "tdx.mr_service_td")
    assert_refused(
        replace(bound, base="recommended", rules={"mr_tds": "any"}), Category.POLICY_MISMATCH, "tdx.mr_service_td"
    )
    named: dict[str, object] = {"mr_service_tds": ["01" * 48]}
    assert_accepted(replace(bound, rules=named))
    assert_accepted(replace(FIFTH, rules=none_bound))
    for version in (4, 5):
        shorter = Situation(version=version, quote={"body_type": 2}, rules=none_bound)
        assert_accepted(shorter)
        assert_refused(replace(shorter, rules=named), Category.POLICY_MISMATCH, "tdx.mr_service_td")


@given(
    value=st.sampled_from([ZERO, b"\1" * 48, b"\2" * 48]),
    allowed=st.sets(st.sampled_from([ZERO, b"\1" * 48, b"\2" * 48]), min_size=1),
)
def test_a_register_passes_exactly_if_it_is_among_those_named(value: bytes, allowed: set[bytes]) -> None:
    situation = replace(with_field(GOOD, "rtmr3", value), rules={"rtmr3": sorted(each.hex() for each in allowed)})
    assert (situation.appraise().verdict is Verdict.ACCEPTED) is (value in allowed)


# --- which machine: AC-046, AC-047 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", [GOOD, PROCESSOR], ids=list(Ca))
def test_ac_046_a_machine_off_the_list_or_on_the_other_list_is_refused(machine: Situation) -> None:
    own, other = machine.platform.ppid.hex(), "11" * 16
    assert_accepted(replace(machine, rules={"ppids": [own, other]}))
    assert_refused(replace(machine, rules={"ppids": [other]}), Category.IDENTITY, "tdx.ppid")
    assert_accepted(replace(machine, rules={"denied_ppids": [other]}))
    denied = replace(machine, rules={"denied_ppids": [own, other]})
    assert_refused(denied, Category.IDENTITY, "tdx.ppid.denied")
    # What is on both lists is not taken.
    both = replace(machine, rules={"ppids": [own, other], "denied_ppids": [own]})
    assert_refused(both, Category.IDENTITY, "tdx.ppid.denied")
    another = replace(machine, machine={"secret": b"another"}, rules={"ppids": [own]})
    assert_refused(another, Category.IDENTITY, "tdx.ppid")


def test_ac_046_another_platform_of_the_same_software_is_refused() -> None:
    named = replace(GOOD, rules={"platform_instance_ids": [GOOD.platform.instance_id.hex()]})
    assert_accepted(named)
    assert_refused(replace(named, machine={"secret": b"another"}), Category.IDENTITY, "tdx.platform_instance_id")


def test_ac_047_a_platform_whose_certificate_does_not_name_it_is_on_no_list() -> None:
    rules: dict[str, object] = {"platform_instance_ids": [PROCESSOR.platform.instance_id.hex()]}
    silent = replace(PROCESSOR, rules=rules)
    assert_refused(silent, Category.IDENTITY, "tdx.platform_instance_id")
    assert check_of(silent, "tdx.platform_instance_id").got == "none"
    assert_accepted(replace(GOOD, rules=rules))


def test_a_kind_of_platform_that_is_not_named_is_refused() -> None:
    for machine in (GOOD, PROCESSOR):
        assert_accepted(replace(machine, rules={"fmspcs": [SIMULATED_FMSPC.hex(), "00" * 6]}))
        assert_refused(replace(machine, rules={"fmspcs": ["00" * 6]}), Category.PLATFORM, "tdx.fmspc")


def test_without_a_certificate_that_can_be_read_no_pin_is_decided() -> None:
    nameless = replace(GOOD, pck={"drop": ("1.2.840.113741.1.13.1",)})
    rules = {
        "ppids": ["11" * 16],
        "denied_ppids": ["22" * 16],
        "platform_instance_ids": ["33" * 16],
        "fmspcs": ["00" * 6],
        "platform": {"smt_enabled": "forbidden"},
    }
    appraisal = replace(nameless, rules=rules).appraise()
    asked = {"tdx.ppid", "tdx.ppid.denied", "tdx.platform_instance_id", "tdx.fmspc", "tdx.platform.smt_enabled"}
    assert asked <= {check.id for check in appraisal.undecided}
    assert appraisal.verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    ("rules", "pin"),
    [
        ({}, Pin.NONE),
        ({"fmspcs": [SIMULATED_FMSPC.hex()], "mr_owners": [ZERO.hex()]}, Pin.NONE),
        ({"ppids": [GOOD.platform.ppid.hex()]}, Pin.MACHINE),
        ({"platform_instance_ids": [GOOD.platform.instance_id.hex()]}, Pin.MACHINE),
    ],
)
def test_an_appraisal_says_which_identity_was_pinned_and_on_whose_word(rules: dict[str, object], pin: Pin) -> None:
    appraisal = replace(GOOD, rules=rules).appraise()
    assert appraisal.verdict is Verdict.ACCEPTED
    assert appraisal.identity_pinned is pin
    assert appraisal.identity_pin_source == (None if pin is Pin.NONE else Authority.OPERATOR)


# --- several policies -------------------------------------------------------------------------------------------------


def test_ac_092_a_fetched_policy_can_not_loosen_the_floor() -> None:
    everything: dict[str, object] = {"attributes": {"debug": "any"}}
    debug = replace(with_field(GOOD, "td_attributes", 1), rules=everything)
    assert_accepted(debug)
    floor = policy_of("genuine", "required", {})
    for appraisal in (debug.appraise(floor), replace(debug, rules={}).appraise(debug.policy)):
        assert ids_of_no(appraisal) == ["tdx.attributes.debug"]
        assert categories(appraisal) == {Category.DEBUG}


@pytest.mark.parametrize(("value", "accepted"), [(1, False), (2, True), (3, False)])
def test_two_policies_must_both_accept(value: int, accepted: bool) -> None:
    values = [(bytes((byte,)) * 48).hex() for byte in (1, 2, 3)]
    td = replace(with_field(GOOD, "rtmr3", bytes((value,)) * 48), rules={"rtmr3": values[:2]})
    floor = policy_of("genuine", "required", {"rtmr3": values[1:]})
    assert (td.appraise(floor).verdict is Verdict.ACCEPTED) is accepted
