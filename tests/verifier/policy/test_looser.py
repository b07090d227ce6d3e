"""Where a policy takes more than the floor beside it: rule by rule, in both directions."""

import json
import tomllib
from collections.abc import Mapping

import pytest

from cvmproof.policy.looser import looser_rules
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_bytes, read_policy

CHIP, OTHER_CHIP = "11" * 64, "22" * 64
SOFTWARE, OTHER_SOFTWARE = "33" * 48, "44" * 48
FLOOR: Mapping[str, object] = {
    **tomllib.loads(builtin_bytes("recommended").decode()),
    "revocation": "required",
    "valid_for": 600,
}


def policy(**rules: object) -> Policy:
    """The strict policy with some rules of `[snp]`, or those of a table in it, changed."""
    document = json.loads(json.dumps(FLOOR))
    snp = document["snp"] | {"measurements": [SOFTWARE], "products": {"Milan": "forbidden", "Genoa": "allowed"}}
    snp["products"]["Turin"] = "allowed"
    for name, value in rules.items():
        if name == "revocation":
            document[name] = value
        else:
            snp[name] = snp[name] | value if isinstance(value, dict) and isinstance(snp[name], dict) else value
    document["snp"] = snp
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


ONE_WAY = [row for row in LOOSER if row[2] not in ([OTHER_SOFTWARE], [OTHER_CHIP], {"debug": "required"})]


@pytest.mark.parametrize(("rule", "strict", "loose"), [row for row in ONE_WAY if "mitigations" not in row[0]])
def test_a_policy_that_is_stricter_is_not(rule: str, strict: object, loose: object) -> None:
    assert looser_rules(with_rule(rule, strict), with_rule(rule, loose)) == ()


def test_levels_of_a_product_line_that_one_of_them_refuses_decide_nothing() -> None:
    fewer = policy(products={"Turin": "forbidden"}, tcb_floor={"Genoa": level(27, 86)["Genoa"]})
    assert looser_rules(fewer, policy(tcb_floor=level(27, 86))) == ()


def test_both_sides_are_put_into_words() -> None:
    found = looser_rules(policy(vmpls="any"), policy(vmpls=[0]))
    assert [(one.rule, one.floor, one.policy) for one in found] == [("snp.vmpls", "0", "any")]
