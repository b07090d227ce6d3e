"""The rules of a policy about SEV-SNP: what must be consistent among them, and what each constrains."""

import json
from collections.abc import Mapping

import pytest
from tests.verifier.policy.tables import snp
from tests.verifier.snp.faults import FAULTS

from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof.policy.snp_rules import SnpRules
from cvmproof.policy.values import ANY
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.snp.product import PARTS, ProductLine

NOTHING = {"boot_loader": 0, "tee": 0, "snp": 0, "microcode": 0}
TURIN = NOTHING | {"fmc": 0}
EVERY_LINE = {"Milan": NOTHING, "Genoa": NOTHING, "Turin": TURIN}


def with_rules(rules: Mapping[str, object]) -> Policy:
    return read_policy(json.dumps({"extends": "builtin:genuine", "snp": rules}).encode(), name="p")


def refused(rules: Mapping[str, object], message: str) -> None:
    with pytest.raises(Misuse, match=message) as caught:
        with_rules(rules)
    assert caught.value.category is Category.POLICY_INVALID


@pytest.mark.parametrize("missing", EVERY_LINE)
def test_ac_027_a_floor_missing_for_a_line_that_is_taken_is_refused(missing: str) -> None:
    floor = {line: level for line, level in EVERY_LINE.items() if line != missing}
    refused({"tcb_floor": floor}, f"a value for {missing}, which products takes")
    assert with_rules({"tcb_floor": floor, "products": {missing: "forbidden"}})
    assert with_rules({"tcb_floor": EVERY_LINE})


@pytest.mark.parametrize("name", ["launch_mitigations", "current_mitigations"])
@pytest.mark.parametrize("missing", EVERY_LINE)
def test_ac_027_mitigations_missing_for_a_line_that_is_taken_are_refused(missing: str, name: str) -> None:
    bits = {line: [1] for line in EVERY_LINE if line != missing}
    refused({name: bits}, f"a value for {missing}, which products takes")
    assert with_rules({name: bits, "products": {missing: "forbidden"}})


@pytest.mark.parametrize(
    "floor",
    ["amd-sb-9999", "AMD-SB-3019", "", {}, {"Rome": NOTHING}, {**EVERY_LINE, "Genoa": {}},
     {**EVERY_LINE, "Genoa": TURIN}, {**EVERY_LINE, "Turin": NOTHING}, {**EVERY_LINE, "Genoa": NOTHING | {"spl4": 0}},
     {**EVERY_LINE, "Genoa": NOTHING | {"snp": 128}}, {**EVERY_LINE, "Genoa": NOTHING | {"microcode": 256}},
     {**EVERY_LINE, "Genoa": NOTHING | {"snp": -1}}, {**EVERY_LINE, "Genoa": NOTHING | {"snp": "27"}},
     {**EVERY_LINE, "Genoa": NOTHING | {"snp": "any"}}, {**EVERY_LINE, "Genoa": "amd-sb-3019"}],
    ids=str,
)  # fmt: skip
def test_ac_027_a_floor_is_a_profile_or_every_component_in_range(floor: object) -> None:
    refused({"tcb_floor": floor}, "tcb_floor")


def test_a_floor_of_ones_own_holds_for_every_part_of_its_line() -> None:
    floor = EVERY_LINE | {"Genoa": {"boot_loader": 1, "tee": 2, "snp": 127, "microcode": 255}}
    rules = snp(with_rules({"tcb_floor": floor}))
    for part in (None, *(part for part in PARTS if part.product is ProductLine.GENOA)):
        assert rules.floor_for(ProductLine.GENOA, part) == bytes([1, 2, 0, 0, 0, 0, 127, 255])


def test_without_a_floor_there_is_none_to_give() -> None:
    with pytest.raises(Misuse, match="there is none"):
        snp(builtin_policy("genuine")).floor_for(ProductLine.GENOA, None)


@pytest.mark.parametrize("bits", [[], [64], [-1], [True], ["1"], [1, 1], "1", 1, {"1": 1}])
def test_mitigations_are_a_list_of_bit_numbers(bits: object) -> None:
    refused({"launch_mitigations": dict.fromkeys(EVERY_LINE, bits)}, "launch_mitigations")


def test_mitigation_bits_become_a_mask() -> None:
    rules = snp(with_rules({"launch_mitigations": {line: [0, 1, 63] for line in EVERY_LINE}}))
    assert rules.launch_mitigations is not ANY
    assert set(rules.launch_mitigations.values()) == {1 << 63 | 0b11}


def test_some_product_line_must_be_taken() -> None:
    refused({"products": dict.fromkeys(EVERY_LINE, "forbidden")}, "at least one product line")


def test_lines_that_are_only_pinned_need_chips() -> None:
    only_milan = {"products": {"Milan": "pinned", "Genoa": "forbidden", "Turin": "forbidden"}}
    refused(only_milan, "chips, since every product line taken is pinned")
    assert with_rules({**only_milan, "chip_ids": ["5a" * 64]})


def test_providers_are_named_only_where_their_keys_are_taken() -> None:
    refused({"csp_ids": ["CN=one"], "signing_keys": ["VCEK"]}, "VLEK among signing_keys")
    assert with_rules({"csp_ids": ["CN=one"], "signing_keys": ["VLEK"]})


@pytest.mark.parametrize("name", ["", "x" * 201, "CN=\n", "CN=\u202e", "CN=\x1b[2J"])
def test_a_provider_is_named_in_printable_characters(name: str) -> None:
    refused({"csp_ids": [name]}, "printable characters")


@pytest.mark.parametrize("vmpls", [[4], [-1], [True], ["0"], [0.0], 0, "0"])
def test_privilege_levels_are_numbers_from_0_to_3(vmpls: object) -> None:
    refused({"vmpls": vmpls}, "vmpls")


@pytest.mark.parametrize(
    "text",
    ["1", "1.55", "1.55.40.1", "1.55.256", "01.55.40", "1.5 5.40", "1.55.-1", "v1.55.40", "1.55.\u0664", "", 1.55],
)
def test_firmware_is_three_numbers_with_dots(text: object) -> None:
    refused({"minimum_firmware": text}, "minimum_firmware")
    assert snp(with_rules({"minimum_firmware": "1.55.40"})).minimum_firmware == (1, 55, 40)


def test_more_choices_than_a_policy_has_are_refused() -> None:
    many = [f"{i:096x}" for i in range(1, 10_002)]
    assert with_rules({"measurements": many[:-1]})
    refused({"measurements": many}, "a list of 1 to 10000")


@pytest.mark.parametrize(
    "question", [q for q in SNP_QUESTIONS if q.rule not in {None, "revocation", "tee"}], ids=lambda q: q.id
)
def test_a_question_is_asked_exactly_where_its_rule_demands_something(question: object) -> None:
    (asked,) = (q for q in SNP_QUESTIONS if q is question)
    assert asked.rule is not None
    twin, _ = FAULTS[asked.id]
    assert snp(twin.policy).constrains(asked.rule)
    outer, _, inner = asked.rule.partition(".")
    if outer in {"products", "signing_keys"}:  # always demand something
        return
    open_rules = {outer: {inner: "any"}} if inner else {outer: "none" if outer == "denied_chip_ids" else "any"}
    assert not snp(with_rules(open_rules)).constrains(asked.rule)


@pytest.mark.parametrize("name", ["measurements", "id_key_digests", "author_key_digests"])
def test_software_is_named_by_measurement_or_by_whoever_vouches_for_it(name: str) -> None:
    assert with_rules({name: ["a1" * 48]}).constrains_software
    assert not with_rules({"host_data": ["a1" * 32], "family_ids": ["a1" * 16]}).constrains_software


def test_every_rule_says_what_it_means() -> None:
    assert all(field.metadata["meaning"] for field in SnpRules.__dataclass_fields__.values())
