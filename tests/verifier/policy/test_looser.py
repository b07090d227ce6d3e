"""Where a policy takes more than the floor beside it: rule by rule, in both directions."""

import json
import tomllib
from collections.abc import Mapping

import pytest

from cvmproof.policy.looser import looser_rules
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_bytes, read_policy

CHIP, OTHER_CHIP = "11" * 64, "22" * 64
FMSPC, PPID, OTHER_PPID = "00806f050000", "55" * 16, "66" * 16
SOFTWARE, OTHER_SOFTWARE = "33" * 48, "44" * 48
FLOOR: Mapping[str, object] = {
    **tomllib.loads(builtin_bytes("recommended").decode()),
    "revocation": "required",
    "valid_for": 600,
}


def policy(**rules: object) -> Policy:
    """The strict policy with some rules of `[snp]` or `[tdx]`, or those of a table in it, changed."""
    document = json.loads(json.dumps(FLOOR))
    document["snp"] |= {"measurements": [SOFTWARE], "products": {"Milan": "forbidden", "Genoa": "allowed"}}
    document["snp"]["products"]["Turin"] = "allowed"
    document["tdx"] |= {"mr_tds": [SOFTWARE]}
    for name, value in rules.items():
        (table,) = [document[table] for table in ("snp", "tdx") if name in document[table]] or [document]
        merged = isinstance(value, dict) and isinstance(table[name], dict) and name != "minimum_module_svns"
        table[name] = table[name] | value if merged else value
    return read_policy(json.dumps(document).encode(), name="p")


def level(snp: int, microcode: int) -> dict[str, object]:
    genoa = {"boot_loader": 5, "tee": 0, "snp": snp, "microcode": microcode}
    return {"Genoa": genoa, "Turin": {"fmc": 1, **genoa}}


LOOSER = [
    ("revocation", "required", "if-available"),
    ("snp.products.Milan", {"products": {"Milan": "forbidden"}}, {"products": {"Milan": "allowed"}}),
    ("snp.minimum_report_version", 3, 2),
    ("snp.minimum_report_version", 2, "any"),
    ("snp.signing_keys", ["VCEK"], ["VCEK", "VLEK"]),
    ("snp.vmpls", [0], [0, 1]),
    ("snp.vmpls", [0], "any"),
    ("snp.measurements", [SOFTWARE], [OTHER_SOFTWARE]),
    ("snp.measurements", [SOFTWARE], "any"),
    ("snp.minimum_guest_svn", 3, 2),
    ("snp.chip_ids", [CHIP], [CHIP, OTHER_CHIP]),
    ("snp.denied_chip_ids", [CHIP], [OTHER_CHIP]),
    ("snp.denied_chip_ids", [CHIP], "none"),
    ("snp.masked_chip_id", "forbidden", "any"),
    ("snp.minimum_firmware", "1.55.40", "1.55.39"),
    ("snp.committed_firmware", "equal", "at-most-current"),
    ("snp.tcb_floor.Genoa", level(27, 86), level(26, 86)),
    ("snp.tcb_floor.Genoa", level(27, 86), level(27, 85)),
    ("snp.tcb_floor.Genoa", level(27, 86), "any"),
    ("snp.current_mitigations.Genoa", {"Genoa": [1, 2], "Turin": [1]}, {"Genoa": [1, 3], "Turin": [1]}),
    ("snp.minimum_abi", "1.55", "1.54"),
    ("snp.guest_policy.debug", {"debug": "forbidden"}, {"debug": "any"}),
    ("snp.guest_policy.debug", {"debug": "forbidden"}, {"debug": "required"}),
    ("tdx.tcb_statuses", ["UpToDate"], ["UpToDate", "OutOfDate"]),
    ("tdx.denied_advisories", ["INTEL-SA-01397"], ["INTEL-SA-01314"]),
    ("tdx.denied_advisories", ["INTEL-SA-01397"], "none"),
    ("tdx.minimum_evaluation_number", 18, 17),
    ("tdx.minimum_evaluation_number", 18, "any"),
    ("tdx.evaluation_numbers", "equal", "any"),
    ("tdx.minimum_tcb_date", "2025-05-14", "2025-05-13"),
    ("tdx.minimum_tcb_date", "2025-05-14", "any"),
    ("tdx.collateral_grace", 0, 1),
    ("tdx.fmspcs", [FMSPC], "any"),
    ("tdx.ppids", [PPID], [OTHER_PPID]),
    ("tdx.platform_instance_ids", [PPID], [PPID, OTHER_PPID]),
    ("tdx.denied_ppids", [PPID], "none"),
    ("tdx.platform.cached_keys", {"cached_keys": "forbidden"}, {"cached_keys": "any"}),
    ("tdx.minimum_qe_svn", 4, 3),
    ("tdx.minimum_module_svns", {"TDX_01": 13}, "any"),
    ("tdx.minimum_module_svns.TDX_01", {"TDX_01": 13}, {"TDX_01": 12}),
    ("tdx.minimum_module_svns.TDX_01", {"TDX_01": 13}, {"TDX_01": "any"}),
    ("tdx.minimum_module_svns.TDX_03", {"TDX_01": 13}, {"TDX_01": 13, "TDX_03": 255}),
    ("tdx.mr_seams", [SOFTWARE], "any"),
    ("tdx.mr_tds", [SOFTWARE], [OTHER_SOFTWARE]),
    ("tdx.mr_tds", [SOFTWARE], "any"),
    ("tdx.rtmr3", ["00" * 48], "any"),
    ("tdx.mr_service_tds", ["00" * 48], [OTHER_SOFTWARE]),
    ("tdx.attributes.migratable", {"migratable": "forbidden"}, {"migratable": "any"}),
    ("tdx.attributes.sept_ve_disable", {"sept_ve_disable": "required"}, {"sept_ve_disable": "forbidden"}),
    ("tdx.unknown_attribute_bits", "forbidden", "any"),
    ("tdx.xfam.amx_tiledata", {"amx_tiledata": "forbidden"}, {"amx_tiledata": "any"}),
    ("tdx.unknown_xfam_bits", "forbidden", "any"),
]


def with_rule(rule: str, value: object) -> Policy:
    name = rule.split(".")[1] if "." in rule else rule
    return policy(**(value if isinstance(value, dict) and set(value) == {name} else {name: value}))


@pytest.mark.parametrize(("rule", "strict", "loose"), LOOSER)
def test_a_policy_that_takes_what_the_floor_refuses_is_named_by_its_rule_ac_092(
    rule: str, strict: object, loose: object
) -> None:
    found = looser_rules(with_rule(rule, loose), with_rule(rule, strict))
    assert rule in {one.rule for one in found}
    assert all(one.floor != one.policy for one in found)


@pytest.mark.parametrize(("rule", "strict", "loose"), LOOSER)
def test_a_policy_that_is_as_strict_is_not(rule: str, strict: object, loose: object) -> None:
    assert looser_rules(with_rule(rule, strict), with_rule(rule, strict)) == ()
    assert looser_rules(with_rule(rule, loose), with_rule(rule, loose)) == ()


BOTH_WAYS: tuple[object, ...] = (
    [OTHER_SOFTWARE], [OTHER_CHIP], [OTHER_PPID], ["INTEL-SA-01314"], {"debug": "required"},
    {"sept_ve_disable": "forbidden"},
)  # fmt: skip
ONE_WAY = [row for row in LOOSER if row[2] not in BOTH_WAYS]


@pytest.mark.parametrize(("rule", "strict", "loose"), [row for row in ONE_WAY if "mitigations" not in row[0]])
def test_a_policy_that_is_stricter_is_not(rule: str, strict: object, loose: object) -> None:
    assert looser_rules(with_rule(rule, strict), with_rule(rule, loose)) == ()


def test_levels_of_a_product_line_that_one_of_them_refuses_decide_nothing() -> None:
    fewer = policy(products={"Turin": "forbidden"}, tcb_floor={"Genoa": level(27, 86)["Genoa"]})
    assert looser_rules(fewer, policy(tcb_floor=level(27, 86))) == ()


def test_both_sides_are_put_into_words() -> None:
    found = looser_rules(policy(vmpls="any"), policy(vmpls=[0]))
    assert [(one.rule, one.floor, one.policy) for one in found] == [("snp.vmpls", "0", "any")]


def of_technologies(*taken: str) -> Policy:
    tables = {"snp": {"measurements": [SOFTWARE]}, "tdx": {"mr_tds": [SOFTWARE]}}
    own = {name: table for name, table in tables.items() if name in taken}
    return read_policy(json.dumps({"extends": "builtin:recommended", **own}).encode(), name="p")


@pytest.mark.parametrize(("one", "other"), [("snp", "tdx"), ("tdx", "snp")])
def test_a_technology_that_the_floor_refuses_is_named_as_a_whole_ac_092(one: str, other: str) -> None:
    (found,) = looser_rules(of_technologies("snp", "tdx"), of_technologies(one))
    assert (found.rule, found.floor, found.policy) == (other, "refused", "taken")
    assert [found.rule for found in looser_rules(of_technologies(other), of_technologies(one))] == [other]


@pytest.mark.parametrize("one", ["snp", "tdx"])
def test_a_technology_that_the_policy_refuses_is_not_looser(one: str) -> None:
    assert looser_rules(of_technologies(one), of_technologies("snp", "tdx")) == ()
    assert looser_rules(of_technologies(one), of_technologies(one)) == ()


def test_a_table_of_modules_is_put_into_words() -> None:
    (found,) = looser_rules(policy(minimum_module_svns="any"), policy())
    assert (found.floor, found.policy) == ("TDX_01 13, TDX_03 7", "any")
    (found,) = looser_rules(policy(minimum_module_svns={"TDX_00": "any"}), policy())
    assert (found.floor, found.policy) == ("refused", "any")
