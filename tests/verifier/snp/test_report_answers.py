"""What a report says, against what a policy demands of it: each rule with the values around its edge."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.verifier.policy.tables import snp
from tests.verifier.snp.situation import Situation, categories, ids_of_no, ids_of_open

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.policy.floors import PROFILES
from cvmproof_formats.errors import Category
from cvmproof_formats.snp.key_flags import AUTHOR_KEY_EN, MASK_CHIP_KEY, flags_for
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.snp.product import PARTS, KeyKind, Part, ProductLine
from cvmproof_formats.snp.report import HOST_REQUESTED
from cvmproof_formats.snp.tcb import LAYOUTS, Tcb
from cvmproof_simulator.psp import PLATFORMS, SIMULATED_MEASUREMENT, ReportFields

GOOD = Situation()
VLEK = Situation(key=KeyKind.VLEK)


def accepted(situation: Situation) -> None:
    appraisal = situation.appraise()
    assert ids_of_no(appraisal) + ids_of_open(appraisal) == []
    assert appraisal.verdict is Verdict.ACCEPTED


def refused(situation: Situation, question: str, category: Category) -> Appraisal:
    appraisal = situation.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert ids_of_no(appraisal) == [question]
    assert categories(appraisal) == {category}
    return appraisal


# --- who asked, who signed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vmpl", [0, 1, 2, 3])
def test_ac_023_a_privilege_level_that_is_not_taken_is_refused(vmpl: int) -> None:
    accepted(replace(GOOD, report={"vmpl": vmpl}, rules={"vmpls": [vmpl]}))
    others = [level for level in range(4) if level != vmpl]
    refused(replace(GOOD, report={"vmpl": vmpl}, rules={"vmpls": others}), "snp.vmpl", Category.POLICY_MISMATCH)


@pytest.mark.parametrize("vmpl", [4, HOST_REQUESTED - 1, HOST_REQUESTED])
def test_ac_023_a_report_that_no_guest_asked_for_is_refused_under_every_policy(vmpl: int) -> None:
    machine = replace(GOOD, report={"vmpl": vmpl})
    refused(machine, "snp.report.guest_requested", Category.POLICY_MISMATCH)
    strict = replace(machine, rules={"vmpls": [0]}).appraise()
    assert ids_of_no(strict) == ["snp.report.guest_requested", "snp.vmpl"]


def test_ac_020_each_kind_of_key_is_refused_where_only_the_other_is_taken() -> None:
    for machine, other in ((VLEK, "VCEK"), (GOOD, "VLEK")):
        refused(replace(machine, rules={"signing_keys": [other]}), "snp.signing_key", Category.POLICY_MISMATCH)
        accepted(replace(machine, rules={"signing_keys": [machine.key.value]}))


def test_ac_020_a_report_that_firmware_left_unsigned_is_refused() -> None:
    masked = replace(GOOD, report={"key_flags": MASK_CHIP_KEY}, signature=(0, 0)).appraise()
    assert masked.verdict is Verdict.REJECTED
    assert ids_of_no(masked) == ["snp.signature.key", "snp.signature.report"]
    assert categories(masked) == {Category.SIGNATURE}


def test_a_provider_is_named_by_a_vlek_only() -> None:
    rules = {"csp_ids": ["CN=one"], "signing_keys": ["VCEK", "VLEK"]}
    refused(replace(GOOD, rules=rules), "snp.csp_id", Category.IDENTITY)
    accepted(replace(VLEK, csp_id="CN=one", rules=rules))
    refused(replace(VLEK, csp_id="CN=One", rules=rules), "snp.csp_id", Category.IDENTITY)
    without = replace(VLEK, csp_id="CN=one", rules=rules, without=frozenset({"leaf"})).appraise()
    assert "snp.csp_id" in ids_of_open(without)


@pytest.mark.parametrize(("minimum", "versions"), [(2, [2, 3, 4, 5]), (3, [3, 4, 5]), (4, [4, 5]), (5, [5])])
def test_a_report_version_below_the_minimum_is_refused(minimum: int, versions: list[int]) -> None:
    for version in (2, 3, 4, 5):
        machine = replace(GOOD, version=version, rules={"minimum_report_version": minimum})
        if version in versions:
            accepted(machine)
        else:
            refused(machine, "snp.report.version", Category.POLICY_MISMATCH)


# --- software --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", range(0, 384, 37))
def test_ac_032_a_measurement_one_bit_off_is_refused(bit: int) -> None:
    off = (int.from_bytes(SIMULATED_MEASUREMENT, "big") ^ 1 << bit).to_bytes(48, "big")
    accepted(replace(GOOD, rules={"measurements": [SIMULATED_MEASUREMENT.hex()]}))
    refused(replace(GOOD, rules={"measurements": [off.hex()]}), "snp.measurement", Category.MEASUREMENT)
    accepted(replace(GOOD, rules={"measurements": [off.hex(), SIMULATED_MEASUREMENT.hex()]}))


def test_ac_065_evidence_that_leaves_the_measurement_out_is_refused() -> None:
    machine = replace(GOOD, report={"measurement": bytes(48)}, rules={"measurements": [SIMULATED_MEASUREMENT.hex()]})
    refused(machine, "snp.measurement", Category.MEASUREMENT)


def test_ac_088_reference_values_of_another_environment_are_refused() -> None:
    others = replace(GOOD, rules={"measurements": ["11" * 48, "12" * 48]})
    appraisal = refused(others, "snp.measurement", Category.MEASUREMENT)
    (no,) = appraisal.failed
    assert no.got == SIMULATED_MEASUREMENT.hex()
    assert no.expected == f"one of {'11' * 48}, {'12' * 48}"


def test_an_author_key_counts_only_where_the_report_says_that_there_was_one() -> None:
    rules = {"author_key_digests": ["44" * 48]}
    digest: ReportFields = {"author_key_digest": b"\x44" * 48}
    refused(replace(GOOD, report=digest, rules=rules), "snp.author_key", Category.IDENTITY)
    accepted(replace(GOOD, report={**digest, "key_flags": AUTHOR_KEY_EN}, rules=rules))


@pytest.mark.parametrize(
    ("field", "rule", "size", "question", "category"),
    [
        ("measurement", "measurements", 48, "snp.measurement", Category.MEASUREMENT),
        ("host_data", "host_data", 32, "snp.host_data", Category.IDENTITY),
        ("id_key_digest", "id_key_digests", 48, "snp.id_key", Category.IDENTITY),
        ("family_id", "family_ids", 16, "snp.family_id", Category.POLICY_MISMATCH),
        ("image_id", "image_ids", 16, "snp.image_id", Category.POLICY_MISMATCH),
        ("report_id", "report_ids", 32, "snp.report_id", Category.IDENTITY),
    ],
)
def test_a_value_must_be_one_of_those_named_and_zero_is_none_of_them(
    field: str, rule: str, size: int, question: str, category: Category
) -> None:
    rules = {rule: ["a1" * size, "a2" * size]}
    for value in (b"\xa1" * size, b"\xa2" * size):
        accepted(replace(GOOD, report=one(field, value), rules=rules))
    for value in (bytes(size), b"\xa1" * (size - 1) + b"\xa2", b"\xa1" * (size - 1) + b"\x00"):
        refused(replace(GOOD, report=one(field, value), rules=rules), question, category)


def one(field: str, value: object) -> ReportFields:
    changes = ReportFields()
    changes[field] = value  # type: ignore[literal-required]  # the name of a field, from a table
    return changes


def test_ac_047_host_data_that_is_zero_is_refused_where_a_value_is_expected() -> None:
    machine = replace(GOOD, report={"host_data": bytes(32)}, rules={"host_data": ["22" * 32]})
    refused(machine, "snp.host_data", Category.IDENTITY)


@pytest.mark.parametrize(("svn", "passes"), [(0, False), (6, False), (7, True), (8, True), (0xFFFFFFFF, True)])
def test_an_outdated_guest_is_refused(svn: int, passes: bool) -> None:
    machine = replace(GOOD, report={"guest_svn": svn}, rules={"minimum_guest_svn": 7})
    assert (machine.appraise().verdict is Verdict.ACCEPTED) is passes


# --- which machine ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", ProductLine)
def test_ac_046_a_machine_off_the_list_or_on_the_other_list_is_refused(product: ProductLine) -> None:
    machine = Situation(product=product)
    own, other = machine.psp.chip_id.hex(), "77" * 64
    accepted(replace(machine, rules={"chip_ids": [other, own]}))
    accepted(replace(machine, rules={"denied_chip_ids": [other]}))
    refused(replace(machine, rules={"chip_ids": [other]}), "snp.chip_id", Category.IDENTITY)
    refused(replace(machine, rules={"denied_chip_ids": [own, other]}), "snp.chip_id.denied", Category.IDENTITY)


@pytest.mark.parametrize("machine", [VLEK, replace(GOOD, report={"chip_id": bytes(64)})], ids=["VLEK", "masked"])
def test_ac_047_a_machine_that_hides_which_it_is_passes_no_list(machine: Situation) -> None:
    refused(replace(machine, rules={"chip_ids": ["77" * 64]}), "snp.chip_id", Category.IDENTITY)
    refused(replace(machine, rules={"denied_chip_ids": ["77" * 64]}), "snp.chip_id.denied", Category.IDENTITY)


def test_a_chip_is_hidden_by_its_host_but_not_by_a_vlek() -> None:
    rules = {"masked_chip_id": "forbidden"}
    accepted(replace(GOOD, rules=rules))
    accepted(replace(VLEK, rules=rules))
    hidden = replace(GOOD, report={"chip_id": bytes(64)}, rules=rules)
    refused(hidden, "snp.chip_id.masked", Category.IDENTITY)
    accepted(replace(hidden, rules={"masked_chip_id": "any"}))


@pytest.mark.parametrize("product", ProductLine)
def test_ac_031_a_product_line_that_is_not_taken_is_refused(product: ProductLine) -> None:
    machine = Situation(product=product)
    others = {line.value: "allowed" for line in ProductLine if line is not product}
    refused(replace(machine, rules={"products": others | {product: "forbidden"}}), "snp.product", Category.PLATFORM)
    accepted(replace(machine, rules={"products": dict.fromkeys(others, "forbidden")}))


@pytest.mark.parametrize("version", [2, 5])
def test_ac_031_a_pinned_line_is_taken_for_chips_named_only(version: int) -> None:
    machine = Situation(product=ProductLine.MILAN, version=version)
    pinned: Mapping[str, object] = {"products": {"Milan": "pinned"}}
    refused(replace(machine, rules=pinned), "snp.product", Category.PLATFORM)
    accepted(replace(machine, rules={**pinned, "chip_ids": [machine.psp.chip_id.hex()]}))
    other = replace(machine, rules={**pinned, "chip_ids": ["77" * 64]}).appraise()
    assert ids_of_no(other) == ["snp.product", "snp.chip_id"]
    masked = replace(machine, report={"chip_id": bytes(64)}, rules={**pinned, "chip_ids": ["77" * 64]}).appraise()
    assert ids_of_no(masked) == ["snp.product", "snp.chip_id"]


def test_ac_022_a_guest_with_a_migration_agent_is_refused_where_none_is_taken() -> None:
    rules = {"migration_agent": "forbidden"}
    accepted(replace(GOOD, rules=rules))
    for agent in (bytes(32), b"\xff" * 31 + b"\xfe", b"\x99" * 32):
        machine = replace(GOOD, report={"report_id_ma": agent}, rules=rules)
        refused(machine, "snp.migration_agent", Category.POLICY_MISMATCH)
        accepted(replace(machine, rules={}))


# --- firmware --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("committed", "passes"),
    [((1, 55, 39), False), ((1, 55, 40), True), ((1, 55, 41), True), ((1, 56, 1), True), ((1, 54, 99), False),
     ((0, 99, 99), False), ((2, 0, 0), True)],
)  # fmt: skip
def test_firmware_compares_as_major_minor_build_and_not_part_by_part(
    committed: tuple[int, int, int],
    passes: bool,
) -> None:
    major, minor, build = committed
    machine = replace(
        GOOD,
        report={
            "committed_major": major, "committed_minor": minor, "committed_build": build,
            "current_major": 2, "current_minor": 99, "current_build": 99,
        },
        rules={"minimum_firmware": "1.55.40"},
    )  # fmt: skip
    if passes:
        accepted(machine)
    else:
        refused(machine, "snp.firmware.minimum", Category.TCB)


LEVEL = PLATFORMS[GOOD.product].tcb
RAW = LEVEL.build(GOOD.product)
OLDER = replace(LEVEL, snp=26).build(GOOD.product)
NEWER = replace(LEVEL, snp=28).build(GOOD.product)


@pytest.mark.parametrize(
    ("report", "equal", "at_most_current"),
    [
        ({}, True, True),
        ({"committed_tcb": OLDER}, False, True),
        ({"committed_tcb": NEWER}, False, False),
        ({"committed_build": 48}, False, True),
        ({"committed_build": 50}, False, False),
        ({"committed_minor": 54, "committed_build": 99}, False, True),
        ({"committed_tcb": OLDER, "committed_build": 50}, False, False),
        ({"committed_tcb": NEWER, "committed_build": 48}, False, False),
    ],
)
def test_ac_025_committed_firmware_stands_to_what_runs_as_the_policy_says(
    report: ReportFields,
    equal: bool,
    at_most_current: bool,
) -> None:
    for mode, passes in (("equal", equal), ("at-most-current", at_most_current), ("any", True)):
        machine = replace(GOOD, report=report, rules={"committed_firmware": mode})
        if passes:
            accepted(machine)
        else:
            refused(machine, "snp.firmware.committed", Category.TCB)


def floors(**level: int) -> dict[str, object]:
    """A floor for every line: this one for Genoa, the lowest for the others."""
    nothing = {"boot_loader": 0, "tee": 0, "snp": 0, "microcode": 0}
    return {"tcb_floor": {"Genoa": nothing | level, "Milan": nothing, "Turin": nothing | {"fmc": 0}}}


@pytest.mark.parametrize("component", ["boot_loader", "tee", "snp", "microcode"])
@pytest.mark.parametrize("field", ["committed_tcb", "launch_tcb"])
def test_ac_025_committed_and_launch_must_reach_the_floor_too(field: str, component: str) -> None:
    at = replace(LEVEL, tee=3)
    machine = replace(GOOD, tcb=at, rules=floors(**at.components()))
    accepted(machine)
    lower = replace(at, **{component: at.components()[component] - 1}).build(GOOD.product)
    question = f"snp.tcb.floor.{field.removesuffix('_tcb')}"
    refused(replace(machine, report=one(field, lower)), question, Category.TCB)


@pytest.mark.parametrize("component", ["boot_loader", "tee", "snp", "microcode"])
def test_ac_025_current_below_the_floor_or_below_reported_is_refused(component: str) -> None:
    at = replace(LEVEL, tee=3)
    lower = replace(at, **{component: at.components()[component] - 1}).build(GOOD.product)
    machine = replace(
        GOOD, tcb=at, report={"current_tcb": lower, "committed_tcb": lower}, rules=floors(**at.components())
    )
    appraisal = machine.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert {"snp.tcb.reported", "snp.tcb.floor.committed"} == set(ids_of_no(appraisal))
    assert categories(appraisal) == {Category.TCB}


def test_ac_024_a_tcb_larger_as_an_integer_but_lower_in_one_component_is_refused() -> None:
    at = Tcb(boot_loader=9, tee=0, snp=27, microcode=255)
    assert int.from_bytes(at.build(GOOD.product), "little") > int.from_bytes(RAW, "little")
    machine = replace(GOOD, tcb=at, rules=floors(**LEVEL.components())).appraise()
    assert machine.verdict is Verdict.REJECTED
    assert categories(machine) == {Category.TCB}
    assert "snp.tcb.floor.reported" in ids_of_no(machine)


components = st.integers(0, 3)


@settings(max_examples=50)
@given(have=st.tuples(*[components] * 5), floor=st.tuples(*[components] * 5))
@pytest.mark.parametrize("product", ProductLine)
def test_ac_024_a_tcb_passes_exactly_if_every_component_reaches_the_floor(
    product: ProductLine, have: tuple[int, ...], floor: tuple[int, ...]
) -> None:
    names = [name for name in ("fmc", "boot_loader", "tee", "snp", "microcode") if name in LAYOUTS[product]]
    got, least = dict(zip(names, have, strict=False)), dict(zip(names, floor, strict=False))
    table = {"tcb_floor": {**{line: full(line) for line in ProductLine}, product: least}}
    machine = Situation(product=product, tcb=Tcb(**got), rules=table)
    passes = all(got[name] >= least[name] for name in names)
    assert (machine.appraise().verdict is Verdict.ACCEPTED) is passes


def full(product: ProductLine) -> dict[str, int]:
    return dict.fromkeys(LAYOUTS[product], 0)


CPUIDS = {
    "Milan": (0x19, 0x01, 1), "Milan-X": (0x19, 0x01, 2), "Genoa": (0x19, 0x11, 1), "Genoa-X": (0x19, 0x11, 2),
    "Bergamo/Siena": (0x19, 0xA0, 2), "Turin": (0x1A, 0x02, 1), "Turin Dense": (0x1A, 0x11, 0),
}  # fmt: skip


def at_floor(profile: str, part: Part, **off: int) -> Situation:
    """A machine of this part exactly at a profile's floor, but for what is off."""
    floor = PROFILES[profile].products[part.product].for_part(part, part.product)
    tcb = replace(floor, **{name: floor.components()[name] + change for name, change in off.items()})
    family, model, stepping = CPUIDS[part.name]
    return Situation(
        product=part.product,
        tcb=tcb,
        report={"cpuid_family": family, "cpuid_model": model, "cpuid_stepping": stepping},
        rules={"tcb_floor": profile},
    )


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_part_is_held_to_its_own_floor(profile: str, part: Part) -> None:
    accepted(at_floor(profile, part))
    floor = PROFILES[profile].products[part.product].for_part(part, part.product)
    for component in ("snp", "microcode"):
        if floor.components()[component]:
            below = at_floor(profile, part, **{component: -1}).appraise()
            assert below.verdict is Verdict.REJECTED
            assert set(ids_of_no(below)) == {f"snp.tcb.floor.{of}" for of in ("reported", "committed", "launch")}
            assert categories(below) == {Category.TCB}


@pytest.mark.parametrize("product", [ProductLine.MILAN, ProductLine.GENOA])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_version_2_report_is_held_to_the_strictest_microcode_of_its_line(profile: str, product: ProductLine) -> None:
    floor = PROFILES[profile].products[product]
    strictest, weakest = max(floor.microcode.values()), min(floor.microcode.values())
    machine = Situation(product=product, version=2, rules={"tcb_floor": profile})
    accepted(replace(machine, tcb=Tcb(boot_loader=0, tee=0, snp=floor.snp, microcode=strictest)))
    for microcode in (strictest - 1, weakest):
        below = replace(machine, tcb=Tcb(boot_loader=0, tee=0, snp=floor.snp, microcode=microcode)).appraise()
        assert categories(below) == {Category.TCB}


def test_ac_026_a_turin_tcb_in_the_older_layout_is_refused_and_the_reverse() -> None:
    turin = Situation(product=ProductLine.TURIN)
    older_layout = Tcb(boot_loader=1, tee=1, snp=4, microcode=81).build(ProductLine.MILAN)
    for field in ("committed_tcb", "current_tcb", "launch_tcb"):
        appraisal = replace(turin, report=one(field, older_layout), rules={"committed_firmware": "any"}).appraise()
        assert appraisal.verdict is Verdict.REJECTED
        assert "snp.tcb.layout" in ids_of_no(appraisal)
        assert categories(appraisal) == {Category.TCB}
    newer_layout = Tcb(fmc=1, boot_loader=1, tee=1, snp=4, microcode=81).build(ProductLine.TURIN)
    refused(replace(GOOD, report={"launch_tcb": newer_layout}), "snp.tcb.layout", Category.TCB)


def test_ac_026_turins_components_are_where_turin_has_them() -> None:
    tcb = Tcb(fmc=5, boot_loader=6, tee=7, snp=8, microcode=81)
    level = {"fmc": 5, "boot_loader": 6, "tee": 7, "snp": 8, "microcode": 81}
    nothing = {"boot_loader": 0, "tee": 0, "snp": 0, "microcode": 0}
    for component, value in level.items():
        at = {"tcb_floor": {"Turin": level, "Milan": nothing, "Genoa": nothing}}
        over = {"tcb_floor": {"Turin": level | {component: value + 1}, "Milan": nothing, "Genoa": nothing}}
        accepted(Situation(product=ProductLine.TURIN, tcb=tcb, rules=at))
        appraisal = Situation(product=ProductLine.TURIN, tcb=tcb, rules=over).appraise()
        assert categories(appraisal) == {Category.TCB}


def test_ac_025_reported_above_current_is_refused_under_every_policy() -> None:
    machine = replace(GOOD, report={"current_tcb": OLDER, "committed_tcb": OLDER}, rules={"committed_firmware": "any"})
    refused(machine, "snp.tcb.reported", Category.TCB)
    above = replace(GOOD, report={"current_tcb": NEWER})
    accepted(above)


# --- mitigations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["launch", "current"])
@pytest.mark.parametrize("bit", [0, 1, 5, 63])
def test_ac_029_a_mitigation_that_is_missing_is_refused(which: str, bit: int) -> None:
    rules = {f"{which}_mitigations": {line: [bit] for line in ProductLine}}
    field = f"{which}_mit_vector"
    accepted(replace(GOOD, report=one(field, 1 << bit), rules=rules))
    missing = replace(GOOD, report=one(field, (1 << 64) - 1 & ~(1 << bit)), rules=rules)
    refused(missing, f"snp.mitigations.{which}", Category.TCB)


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("which", ["launch", "current"])
def test_ac_029_reports_that_show_no_mitigations_have_none(which: str, version: int) -> None:
    rules = {f"{which}_mitigations": {line: [1] for line in ProductLine}}
    refused(replace(GOOD, version=version, rules=rules), f"snp.mitigations.{which}", Category.TCB)


def test_ac_029_all_bits_named_are_needed() -> None:
    rules = {"launch_mitigations": {line: [1, 2, 4] for line in ProductLine}}
    for vector, passes in ((0b10110, True), (0b11111, True), (0b10010, False), (0b00110, False), (0, False)):
        machine = replace(GOOD, report={"launch_mit_vector": vector}, rules=rules)
        assert (machine.appraise().verdict is Verdict.ACCEPTED) is passes


# --- bits outside the tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", [8, 9, 31, 32, 63])
def test_ac_028_a_platform_bit_that_nobody_defined_is_refused_unless_said_otherwise(bit: int) -> None:
    machine = replace(GOOD, report={"platform_info": 0x25 | 1 << bit})
    refused(machine, "snp.platform_info.unknown", Category.PLATFORM)
    accepted(replace(machine, rules={"unknown_platform_bits": "any"}))


def test_every_defined_platform_bit_is_known() -> None:
    accepted(replace(GOOD, report={"platform_info": sum(bit.mask for bit in PLATFORM_INFO_BITS)}))


@pytest.mark.parametrize(
    ("abi", "passes"), [((1, 55), True), ((1, 56), True), ((2, 0), True), ((1, 54), False), ((0, 99), False)]
)
def test_ac_030_a_guest_that_runs_on_an_older_abi_is_refused(
    abi: tuple[int, int],
    passes: bool,
) -> None:
    machine = replace(GOOD, report={"policy": 0x30000 | abi[0] << 8 | abi[1]}, rules={"minimum_abi": "1.55"})
    if passes:
        accepted(machine)
    else:
        refused(machine, "snp.guest_policy.abi", Category.POLICY_MISMATCH)


def test_both_kinds_of_key_are_told_apart_by_the_flags() -> None:
    assert flags_for(KeyKind.VLEK, author_key=True, mask_chip_key=True) == 0b111


# --- policies that nobody can write ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "question"),
    [
        ("tcb_floor", "snp.tcb.floor.reported"),
        ("launch_mitigations", "snp.mitigations.launch"),
        ("current_mitigations", "snp.mitigations.current"),
    ],
)
def test_ac_027_a_policy_made_without_a_value_for_the_line_accepts_nothing_of_it(rule: str, question: str) -> None:
    policy = GOOD.policy
    changes: dict[str, object] = {rule: {"Milan": 1}}
    made = replace(policy, snp=replace(snp(policy), **changes))  # type: ignore[arg-type]  # reading refuses such a one
    appraisal = GOOD.appraise(made)
    assert appraisal.verdict is Verdict.REJECTED
    assert question in ids_of_no(appraisal)
    assert categories(appraisal) == {Category.TCB}
