"""TCB info: exactly version 3 for TDX, or Malformed; every recorded one comes back byte for byte."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx import tcb_info
from cvmproof_formats.tdx.signed_json import build_signed, read_signed
from cvmproof_formats.tdx.tcb_info import (
    ModuleIdentity,
    PlatformLevel,
    TcbInfo,
    TdxModule,
    build_tcb_info,
    rank_of,
    read_tcb_info,
)
from cvmproof_formats.tdx.tcb_level import SvnLevel
from cvmproof_formats.tdx.tcb_status import PART_STATUSES, PLATFORM_STATUSES, TcbStatus

ISSUED = datetime(2026, 1, 31, 12, tzinfo=UTC)
OLD, NEW = datetime(2024, 3, 13, tzinfo=UTC), datetime(2025, 5, 14, tzinfo=UTC)
MODULE = TdxModule(mrsigner=bytes(48), attributes=bytes(8), attributes_mask=b"\xff" * 8)
HIGH = PlatformLevel(
    sgx=bytes([3, 3, 2, 2, 4, 1, 0, 5]) + bytes(8),
    pcesvn=13,
    tdx=bytes([5, 0, 3]) + bytes(13),
    tcb_date=NEW,
    status=TcbStatus.UP_TO_DATE,
)
LOW = replace(
    HIGH, pcesvn=5, tcb_date=OLD, status=TcbStatus.OUT_OF_DATE, advisories=("INTEL-SA-01036", "INTEL-SA-01079")
)
MODULE_LEVELS = (
    SvnLevel(isvsvn=6, tcb_date=NEW, status=TcbStatus.UP_TO_DATE),
    SvnLevel(isvsvn=2, tcb_date=OLD, status=TcbStatus.OUT_OF_DATE, advisories=("INTEL-SA-01397",)),
)
INFO = TcbInfo(
    issue_date=ISSUED,
    next_update=ISSUED + timedelta(days=30),
    fmspc=bytes.fromhex("90c06f000000"),
    pce_id=bytes(2),
    evaluation_number=19,
    module=MODULE,
    module_identities=(
        ModuleIdentity(version=3, module=MODULE, levels=MODULE_LEVELS[:1]),
        ModuleIdentity(version=1, module=MODULE, levels=MODULE_LEVELS),
    ),
    levels=(HIGH, LOW),
)
BODY = build_tcb_info(INFO)


def changed(old: str, new: str, count: int = 1) -> bytes:
    assert old.encode() in BODY
    return BODY.replace(old.encode(), new.encode(), count)


def refused(body: bytes, match: str, category: Category = Category.MALFORMED) -> None:
    with pytest.raises(Malformed, match=match) as caught:
        read_tcb_info(body)
    assert caught.value.category is category


def test_what_is_written_is_read_back() -> None:
    assert read_tcb_info(BODY) == INFO
    assert read_tcb_info(build_tcb_info(INFO, fmspc_in_upper_case=True)) == INFO
    assert b'"fmspc":"90C06F000000"' in build_tcb_info(INFO, fmspc_in_upper_case=True)
    older = replace(INFO, module_identities=())
    assert b"tdxModuleIdentities" not in build_tcb_info(older)
    assert read_tcb_info(build_tcb_info(older)) == older


def test_an_identity_is_found_by_the_modules_version() -> None:
    assert INFO.identity(1) == INFO.module_identities[1]
    assert INFO.identity(2) is None
    assert [identity.id for identity in INFO.module_identities] == ["TDX_03", "TDX_01"]
    ten = replace(INFO, module_identities=(replace(INFO.module_identities[0], version=0xAB),))
    assert b'"TDX_AB"' in build_tcb_info(ten)
    assert read_tcb_info(build_tcb_info(ten)).identity(0xAB) is not None


@pytest.mark.parametrize(
    "name", ["TDX_1", "TDX_001", "TDX_ab", "tdx_01", "TDX_0G", "TDX_", "SGX_01", "TDX-01", "TDX_01 "]
)
def test_an_identity_has_two_upper_case_digits(name: str) -> None:
    refused(changed("TDX_01", name), "tdxModuleIdentities, id: expected")


def test_ac_039_the_order_of_levels_in_the_file_does_not_matter() -> None:
    lower = [replace(LOW, pcesvn=4), replace(LOW, tdx=bytes(16)), replace(HIGH, sgx=bytes(16), pcesvn=99)]
    levels = (HIGH, replace(HIGH, tdx=bytes([5, 0, 2]) + bytes(13)), LOW, lower[1], lower[0], lower[2])
    for shuffled in list(permutations(levels))[::37]:
        got = read_tcb_info(build_tcb_info(replace(INFO, levels=shuffled)))
        assert got.levels == shuffled
        assert tuple(sorted(got.levels, key=rank_of, reverse=True)) == levels


def test_two_entries_between_which_only_their_order_could_decide_are_refused() -> None:
    twice = replace(LOW, status=TcbStatus.UP_TO_DATE)
    refused(build_tcb_info(replace(INFO, levels=(HIGH, LOW, twice))), "tcbLevels: expected entries that differ")
    again = replace(INFO, module_identities=(INFO.module_identities[0],) * 2)
    refused(build_tcb_info(again), "tdxModuleIdentities: expected entries that differ")
    same = replace(INFO.module_identities[0], levels=(MODULE_LEVELS[0], replace(MODULE_LEVELS[1], isvsvn=6)))
    refused(build_tcb_info(replace(INFO, module_identities=(same,))), "TDX_03, tcbLevels: expected entries that differ")


def test_ac_037_tcb_info_of_sgx_is_not_of_tdx() -> None:
    refused(changed('"id":"TDX"', '"id":"SGX"'), "id: expected 'TDX', got 'SGX'", Category.COLLATERAL_MISMATCH)
    sgx = b'{"id":"SGX","version":3,"issueDate":"2026-01-31T12:00:00Z"}'
    refused(sgx, "id: expected 'TDX'", Category.COLLATERAL_MISMATCH)


@pytest.mark.parametrize("version", [0, 1, 2, 4, 65535])
def test_another_version_is_not_supported(version: int) -> None:
    refused(changed('"version":3', f'"version":{version}'), "version: expected 3", Category.UNSUPPORTED)
    refused(b'{"version":%d,"fmspc":"90c06f000000"}' % version, "version: expected 3", Category.UNSUPPORTED)


def test_another_way_to_compare_levels_is_not_supported() -> None:
    refused(changed('"tcbType":0', '"tcbType":1'), "tcbType: expected 0, got 1", Category.UNSUPPORTED)


@pytest.mark.parametrize(
    "place", ['{"id":"TDX",', '"tdxModule":{', '"tdxModuleIdentities":[{', '"tcbLevels":[{', '"tcb":{']
)
def test_a_name_that_is_not_known_is_not_supported(place: str) -> None:
    refused(changed(place, place + '"newName":1,'), "'newName' is not known here", Category.UNSUPPORTED)


NAMES = [
    "id",
    "version",
    "issueDate",
    "nextUpdate",
    "fmspc",
    "pceId",
    "tcbType",
    "tcbEvaluationDataNumber",
    "tdxModule",
    "mrsigner",
    "attributes",
    "attributesMask",
    "tcbLevels",
    "tcb",
    "sgxtcbcomponents",
    "pcesvn",
    "tdxtcbcomponents",
    "svn",
    "isvsvn",
    "tcbDate",
    "tcbStatus",
]


@pytest.mark.parametrize("name", NAMES)
def test_ac_040_every_name_is_needed(name: str) -> None:
    # Renamed, a name is both missing and unknown; that it misses is said first.
    refused(changed(f'"{name}":', '"x":'), f"expected {name}, got none")


@pytest.mark.parametrize("name", [*NAMES, "category", "type", "tdxModuleIdentities", "advisoryIDs"])
@pytest.mark.parametrize(
    "wrong", ["null", "true", "1.0", "-1", "[]", "{}", '""', "[[]]", "[{}]", '"x"', "1e400", "[null]"]
)
def test_ac_040_ac_053_a_value_of_another_type_is_refused(name: str, wrong: str) -> None:
    start = BODY.index(f'"{name}":'.encode()) + len(name) + 3
    depth, end = 0, start
    while depth or BODY[end : end + 1] not in (b",", b"}", b"]"):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(BODY[end : end + 1], 0)
        end += 1
    body = BODY[:start] + wrong.encode() + BODY[end:]
    if name in ("category", "type") and wrong == '"x"':
        assert read_tcb_info(body).levels[0].sgx_labels != HIGH.sgx_labels
        return
    with pytest.raises(Malformed):
        read_tcb_info(body)


@pytest.mark.parametrize("name", ["sgxtcbcomponents", "tdxtcbcomponents"])
def test_ac_040_there_are_16_components(name: str) -> None:
    refused(changed(f'"{name}":[', f'"{name}":[{{"svn":0}},'), f"{name}: expected 16 components, got 17")
    first = BODY.index(b"{", BODY.index(name.encode()))
    shorter = BODY[:first] + BODY[BODY.index(b"{", first + 1) :]
    refused(shorter, f"{name}: expected 16 components, got 15")


@pytest.mark.parametrize("wrong", ["256", "-1", "1.0", '"5"', "true", "null", "1e1", "[]"])
def test_ac_040_an_svn_is_a_byte(wrong: str) -> None:
    for start, svn, end in (('{"svn":', "5", ","), ('{"svn":', "0", "}")):
        assert read_tcb_info(changed(start + svn + end, start + "255" + end))
        refused(changed(start + svn + end, start + wrong + end), "component")


def test_ac_040_a_truth_value_is_not_1_even_where_1_was_read_before() -> None:
    one = changed('{"svn":0}', '{"svn":1}')
    assert read_tcb_info(one)
    for wrong in ("true", "1.0"):
        refused(changed('{"svn":0}', f'{{"svn":{wrong}}}'), "component, svn: expected an integer")


@pytest.mark.parametrize(("name", "highest"), [("pcesvn", 65535), ("isvsvn", 255)])
def test_ac_040_other_svns_stay_in_their_range(name: str, highest: int) -> None:
    right = {"pcesvn": '"pcesvn":13', "isvsvn": '"isvsvn":6'}[name]
    assert read_tcb_info(changed(right, f'"{name}":{highest}'))
    refused(changed(right, f'"{name}":{highest + 1}'), f"{name}: expected 0 to {highest}")


@pytest.mark.parametrize("name", ["fmspc", "pceId", "mrsigner", "attributes", "attributesMask"])
def test_hexadecimal_has_one_length(name: str) -> None:
    refused(changed(f'"{name}":"', f'"{name}":"00'), f"{name}: expected")
    refused(changed(f'"{name}":"', f'"{name}":"0'), f"{name}: expected")


def test_ac_049_the_next_update_comes_after_the_issue() -> None:
    for later in (ISSUED, ISSUED - timedelta(seconds=1)):
        refused(build_tcb_info(replace(INFO, next_update=later)), "expected nextUpdate after issueDate")


@pytest.mark.parametrize("status", list(TcbStatus))
def test_ac_041_a_status_is_one_of_those_that_its_level_can_have(status: TcbStatus) -> None:
    platform = build_tcb_info(replace(INFO, levels=(replace(HIGH, status=status), LOW)))
    if status in PLATFORM_STATUSES:
        assert read_tcb_info(platform).levels[0].status is status
    else:
        refused(platform, "tcbStatus: expected one of", Category.TCB)
    levels = (replace(MODULE_LEVELS[0], status=status),)
    module = build_tcb_info(replace(INFO, module_identities=(replace(INFO.module_identities[0], levels=levels),)))
    if status in PART_STATUSES:
        assert read_tcb_info(module).module_identities[0].levels == levels
    else:
        refused(module, "TDX_03, tcbLevels, tcbStatus: expected one of", Category.TCB)


@pytest.mark.parametrize("status", ["uptodate", "UPTODATE", "UpToDate ", "Trusted"])
def test_ac_041_an_unknown_status_is_refused(status: str) -> None:
    refused(changed('"UpToDate"', f'"{status}"'), "tcbStatus: expected one of", Category.TCB)


def test_ac_053_a_name_that_stands_twice_is_refused_wherever_it_stands() -> None:
    for name, again in (
        ("version", '"version":3,'),
        ("fmspc", '"fmspc":"90c06f000000",'),
        ("mrsigner", f'"mrsigner":"{bytes(48).hex()}",'),
        ("svn", '"svn":3,'),
        ("pcesvn", '"pcesvn":13,'),
        ("isvsvn", '"isvsvn":6,'),
        ("tcbStatus", '"tcbStatus":"UpToDate",'),
    ):
        refused(changed(f'"{name}":', f'{again}"{name}":'), "each name once, got one twice")


def test_ac_108_lists_have_limits() -> None:
    many = tuple(replace(HIGH, pcesvn=number) for number in range(129))
    assert len(read_tcb_info(build_tcb_info(replace(INFO, levels=many[:40]))).levels) == 40
    advisories = tuple(f"INTEL-SA-{number:05}" for number in range(257))
    longest = replace(INFO, levels=(replace(HIGH, advisories=advisories[:256]),))
    assert read_tcb_info(build_tcb_info(longest)) == longest
    modules = tuple(ModuleIdentity(version=n, module=MODULE, levels=MODULE_LEVELS) for n in range(17))
    assert len(read_tcb_info(build_tcb_info(replace(INFO, module_identities=modules[:16]))).module_identities) == 16
    for info in (
        replace(INFO, levels=many),
        replace(INFO, levels=(replace(HIGH, advisories=advisories),)),
        replace(INFO, module_identities=modules),
    ):
        refused(build_tcb_info(info), "expected|at most", Category.SIZE_LIMIT)


def test_tcb_info_cut_short_is_refused_at_every_length() -> None:
    for size in range(len(BODY)):
        with pytest.raises(Malformed):
            read_tcb_info(BODY[:size])


def test_labels_may_be_others_or_none() -> None:
    bare = replace(HIGH, sgx_labels=((None, None),) * 16, tdx_labels=(("x", "y"),) + ((None, None),) * 15)
    info = replace(INFO, levels=(bare,))
    assert read_tcb_info(build_tcb_info(info)) == info
    refused(changed('"category":"BIOS"', '"category":"BI\\u001bOS"'), "printable ASCII")


@given(st.binary(max_size=100))
def test_any_bytes_give_tcb_info_or_malformed(data: bytes) -> None:
    with suppress(Malformed):
        read_tcb_info(data)


@given(at=st.integers(0, len(BODY) - 1), value=st.binary(max_size=3), size=st.integers(0, 3))
def test_any_change_gives_tcb_info_or_malformed(at: int, value: bytes, size: int) -> None:
    with suppress(Malformed):
        read_tcb_info(BODY[:at] + value + BODY[at + size :])


def test_every_recorded_tcb_info_is_read_and_written_again_exactly(recorded: Path) -> None:
    responses = sorted(recorded.glob("tdx/collateral/tcb/*.json"))
    responses += sorted(recorded.glob("tdx/pcs_responses/**/*tcb[Ii]nfo_response*"))
    assert responses
    for path in responses:
        data = path.read_bytes()
        signed = read_signed(data, tcb_info.NAME)
        info = read_tcb_info(signed.body)
        upper = b'"fmspc":"%s"' % info.fmspc.hex().upper().encode() in signed.body
        assert build_tcb_info(info, fmspc_in_upper_case=upper) == signed.body, path.name
        assert build_signed(tcb_info.NAME, signed) == data.rstrip(b"\n")
        assert sorted(info.levels, key=rank_of, reverse=True) == list(info.levels)
        assert info.next_update - info.issue_date == timedelta(days=30)


def test_intels_synthetic_tcb_info_has_svns_that_no_byte_holds(recorded: Path) -> None:
    data = (recorded / "tdx" / "bad" / "intel-qvl-synthetic-tdx" / "tcbInfo.json").read_bytes()
    refused(read_signed(data, tcb_info.NAME).body, "component, svn: expected 0 to 255")
