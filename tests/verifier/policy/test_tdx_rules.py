"""The rules of a policy about TDX: every field's values taken and refused, and what each constrains."""

import json
from collections.abc import Mapping
from datetime import date

import pytest

from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof.policy.tdx_rules import MAXIMUM_GRACE, NEVER_TAKEN, PLATFORM_FACTS, STATUSES, EvaluationNumbers, TdxRules
from cvmproof.policy.values import ANY, Demand
from cvmproof.tdx.questions import TDX_QUESTIONS
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS, UNDER_DEBUG
from cvmproof_formats.tdx.xfam import XFAM_BITS

from .tables import tdx

REGISTERS = (
    "mr_seams", "mr_tds", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mr_config_ids", "mr_owners", "mr_owner_configs",
    "mr_service_tds",
)  # fmt: skip
MACHINES = ("ppids", "platform_instance_ids", "denied_ppids")
TABLES = {
    "platform": PLATFORM_FACTS,
    "attributes": tuple(bit.name for bit in TD_ATTRIBUTE_BITS),
    "xfam": tuple(bit.name for bit in XFAM_BITS),
}
PERMISSIONS = ("unknown_attribute_bits", "unknown_xfam_bits")


def with_rules(rules: Mapping[str, object]) -> Policy:
    return read_policy(json.dumps({"extends": "builtin:genuine", "tdx": rules}).encode(), name="p")


def read(name: str, value: object) -> object:
    return getattr(tdx(with_rules({name: value})), name)


def refused(rules: Mapping[str, object], message: str) -> None:
    with pytest.raises(Misuse, match=message) as caught:
        with_rules(rules)
    assert caught.value.category is Category.POLICY_INVALID


# --- the TCB ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_but_the_worst_can_be_taken(status: TcbStatus) -> None:
    assert read("tcb_statuses", [str(status)]) == frozenset({status})


@pytest.mark.parametrize("status", [*NEVER_TAKEN, "uptodate", "UPTODATE", "Unknown", "", "any", None, True, 0])
def test_ac_041_a_revoked_or_unknown_status_is_never_taken(status: object) -> None:
    refused({"tcb_statuses": [status]}, "one of UpToDate, ")
    refused({"tcb_statuses": ["UpToDate", status]}, r"tcb_statuses\[1\]")


@pytest.mark.parametrize("value", ["UpToDate", "any", "none", [], {}, None, ["UpToDate", "UpToDate"]])
def test_statuses_are_a_list_that_names_some(value: object) -> None:
    refused({"tcb_statuses": value}, "tcb_statuses")


def test_never_taken_are_what_no_level_says_and_what_intel_revoked() -> None:
    assert {TcbStatus.REVOKED, TcbStatus.NOT_SUPPORTED} == NEVER_TAKEN
    assert set(STATUSES) | NEVER_TAKEN == set(TcbStatus)


def test_advisories_are_denied_by_name() -> None:
    assert read("denied_advisories", ["INTEL-SA-01397", "INTEL-SA-01314"]) == {"INTEL-SA-01314", "INTEL-SA-01397"}
    assert read("denied_advisories", "none") == frozenset()


@pytest.mark.parametrize(
    "name",
    ["INTEL-SA-1397", "INTEL-SA-001397", "intel-sa-01397", "INTEL-SA-01397 ", "SA-01397",
     "INTEL-SA-0139\u0667", "", "any", 1397, None],
)  # fmt: skip
def test_an_advisory_that_could_not_be_one_is_refused(name: object) -> None:
    refused({"denied_advisories": [name]}, "an advisory as")
    refused({"denied_advisories": name}, "denied_advisories")


@pytest.mark.parametrize(
    ("name", "highest"),
    [("minimum_evaluation_number", (1 << 32) - 1), ("minimum_qe_svn", (1 << 16) - 1)],
)
def test_a_minimum_is_a_number_in_range_or_any(name: str, highest: int) -> None:
    assert (read(name, 0), read(name, highest), read(name, "any")) == (0, highest, ANY)
    for wrong in (-1, highest + 1, True, 1.0, "18", "Any", None, [18]):
        refused({name: wrong}, name)


def test_a_grace_is_at_most_ninety_days() -> None:
    assert (read("collateral_grace", 0), read("collateral_grace", MAXIMUM_GRACE)) == (0, 90 * 86400)
    for wrong in (-1, MAXIMUM_GRACE + 1, True, 1.0, "any", "30d", None):
        refused({"collateral_grace": wrong}, "an integer from 0 to 7776000")


def test_evaluation_numbers_are_equal_or_any() -> None:
    assert read("evaluation_numbers", "equal") is EvaluationNumbers.EQUAL
    assert read("evaluation_numbers", "any") is EvaluationNumbers.ANY
    for wrong in ("Equal", "", True, 18, None):
        refused({"evaluation_numbers": wrong}, "one of equal, any")


def test_a_date_is_a_day() -> None:
    assert read("minimum_tcb_date", "2025-05-14") == date(2025, 5, 14)
    assert read("minimum_tcb_date", "any") is ANY


@pytest.mark.parametrize(
    "text",
    ["2025-5-14", "2025-05-14T00:00:00Z", "20250514", "2025-W20-3", "2025-02-30", "14.05.2025", "2025-05-14 ",
     "\u0662025-05-14", "", 20250514, None],
)  # fmt: skip
def test_ac_085_a_date_has_one_spelling(text: object) -> None:
    refused({"minimum_tcb_date": text}, 'a date as "2025-05-14", in a string')


def test_ac_085_a_date_of_toml_is_no_text() -> None:
    with pytest.raises(Misuse, match='a date as "2025-05-14", in a string'):
        read_policy(b'extends = "builtin:genuine"\n[tdx]\nminimum_tcb_date = 2025-05-14\n', name="p")


def test_modules_are_named_by_version() -> None:
    assert read("minimum_module_svns", "any") is ANY
    table = {"TDX_00": "any", "TDX_01": 13, "TDX_03": 0, "TDX_0A": 255}
    assert read("minimum_module_svns", table) == table | {"TDX_00": ANY}


@pytest.mark.parametrize(
    "name",
    ["TDX_1", "TDX_001", "tdx_01", "TDX_0a", "TDX_0G", "TDX-01", "1.5", "TDX_01 ", "any", "TDX_\u0660\u0661"],
)
def test_a_module_version_that_could_not_be_one_is_refused(name: str) -> None:
    refused({"minimum_module_svns": {name: 13}}, "a table by module version")
    refused({"minimum_module_svns": {"TDX_01": 13, name: 13}}, "two hexadecimal digits in capitals")


@pytest.mark.parametrize("value", [{}, [], 13, "none", "TDX_01", None, {"TDX_01": -1}, {"TDX_01": 256},
                                   {"TDX_01": True}, {"TDX_01": "13"}, {"TDX_01": None}, {"TDX_01": [13]}])  # fmt: skip
def test_module_minimums_are_a_table_of_numbers(value: object) -> None:
    refused({"minimum_module_svns": value}, "minimum_module_svns")


def test_a_table_of_modules_is_replaced_as_a_whole() -> None:
    data = b'extends = "builtin:recommended"\n[tdx]\nmr_tds = "any"\nminimum_module_svns = { TDX_01 = 15 }\n'
    assert tdx(read_policy(data, name="p")).minimum_module_svns == {"TDX_01": 15}


# --- values of bytes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size"), [*((name, 48) for name in REGISTERS), ("fmspcs", 6)])
def test_registers_may_be_zero_and_have_one_length(name: str, size: int) -> None:
    assert read(name, ["00" * size, "A1" * size]) == {bytes(size), b"\xa1" * size}
    assert read(name, "any") is ANY
    for wrong in ("a1" * (size - 1), "a1" * (size + 1), "", "a" * (2 * size - 1), "none", None, 0):
        refused({name: [wrong]}, name)


@pytest.mark.parametrize("name", MACHINES)
def test_ac_047_machines_have_sixteen_bytes_and_are_never_zero(name: str) -> None:
    assert read(name, ["a1" * 16]) == {b"\xa1" * 16}
    for wrong in ("00" * 16, "a1" * 15, "a1" * 64, "", "any", None):
        refused({name: [wrong]}, name)


@pytest.mark.parametrize("name", [*REGISTERS, "fmspcs", *MACHINES])
def test_ac_065_an_empty_or_repeating_list_of_values_is_refused(name: str) -> None:
    value = "a1" * (6 if name == "fmspcs" else 16 if name in MACHINES else 48)
    for wrong in (list[str](), dict[str, str](), value, None, [value, value.upper()]):
        refused({name: wrong}, name)


@pytest.mark.parametrize(
    "text",
    ["a1 " * 48, " " + "a1" * 48, "a1" * 48 + "\n", "0x" + "a1" * 47, "a1:" * 47 + "a1", "g1" * 48, "\uff11" * 96,
     "YWJj" * 16, "a_" * 48],
)  # fmt: skip
def test_ac_087_hexadecimal_has_one_spelling(text: str) -> None:
    refused({"mr_tds": [text]}, "hexadecimal digits")


def test_none_is_said_only_of_what_is_denied() -> None:
    assert read("denied_ppids", "none") == frozenset()
    for name in ("ppids", "platform_instance_ids", "fmspcs", *REGISTERS):
        refused({name: "none"}, "a list of 1 to")


def test_processors_that_are_all_denied_are_none() -> None:
    refused({"ppids": ["a1" * 16], "denied_ppids": ["a1" * 16]}, "a processor that denied_ppids does not name")
    assert with_rules({"ppids": ["a1" * 16, "a2" * 16], "denied_ppids": ["a1" * 16]})


# --- demands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "part"), [(table, part) for table, parts in TABLES.items() for part in parts])
def test_each_bit_and_fact_is_demanded_apart(table: str, part: str) -> None:
    base = getattr(tdx(builtin_policy("genuine")), table)
    for demand in Demand:
        rules = tdx(with_rules({table: {part: str(demand)}}))
        assert getattr(rules, table) == {**base, part: demand}
        assert rules.constrains(f"{table}.{part}") is (demand is not Demand.ANY)
    for wrong in ("Required", "", 1, 0, True, None, "none"):
        refused({table: {part: wrong}}, f"tdx.{table}.{part}: expected one of required, forbidden, any")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_demands_has_no_other_names(table: str) -> None:
    refused({table: {"bit_1": "any"}}, "bit_1 is not known")
    for wrong in ("any", list[str](), None, 1):
        refused({table: wrong}, "a table with")


@pytest.mark.parametrize("name", PERMISSIONS)
def test_unknown_bits_are_forbidden_or_not(name: str) -> None:
    assert (read(name, "forbidden"), read(name, "any")) == ("forbidden", "any")
    for wrong in ("required", "allowed", True, None):
        refused({name: wrong}, "one of forbidden, any")


# --- what a rule constrains ------------------------------------------------------------------------------------------

ALWAYS = frozenset({"tcb_statuses", "collateral_grace"})
OPEN: dict[str, object] = {
    name: dict.fromkeys(TABLES[name], "any") if name in TABLES
    else "none" if name.startswith("denied_") else "any"
    for name in TdxRules.__dataclass_fields__ if name not in ALWAYS
}  # fmt: skip
DEMANDING: dict[str, object] = {
    "denied_advisories": ["INTEL-SA-01397"], "minimum_evaluation_number": 0, "evaluation_numbers": "equal",
    "minimum_tcb_date": "2025-05-14", "fmspcs": ["00806f050000"], "minimum_qe_svn": 0,
    "minimum_module_svns": {"TDX_01": "any"},
    **{name: ["00" * 48] for name in REGISTERS}, **{name: ["a1" * 16] for name in MACHINES},
    **dict.fromkeys(PERMISSIONS, "forbidden"),
}  # fmt: skip


def test_rules_that_are_left_open_constrain_nothing() -> None:
    rules = tdx(with_rules(OPEN))
    assert {name for name in rules.names() if rules.constrains(name)} == ALWAYS


@pytest.mark.parametrize("name", DEMANDING)
def test_a_rule_that_demands_something_is_the_only_one_that_does(name: str) -> None:
    rules = tdx(with_rules(OPEN | {name: DEMANDING[name]}))
    assert {name for name in rules.names() if rules.constrains(name)} == ALWAYS | {name}


def test_every_rule_but_tables_was_tried_and_says_what_it_means() -> None:
    fields = TdxRules.__dataclass_fields__
    assert DEMANDING.keys() | TABLES.keys() | ALWAYS == fields.keys()
    assert all(field.metadata["meaning"] for field in fields.values())


def test_every_rule_is_one_that_a_question_asks_about() -> None:
    asked = {question.rule for question in TDX_QUESTIONS if question.rule} - {"revocation", "tee"}
    assert asked == set(TdxRules.names())


@pytest.mark.parametrize("name", [*REGISTERS, "fmspcs", "ppids"])
def test_software_is_named_by_mrtd(name: str) -> None:
    value = ["a1" * (6 if name == "fmspcs" else 16 if name == "ppids" else 48)]
    assert with_rules({name: value}).constrains_software is (name == "mr_tds")


# --- the built-in policies -------------------------------------------------------------------------------------------


def test_genuine_takes_any_status_and_forbids_debugging_alone() -> None:
    rules = tdx(builtin_policy("genuine"))
    under_debug = {f"attributes.{bit.name}" for bit in TD_ATTRIBUTE_BITS if bit.mask & UNDER_DEBUG}
    assert {name for name in rules.names() if rules.constrains(name)} == ALWAYS | under_debug
    assert rules.tcb_statuses == frozenset(STATUSES)
    assert rules.collateral_grace == 0
    assert {str(rules.attributes[name.partition(".")[2]]) for name in under_debug} == {"forbidden"}


def test_recommended_takes_what_is_current_and_nothing_that_moves_or_opens_a_td() -> None:
    data = json.dumps({"extends": "builtin:recommended", "tdx": {"mr_tds": ["a1" * 48]}}).encode()
    rules = tdx(read_policy(data, name="p"))
    assert rules.tcb_statuses == {TcbStatus.UP_TO_DATE}
    assert rules.minimum_evaluation_number == 18
    assert rules.evaluation_numbers is EvaluationNumbers.EQUAL
    assert rules.minimum_module_svns == {"TDX_01": 13, "TDX_03": 7}
    assert rules.mr_service_tds == frozenset({bytes(48)})
    assert (rules.unknown_attribute_bits, rules.unknown_xfam_bits) == ("forbidden", "forbidden")
    demanded = {name: str(demand) for name, demand in rules.attributes.items() if demand is not Demand.ANY}
    forbidden = ("debug", "hgs_plus_prof", "perf_prof", "pmt_prof", "servtd_ext", "migratable")
    assert demanded == {**dict.fromkeys(forbidden, "forbidden"), "sept_ve_disable": "required"}
    assert rules.collateral_grace == 0
