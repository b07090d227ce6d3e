"""Policies as files: what is none, what is ill-typed, what `extends` takes over, and both built-in policies."""

import hashlib
import io
import json
import time
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.verifier.policy.tables import snp, tdx
from tests.verifier.snp.situation import Situation, categories, ids_of_no, ids_of_open

from cvmproof.appraisal import Verdict
from cvmproof.policy.policy import Authority, Policy, Revocation
from cvmproof.policy.reading import (
    BUILTIN_NAMES,
    KEY_LIMIT,
    MAXIMUM_VALIDITY,
    POLICY_LIMIT,
    builtin_bytes,
    builtin_policy,
    read_document,
    read_policy,
)
from cvmproof.policy.values import ANY
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT

GENUINE = tomllib.loads(builtin_bytes("genuine").decode())
MEASURED = {"extends": "builtin:recommended", "snp": {"measurements": [SIMULATED_MEASUREMENT.hex()]}}


def refused(data: bytes, message: str = ".", category: Category = Category.POLICY_INVALID) -> None:
    with pytest.raises(Misuse, match=message) as caught:
        read_policy(data, name="p")
    assert caught.value.category is category


def changed(path: str, value: object) -> bytes:
    """builtin:genuine as JSON with one value replaced, its place given with dots."""
    document = json.loads(json.dumps(GENUINE))
    *tables, last = path.split(".")
    table = document
    for name in tables:
        table = table[name]
    table[last] = value
    return json.dumps(document).encode()


def without(path: str) -> bytes:
    document = json.loads(json.dumps(GENUINE))
    *tables, last = path.split(".")
    table = document
    for name in tables:
        table = table[name]
    del table[last]
    return json.dumps(document).encode()


def every_place(table: Mapping[str, object], above: str = "") -> list[str]:
    found = []
    for name, value in table.items():
        found.append(above + name)
        if isinstance(value, dict):
            found += every_place(value, f"{above}{name}.")
    return found


def place(path: str) -> object:
    """What stands at a place of builtin:genuine."""
    found: object = GENUINE
    for name in path.split("."):
        assert isinstance(found, dict)
        found = found[name]
    return found


# --- what is no policy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\n\t \r\n",
        b"{}",
        b" {} ",
        b"null",
        b"[]",
        b"[{}]",
        b'""',
        b'"policy"',
        b"0",
        b"true",
        b"# nothing\n",
    ],
)
def test_ac_083_an_empty_policy_is_none(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + builtin_bytes("genuine"),
        b"\xef\xbb\xbf" + json.dumps(GENUINE).encode(),
        json.dumps(GENUINE).encode() + b" trailing",
        json.dumps(GENUINE).encode() * 2,
        b"/* comment */" + json.dumps(GENUINE).encode(),
        json.dumps(GENUINE).encode() + b"// comment",
        json.dumps(GENUINE).replace('"version": 1', '"version": 1, "version": 1').encode(),
        json.dumps(GENUINE).replace('"debug": "forbidden"', '"debug": "forbidden", "debug": "any"').encode(),
        json.dumps(GENUINE).replace("}", ",}", 1).encode(),
        builtin_bytes("genuine") + b'vmpls = "any"\nsev_tio_en = "any"\n',
        builtin_bytes("genuine") + b"[snp]\n",
        b"version = 1\n" + builtin_bytes("genuine"),
    ],
)
def test_ac_084_repeated_names_comments_marks_and_trailing_text_are_refused(data: bytes) -> None:
    refused(data)


INSIDE = ("", *(f"{path}." for path in every_place(GENUINE) if isinstance(place(path), dict)))


@pytest.mark.parametrize("path", INSIDE)
def test_ac_084_a_name_that_is_not_known_is_refused_wherever_it_stands(path: str) -> None:
    refused(changed(path + "mesurements", "any"), "mesurements.* is not known")


# A policy may do without one of the two, and then refuses that technology.
TECHNOLOGIES = ("snp", "tdx")


@pytest.mark.parametrize("path", [path for path in every_place(GENUINE) if path not in TECHNOLOGIES])
def test_nothing_is_optional_by_omission(path: str) -> None:
    refused(without(path), "missing")


@pytest.mark.parametrize("path", every_place(GENUINE))
@pytest.mark.parametrize(
    "value", [None, True, False, -1, 1 << 64, 1.0, "", "Any", "*", [], {}, [None], "any "], ids=repr
)
def test_ac_085_a_value_of_another_type_is_refused_wherever_it_stands(path: str, value: object) -> None:
    refused(changed(path, value))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (path, text)
        for path in (
            "version", "valid_for", "snp.minimum_report_version", "snp.minimum_guest_svn",
            "tdx.minimum_evaluation_number", "tdx.collateral_grace", "tdx.minimum_qe_svn",
        )
        for text in (
            "true", '"1"', '"0x10"', "NaN", "1e400", "Infinity", "-1", str(1 << 64), '"\u0663"', '"1_0"', "1.0", "01",
            "9" * 5000, "null",
        )
    ],
)  # fmt: skip
def test_ac_085_a_number_is_written_as_one(path: str, text: str) -> None:
    marked = changed(path, "MARK").decode()
    refused(marked.replace('"MARK"', text).encode())


@pytest.mark.parametrize("text", ["0x10", "0b1", "1_0", "1e0", "+1", "inf", "nan", "2026-11-21", "'1'"])
def test_ac_085_toml_has_other_spellings_and_only_whole_numbers_of_them_count(text: str) -> None:
    data = builtin_bytes("genuine").replace(b"version = 1\n", f"version = {text}\n".encode(), 1)
    if text in {"+1", "0b1"}:  # TOML's own spellings of 1
        assert read_policy(data, name="p").valid_for == 600
    else:
        refused(data)


@pytest.mark.parametrize(
    "data",
    [
        b"!!python/object/apply:os.system ['true']",
        b"--- !!python/object:builtins.object {}\n",
        b"a: &a ['x','x']\nb: &b [*a,*a]\nc: [*b,*b]\n",
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00K\x01.",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b"a = " + b"[" * 100_000,
        b"\x00" * 100,
        b"\xff\xfe{\x00}\x00",
    ],
    ids=range(10),
)
def test_ac_086_other_formats_and_bombs_are_refused(data: bytes) -> None:
    refused(data)


def test_ac_086_a_zip_file_is_no_policy() -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("policy.toml", builtin_bytes("genuine"))
    refused(zipped.getvalue())


def test_ac_086_more_than_a_mebibyte_is_refused_unread() -> None:
    padded = builtin_bytes("genuine").ljust(POLICY_LIMIT, b"\n")
    assert read_policy(padded, name="p").valid_for == 600
    refused(padded + b"\n", "expected at most 1048576 bytes", Category.SIZE_LIMIT)
    refused(b"{" + b" " * POLICY_LIMIT, "expected at most", Category.SIZE_LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b".".join([b"a"] * 500_000) + b" = 1",
        b"[" + b".".join([b"a"] * 500_000) + b"]",
        b'"""\\"""." = 1\n' + b".".join([b"a"] * 500_000) + b"= '''",
        b'a = """\n"""\n',
        b"a = {" + b'"b".' * 200_000 + b"c = 1}",
        b"{" + b",".join(b'"%d":0' % i for i in range(80_000)) + b',"0":0}',
    ],
    ids=range(6),
)
def test_ac_086_a_policy_made_to_be_slow_is_refused_soon(data: bytes) -> None:
    start = time.process_time()
    refused(data)
    assert time.process_time() - start < 5


def test_dots_in_strings_and_comments_are_no_keys() -> None:
    names = ", ".join(f'"CN={"a." * 30}{i}"' for i in range(3))
    data = f"extends = \"builtin:genuine\" # {'.' * 50}\n[snp]\ncsp_ids = [{names}, 'CN={'.' * 40}']\n"
    rules = snp(read_policy(data.encode(), name="p"))
    assert rules.csp_ids is not ANY
    assert len(rules.csp_ids) == 4
    deepest = f'extends = "builtin:genuine"\n{".".join(["a"] * (KEY_LIMIT + 1))} = 1\n'
    refused(deepest.encode(), "is not known")
    refused(deepest.replace("a.a", "a.a.a", 1).encode(), "dots in a line")


@given(st.binary(max_size=200))
@example(b"[")
@example(b"{")
def test_any_bytes_are_a_policy_or_refused(data: bytes) -> None:
    try:
        read_policy(data, name="p")
    except Misuse:
        return


# TOML and JSON as fuzzers find them: the right names, the wrong things.
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("any"))
NAMES = [*GENUINE, *GENUINE["snp"], *GENUINE["tdx"], "Milan", "debug", "snp"]
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(trees)
def test_any_json_is_a_policy_or_refused(tree: object) -> None:
    try:
        read_policy(json.dumps(tree).encode(), name="p")
    except Misuse:
        return


@given(st.sampled_from(every_place(GENUINE)), trees)
def test_any_value_in_a_good_policy_makes_a_policy_or_is_refused(path: str, tree: object) -> None:
    try:
        read_policy(changed(path, tree), name="p")
    except Misuse:
        return


# --- text forms of bytes ---------------------------------------------------------------------------------------------

BYTES = [
    ("measurements", 48), ("host_data", 32), ("id_key_digests", 48), ("author_key_digests", 48), ("family_ids", 16),
    ("image_ids", 16), ("chip_ids", 64), ("denied_chip_ids", 64), ("report_ids", 32),
]  # fmt: skip


@pytest.mark.parametrize(("name", "size"), BYTES)
def test_ac_032_a_value_of_another_length_empty_or_zero_is_refused(name: str, size: int) -> None:
    assert read_policy(changed(f"snp.{name}", ["a1" * size]), name="p")
    for wrong in ("a1" * (size - 1), "a1" * (size + 1), "", "00" * size, "a" * (2 * size - 1)):
        refused(changed(f"snp.{name}", [wrong]), name)
        refused(changed(f"snp.{name}", ["a1" * size, wrong]), name)


@pytest.mark.parametrize(("name", "size"), BYTES)
def test_ac_065_an_empty_or_repeating_list_of_expected_values_is_refused(name: str, size: int) -> None:
    refused(changed(f"snp.{name}", []), "a list of 1 to")
    refused(changed(f"snp.{name}", ["a1" * size, "A1" * size]), "without repetitions")


@pytest.mark.parametrize(
    "text",
    ["a1 " * 48, " " + "a1" * 48, "a1" * 48 + "\n", "0x" + "a1" * 47, "a1:" * 47 + "a1", "g1" * 48, "\uff11" * 96,
     "\u0661" * 96, "YWJj" * 16, "-" + "a" * 95, "a_" * 48],
)  # fmt: skip
def test_ac_087_hexadecimal_has_one_spelling(text: str) -> None:
    refused(changed("snp.measurements", [text]), "hexadecimal digits")


# --- extends ---------------------------------------------------------------------------------------------------------


def test_ac_088_the_recommended_policy_does_not_say_which_software_may_run_and_is_refused_bare() -> None:
    with pytest.raises(Misuse, match="which software may run is for you to say") as caught:
        builtin_policy("recommended")
    assert "cvmproof policy new --from builtin:recommended" in caught.value.hint
    refused(json.dumps({"extends": "builtin:recommended", "valid_for": 60}).encode(), "which software may run")


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_ac_088_extends_alone_says_nothing(name: str) -> None:
    refused(f'extends = "builtin:{name}"'.encode(), "something of its own")


def test_ac_088_a_technology_that_is_mentioned_and_not_completed_is_refused_with_what_to_do() -> None:
    snp, tdx = {"measurements": ["a1" * 48]}, {"rtmr1": ["a1" * 48]}
    for own in ({"tdx": tdx}, {"snp": snp, "tdx": tdx}, {"snp": snp, "tdx": {}}):
        data = json.dumps({"extends": "builtin:recommended", **own}).encode()
        with pytest.raises(Misuse, match=r"tdx\.mr_tds missing: which software may run is for you to say") as caught:
            read_policy(data, name="p")
        assert "cvmproof policy new --from builtin:recommended --mrtd HEX -o policy.toml" in caught.value.hint
    both = json.dumps({"extends": "builtin:recommended", "snp": {}, "tdx": {}}).encode()
    refused(both, "snp.measurements and tdx.mr_tds missing")


@pytest.mark.parametrize("base", BUILTIN_NAMES)
@pytest.mark.parametrize(
    ("table", "other", "rules"),
    [("snp", "tdx", {"measurements": ["a1" * 48]}), ("tdx", "snp", {"mr_tds": ["a1" * 48]})],
)
def test_a_file_with_a_table_for_one_technology_refuses_the_other(
    base: str, table: str, other: str, rules: dict[str, object]
) -> None:
    policy = read_policy(json.dumps({"extends": f"builtin:{base}", table: rules}).encode(), name="p")
    assert getattr(policy, table) is not None
    assert getattr(policy, other) is None
    assert policy.constrains_software


def test_a_file_without_tables_takes_those_of_the_built_in_policy() -> None:
    policy = read_policy(b'{"extends": "builtin:genuine", "valid_for": 60}', name="p")
    assert (policy.snp is not None, policy.tdx is not None) == (True, True)


@pytest.mark.parametrize(
    "base", ["genuine", "builtin:", "builtin:Genuine", "builtin:../genuine", "/etc/passwd", 1, None, []]
)
def test_extends_takes_a_built_in_name_only(base: object) -> None:
    refused(json.dumps({"extends": base, "valid_for": 60}).encode())


def test_extends_is_not_followed_twice() -> None:
    refused(json.dumps({"extends": "builtin:genuine", "snp": {"extends": "builtin:genuine"}}).encode(), "not known")


def test_a_file_that_extends_keeps_what_it_does_not_say() -> None:
    base = builtin_policy("genuine")
    own = read_policy(b'extends = "builtin:genuine"\nvalid_for = 60\n[snp]\nvmpls = [0]\n', name="own")
    assert (own.valid_for, snp(own).vmpls) == (60, frozenset({0}))
    assert own.revocation is base.revocation
    assert snp(own).products == snp(base).products
    assert snp(own).guest_policy == snp(base).guest_policy


@pytest.mark.parametrize(
    ("table", "name"), [("products", "Milan"), ("guest_policy", "smt"), ("platform_info", "tsme_en")]
)
def test_tables_of_separate_rules_are_merged_rule_by_rule(table: str, name: str) -> None:
    base = getattr(snp(builtin_policy("genuine")), table)
    data = f'extends = "builtin:genuine"\n[snp.{table}]\n{name} = "forbidden"\n'.encode()
    merged = getattr(snp(read_policy(data, name="own")), table)
    assert {key: value for key, value in merged.items() if base[key] != value} == {name: "forbidden"}


def test_a_table_of_floors_is_replaced_as_a_whole() -> None:
    genoa = {"Genoa": {"boot_loader": 1, "tee": 0, "snp": 1, "microcode": 1}}
    document = {**MEASURED, "snp": {**MEASURED["snp"], "tcb_floor": genoa}}  # type: ignore[dict-item]  # a table
    refused(json.dumps(document).encode(), "a value for Milan, Turin")


# --- what a policy carries -------------------------------------------------------------------------------------------


def test_json_and_toml_say_the_same() -> None:
    toml, as_json = builtin_policy("genuine"), read_policy(json.dumps(GENUINE).encode(), name="builtin:genuine")
    for name in Policy.__dataclass_fields__:
        if name not in {"digest", *TECHNOLOGIES}:
            assert getattr(toml, name) == getattr(as_json, name)
    for rules, same in ((snp(toml), snp(as_json)), (tdx(toml), tdx(as_json))):
        for name in rules.__dataclass_fields__:
            assert getattr(rules, name) == getattr(same, name)


def test_a_policy_knows_its_bytes_and_whose_word_it_is() -> None:
    data = builtin_bytes("genuine")
    assert read_policy(data, name="p").digest == hashlib.sha256(data).digest()
    assert read_policy(data, name="p").authority is Authority.OPERATOR
    assert read_policy(data, name="p", authority=Authority.CONTROL_PLANE).authority is Authority.CONTROL_PLANE


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, False), (1, True), (MAXIMUM_VALIDITY, True), (MAXIMUM_VALIDITY + 1, False)]
)
def test_a_verdict_lasts_from_a_second_to_a_week(seconds: int, good: bool) -> None:
    if good:
        assert read_policy(changed("valid_for", seconds), name="p").valid_for == seconds
    else:
        refused(changed("valid_for", seconds), "valid_for")


@pytest.mark.parametrize("version", [0, 2, 3])
def test_another_version_is_refused(version: int) -> None:
    refused(changed("version", version), "version")
    refused(json.dumps({"extends": "builtin:genuine", "version": version}).encode(), "version")


@pytest.mark.parametrize("name", ["", "Genuine", "genuine.toml", "../genuine", "none"])
def test_a_built_in_policy_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(Misuse, match="one of builtin:genuine, builtin:recommended"):
        builtin_policy(name)


def test_a_document_is_a_table_and_read_no_further() -> None:
    assert read_document(b'{"anything": 1}', name="p") == {"anything": 1}


@pytest.mark.parametrize(("table", "other"), [("snp", "tdx"), ("tdx", "snp")])
def test_ac_088_a_technology_without_table_is_refused_and_one_table_there_must_be(table: str, other: str) -> None:
    policy = read_policy(without(other), name="p")
    assert getattr(policy, table) is not None
    assert getattr(policy, other) is None
    neither = {name: value for name, value in GENUINE.items() if name not in {table, other}}
    refused(json.dumps(neither).encode(), "snp and tdx missing: it takes no technology at all")


@pytest.mark.parametrize("table", ["snp", "tdx"])
def test_ac_088_a_table_says_something(table: str) -> None:
    refused(changed(table, {}), "missing")
    for nothing in ("any", None, list[object](), 1):
        refused(json.dumps({"extends": "builtin:genuine", table: nothing}).encode(), f"{table}: expected a table")


# --- the built-in policies -------------------------------------------------------------------------------------------


def test_genuine_says_nothing_about_software_privilege_level_or_floor() -> None:
    policy, rules = builtin_policy("genuine"), snp(builtin_policy("genuine"))
    assert policy.revocation is Revocation.IF_AVAILABLE
    assert not policy.constrains_software
    assert rules.vmpls is rules.tcb_floor is rules.measurements is rules.chip_ids is ANY
    assert rules.products_taken == set(ProductLine)
    demanded = {
        check.id for check in Situation(revocation="if-available").appraise().checks
        if check.question.rule and check.outcome == "pass"
    }  # fmt: skip
    assert demanded - {"policy.tee"} == {
        "snp.crl.signature", "snp.crl.current", "snp.crl.revoked", "snp.product", "snp.signing_key",
        "snp.firmware.committed", "snp.guest_policy.debug", "snp.platform_info.unknown",
    }  # fmt: skip


def recommended(**changes: object) -> Situation:
    rules: dict[str, object] = {"measurements": [SIMULATED_MEASUREMENT.hex()]}
    return Situation(base="recommended", rules=rules, **changes)  # type: ignore[arg-type]  # fields of Situation


@pytest.mark.parametrize("product", [ProductLine.GENOA, ProductLine.TURIN])
@pytest.mark.parametrize("version", [3, 4, 5])
def test_recommended_takes_current_genoa_and_turin(product: ProductLine, version: int) -> None:
    assert recommended(product=product, version=version).appraise().verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("changes", "question", "category"),
    [
        ({"version": 2, "report": {"platform_info": 0x25}}, "snp.report.version", Category.POLICY_MISMATCH),
        ({"key": KeyKind.VLEK}, "snp.signing_key", Category.POLICY_MISMATCH),
        ({"report": {"vmpl": 1}}, "snp.vmpl", Category.POLICY_MISMATCH),
        ({"report": {"measurement": b"\x11" * 48}}, "snp.measurement", Category.MEASUREMENT),
        ({"report": {"chip_id": bytes(64)}}, "snp.chip_id.masked", Category.IDENTITY),
        ({"report": {"report_id_ma": bytes(32)}}, "snp.migration_agent", Category.POLICY_MISMATCH),
        ({"report": {"committed_build": 99}}, "snp.firmware.committed", Category.TCB),
        ({"report": {"platform_info": 0x125}}, "snp.platform_info.unknown", Category.PLATFORM),
        ({"report": {"platform_info": 0x05}}, "snp.platform_info.alias_check_complete", Category.PLATFORM),
        ({"report": {"policy": 0x70000}}, "snp.guest_policy.migrate_ma", Category.POLICY_MISMATCH),
        ({"report": {"policy": 0xB0000}}, "snp.guest_policy.debug", Category.DEBUG),
        ({"report": {"policy": 0x230000}}, "snp.guest_policy.cxl_allow", Category.POLICY_MISMATCH),
        ({"product": ProductLine.MILAN}, "snp.product", Category.PLATFORM),
    ],
)
def test_recommended_refuses_what_it_should(changes: dict[str, object], question: str, category: Category) -> None:
    appraisal = recommended(**changes).appraise()
    assert ids_of_no(appraisal) == [question]
    assert categories(appraisal) == {category}


def test_recommended_needs_the_revocation_list() -> None:
    appraisal = recommended(without=frozenset({"crl"})).appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert ids_of_open(appraisal) == ["snp.crl.signature", "snp.crl.current", "snp.crl.revoked"]
    assert categories(appraisal) == {Category.UNAVAILABLE}


def test_recommended_lets_platforms_whose_committed_firmware_lags_pass_above_the_floor() -> None:
    assert recommended(report={"committed_build": 40}).appraise().verdict is Verdict.ACCEPTED
    assert recommended(report={"platform_info": 0x65}).appraise().verdict is Verdict.ACCEPTED


# --- metamorphic -----------------------------------------------------------------------------------------------------

TIGHTER: dict[str, object] = {
    "vmpls": [0], "signing_keys": ["VCEK"], "minimum_report_version": 4, "masked_chip_id": "forbidden",
    "migration_agent": "forbidden", "committed_firmware": "equal", "tcb_floor": "amd-sb-3019",
    "measurements": [SIMULATED_MEASUREMENT.hex()], "minimum_guest_svn": 1, "minimum_abi": "1.0",
    "host_data": ["22" * 32], "denied_chip_ids": ["77" * 64],
}  # fmt: skip
MACHINES = (
    Situation(), Situation(version=2), Situation(key=KeyKind.VLEK), Situation(report={"vmpl": 1, "guest_svn": 3}),
    Situation(report={"chip_id": bytes(64)}), Situation(report={"policy": 0x3011F, "host_data": b"\x22" * 32}),
    Situation(report={"committed_build": 1}), Situation(report={"policy": 0xB0000}),
)  # fmt: skip


@given(
    machine=st.sampled_from(range(len(MACHINES))),
    loose=st.sets(st.sampled_from(sorted(TIGHTER)), max_size=4),
    more=st.sets(st.sampled_from(sorted(TIGHTER)), max_size=4),
)
def test_a_tighter_policy_never_accepts_more(machine: int, loose: set[str], more: set[str]) -> None:
    def under(names: set[str]) -> Verdict:
        rules = {name: TIGHTER[name] for name in sorted(names)}
        return replace(MACHINES[machine], rules=rules).appraise().verdict

    assert not (under(loose | more) is Verdict.ACCEPTED and under(loose) is not Verdict.ACCEPTED)


@given(others=st.sets(st.binary(min_size=48, max_size=48).filter(any), max_size=5), mine=st.booleans())
def test_unrelated_reference_values_change_no_verdict(others: set[bytes], mine: bool) -> None:
    unrelated = others - {SIMULATED_MEASUREMENT} | {b"\x11" * 48}
    named = unrelated | {SIMULATED_MEASUREMENT} if mine else unrelated
    machine = replace(MACHINES[0], rules={"measurements": sorted(value.hex() for value in named)})
    assert (machine.appraise().verdict is Verdict.ACCEPTED) is mine
