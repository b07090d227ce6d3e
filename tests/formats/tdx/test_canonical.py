"""Signed JSON read at once: as the strict reader reads it, or not at all."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from tests.formats.at_once import agree, changes, outcome, taken

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx import canonical, qe_identity, tcb_info
from cvmproof_formats.tdx.authority import MAXIMUM_RESPONSE
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tdx.tcb_level import MAXIMUM_ADVISORIES, MAXIMUM_LEVELS
from cvmproof_formats.tdx.tcb_status import PLATFORM_STATUSES, TcbStatus
from cvmproof_simulator.tdx.collateral import simulated_qe_identity, simulated_tcb_info

ISSUED = datetime(2026, 11, 1, tzinfo=UTC)
INFO = simulated_tcb_info(ISSUED)
IDENTITY = simulated_qe_identity(ISSUED)
BODY, IDENTITY_BODY = tcb_info.build_tcb_info(INFO), qe_identity.build_qe_identity(IDENTITY)

Reader = Callable[[bytes], object]
INFO_READERS: tuple[Reader, Reader] = tcb_info._read_at_once, tcb_info._read_by_member
IDENTITY_READERS: tuple[Reader, Reader] = qe_identity._read_at_once, qe_identity._read_by_member

AS_INTEL_WRITES = {
    "as it is": BODY,
    "FMSPC in upper case": tcb_info.build_tcb_info(replace(INFO, fmspc=b"\xab" * 6), fmspc_in_upper_case=True),
    "no identities of modules": tcb_info.build_tcb_info(replace(INFO, module_identities=())),
    "one level": tcb_info.build_tcb_info(replace(INFO, levels=INFO.levels[:1])),
    "levels in another order": tcb_info.build_tcb_info(replace(INFO, levels=INFO.levels[::-1])),
    "no advisories": tcb_info.build_tcb_info(
        replace(INFO, levels=tuple(replace(level, advisories=()) for level in INFO.levels))
    ),
    "the highest numbers": tcb_info.build_tcb_info(
        replace(
            INFO,
            evaluation_number=0xFFFFFFFF,
            levels=(replace(INFO.levels[0], sgx=b"\xff" * 16, tdx=b"\xff" * 16, pcesvn=0xFFFF),),
        )
    ),
    "as many levels as may be": tcb_info.build_tcb_info(
        replace(INFO, levels=tuple(replace(INFO.levels[0], pcesvn=number) for number in range(MAXIMUM_LEVELS)))
    ),
    "as many advisories as may be": tcb_info.build_tcb_info(
        replace(INFO, levels=(replace(INFO.levels[0], advisories=("A" * 64,) * MAXIMUM_ADVISORIES),))
    ),
}
# What is not as Intel writes it: some of it the strict reader takes, most of it nobody does.
REWRITTEN: dict[str, tuple[bytes, bytes]] = {
    "a space": (b'"version":3', b'"version": 3'),
    "another order": (b'"id":"TDX","version":3', b'"version":3,"id":"TDX"'),
    "a name twice": (b'"id":"TDX",', b'"id":"TDX","id":"TDX",'),
    "another name": (b'"tcbType":0', b'"tcbType":0,"new":1'),
    "an escape": (b'"UpToDate"', b'"UpT\\u006fDate"'),
    "an SVN of 256": (b'"svn":4', b'"svn":256'),
    "an SVN with a zero in front": (b'"svn":4', b'"svn":04'),
    "an SVN with a sign": (b'"svn":4', b'"svn":-4'),
    "an SVN with a fraction": (b'"svn":4', b'"svn":4.0'),
    "another label": (b'"BIOS"', b'"BIO"'),
    "labels in another order": (b'"category":"OS/VMM","type":"TXT SINIT"', b'"type":"TXT SINIT","category":"OS/VMM"'),
    "a PCESVN of 65536": (b'"pcesvn":13', b'"pcesvn":65536'),
    "an evaluation number of 2^32": (b'"tcbEvaluationDataNumber":20', b'"tcbEvaluationDataNumber":4294967296'),
    "a status that is not one": (b'"tcbStatus":"UpToDate"', b'"tcbStatus":"Uptodate"'),
    "a status of results": (b'"tcbStatus":"UpToDate"', b'"tcbStatus":"TDRelaunchAdvised"'),
    "a platform's status of a module": (
        b'"isvsvn":7},"tcbDate":"2026-08-12T00:00:00Z","tcbStatus":"UpToDate"',
        b'"isvsvn":7},"tcbDate":"2026-08-12T00:00:00Z","tcbStatus":"SWHardeningNeeded"',
    ),
    "a module twice": (b'"id":"TDX_03"', b'"id":"TDX_01"'),
    "a module of no number": (b'"id":"TDX_03"', b'"id":"TDX_0g"'),
    "a module's SVN twice": (b'"isvsvn":5}', b'"isvsvn":7}'),
    "a module's SVN of 256": (b'"isvsvn":7}', b'"isvsvn":256}'),
    "February 30": (b'"issueDate":"2026-11-01', b'"issueDate":"2026-02-30'),
    "hour 24": (b'"issueDate":"2026-11-01T00', b'"issueDate":"2026-11-01T24'),
    "the year 1999": (b'"issueDate":"2026-11-01', b'"issueDate":"1999-11-01'),
    "issued after its end": (b'"issueDate":"2026-11-01', b'"issueDate":"2027-11-01'),
    "a level's date of February 30": (b'"tcbDate":"2026-08-12', b'"tcbDate":"2026-02-30'),
    "a long advisory": (b'"advisoryIDs":["', b'"advisoryIDs":["' + b"A" * 60),
    "no advisories in a list": (b'"advisoryIDs":["SIMULATED-SA-00010"]', b'"advisoryIDs":[]'),
    "another id": (b'"id":"TDX",', b'"id":"SGX",'),
    "another version": (b'"version":3', b'"version":4'),
    "another way to compare": (b'"tcbType":0', b'"tcbType":1'),
    "a short FMSPC": (b'"fmspc":"', b'"fmspc":"0'),
    "something behind it": (b"]}]}", b"]}]} "),
    "a letter beyond ASCII": (b'"SIMULATED-SA', '"SIMULATED\u00e9SA'.encode()),
    "a comma at the end of a list": (b"]}],", b"]},],"),
}


@pytest.mark.parametrize("name", AS_INTEL_WRITES)
def test_tcb_info_as_intel_writes_it_is_read_at_once_and_as_the_strict_reader_does(name: str) -> None:
    assert agree(*INFO_READERS, AS_INTEL_WRITES[name])


@pytest.mark.parametrize("name", REWRITTEN)
def test_unusual_tcb_info_is_left_to_the_strict_reader(name: str) -> None:
    old, new = REWRITTEN[name]
    assert old in BODY
    for body in (BODY.replace(old, new), BODY.replace(old, new, 1)):
        assert taken(tcb_info._read_at_once, body) is None
        assert outcome(tcb_info.read_tcb_info, body) == outcome(tcb_info._read_by_member, body)


def test_a_level_twice_is_left_to_the_strict_reader() -> None:
    body = tcb_info.build_tcb_info(replace(INFO, levels=(*INFO.levels, INFO.levels[0])))
    assert taken(tcb_info._read_at_once, body) is None
    with pytest.raises(Malformed, match="got two of the same"):
        tcb_info.read_tcb_info(body)


@pytest.mark.parametrize(
    "levels",
    [
        (),
        tuple(replace(INFO.levels[0], pcesvn=number) for number in range(MAXIMUM_LEVELS + 1)),
        (replace(INFO.levels[0], advisories=("A",) * (MAXIMUM_ADVISORIES + 1)),),
    ],
    ids=["none", "too many", "too many advisories"],
)
def test_bounds_of_lists_are_those_of_the_strict_reader(levels: tuple[tcb_info.PlatformLevel, ...]) -> None:
    body = tcb_info.build_tcb_info(replace(INFO, levels=levels))
    assert taken(tcb_info._read_at_once, body) is None
    with pytest.raises(Malformed, match="expected 1 to"):
        tcb_info.read_tcb_info(body)


def test_too_many_modules_are_left_to_the_strict_reader() -> None:
    modules = tuple(replace(INFO.module_identities[0], version=number) for number in range(17))
    assert agree(*INFO_READERS, tcb_info.build_tcb_info(replace(INFO, module_identities=modules[:16])))
    assert taken(tcb_info._read_at_once, tcb_info.build_tcb_info(replace(INFO, module_identities=modules))) is None


def test_no_change_of_tcb_info_is_taken_at_once_that_the_strict_reader_refuses_or_reads_otherwise() -> None:
    body = tcb_info.build_tcb_info(replace(INFO, levels=INFO.levels[:2], module_identities=INFO.module_identities[:1]))
    assert sum(agree(*INFO_READERS, changed) for changed in changes(body)) > 100  # other digits are still TCB info


def test_no_change_of_a_qe_identity_is_taken_at_once_that_the_strict_reader_refuses_or_reads_otherwise() -> None:
    assert agree(*IDENTITY_READERS, IDENTITY_BODY)
    assert sum(agree(*IDENTITY_READERS, changed) for changed in changes(IDENTITY_BODY)) > 100


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"id":"TD_QE"', b'"id":"QE"'),
        (b'"version":2', b'"version":3'),
        (b'"isvprodid":', b'"isvprodid":6999'),
        (b'"isvsvn":', b'"isvsvn":6999'),
        (b'"isvsvn":', b'"isvsvn":0'),
        (b'"miscselect":"', b'"miscselect":"00'),
        (b'"issueDate":"2026-11-01', b'"issueDate":"2026-11-31'),
        (b'"issueDate":"2026', b'"issueDate":"2027'),
        (b'"tcbStatus":"UpToDate"', b'"tcbStatus":"SWHardeningNeeded"'),
        (b'"tcbEvaluationDataNumber":', b'"tcbEvaluationDataNumber":99999999'),
    ],
)
def test_an_unusual_qe_identity_is_left_to_the_strict_reader(old: bytes, new: bytes) -> None:
    assert old in IDENTITY_BODY
    body = IDENTITY_BODY.replace(old, new)
    assert taken(qe_identity._read_at_once, body) is None
    assert outcome(qe_identity.read_qe_identity, body) == outcome(qe_identity._read_by_member, body)


def test_what_is_too_large_is_not_looked_at() -> None:
    with pytest.raises(canonical.Unusual):
        canonical.text_of(b" " * (MAXIMUM_RESPONSE + 1))
    assert canonical.text_of(b" " * MAXIMUM_RESPONSE) == " " * MAXIMUM_RESPONSE
    with pytest.raises(Malformed, match="expected at most 262144 bytes"):
        tcb_info.read_tcb_info(BODY + b" " * MAXIMUM_RESPONSE)


def test_times_are_those_of_the_strict_reader() -> None:
    found = tcb_info.read_tcb_info(BODY)
    assert (found.issue_date, found.issue_date.tzinfo) == (ISSUED, UTC)
    assert found.next_update - found.issue_date == timedelta(days=30)


def test_a_moment_that_fits_exists_and_one_that_exists_fits_unless_it_is_a_february_29() -> None:
    moment = re.compile(canonical.MOMENT)
    for year, month, day in product(range(1999, 2101), range(14), range(33)):
        text = f"{year}-{month:02}-{day:02}"
        fits = moment.fullmatch(f'"{text}T00:00:00Z"') is not None
        assert fits is (2000 <= year < 2100 and exists(text) and (month, day) != (2, 29)), text


@pytest.mark.parametrize(("hour", "minute", "second"), [(23, 59, 59), (24, 0, 0), (0, 60, 0), (0, 0, 60), (12, 61, 5)])
def test_a_time_of_day_that_fits_exists(hour: int, minute: int, second: int) -> None:
    text = f"2026-11-01T{hour:02}:{minute:02}:{second:02}Z"
    assert (re.fullmatch(canonical.MOMENT, f'"{text}"') is not None) is (hour < 24 and minute < 60 and second < 60)


def exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("day", ["2028-02-29", "2027-02-29"])
def test_a_level_of_february_29_is_left_to_the_strict_reader(day: str) -> None:
    body = BODY.replace(b'"tcbDate":"2026-08-12', b'"tcbDate":"%s' % day.encode(), 1)
    assert taken(tcb_info._read_at_once, body) is None
    assert outcome(tcb_info.read_tcb_info, body) == outcome(tcb_info._read_by_member, body)
    assert isinstance(outcome(tcb_info.read_tcb_info, body), tuple)


@pytest.mark.parametrize("status", PLATFORM_STATUSES)
def test_every_status_of_a_platform_is_read_at_once(status: TcbStatus) -> None:
    levels = tuple(replace(level, status=status) for level in INFO.levels)
    found = tcb_info._read_at_once(tcb_info.build_tcb_info(replace(INFO, levels=levels)))
    assert [level.status for level in found.levels] == [status] * len(levels)


def test_everything_recorded_that_can_be_read_is_read_at_once(recorded: Path) -> None:
    folder, count = recorded / "tdx" / "collateral", 0
    kinds = (("tcb", tcb_info.NAME, INFO_READERS), ("qe", qe_identity.NAME, IDENTITY_READERS))
    for kind, name, (at_once, strict) in kinds:
        for path in (folder / kind).iterdir():
            body = read_signed(path.read_bytes(), name).body
            try:
                strict(body)
            except Malformed:
                assert taken(at_once, body) is None
                continue
            assert agree(at_once, strict, body), path.name
            count += 1
    assert count > 100
