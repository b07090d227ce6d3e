"""QE identity: exactly version 2 of the TD quoting enclave, or Malformed; recorded ones come back byte for byte."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx import qe_identity
from cvmproof_formats.tdx.qe_identity import QeIdentity, build_qe_identity, read_qe_identity
from cvmproof_formats.tdx.signed_json import build_signed, read_signed
from cvmproof_formats.tdx.tcb_level import SvnLevel
from cvmproof_formats.tdx.tcb_status import PART_STATUSES, TcbStatus

ISSUED = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEVELS = (
    SvnLevel(isvsvn=6, tcb_date=datetime(2025, 5, 14, tzinfo=UTC), status=TcbStatus.UP_TO_DATE),
    SvnLevel(
        isvsvn=4,
        tcb_date=datetime(2024, 3, 13, tzinfo=UTC),
        status=TcbStatus.OUT_OF_DATE,
        advisories=("INTEL-SA-00837",),
    ),
)
IDENTITY = QeIdentity(
    issue_date=ISSUED,
    next_update=ISSUED + timedelta(days=30),
    evaluation_number=19,
    miscselect=b"\1\2\3\4",
    miscselect_mask=b"\xff" * 4,
    attributes=b"\x11" + bytes(15),
    attributes_mask=b"\xfb" + b"\xff" * 7 + bytes(8),
    mrsigner=bytes(range(32)),
    isvprodid=2,
    levels=LEVELS,
)
BODY = build_qe_identity(IDENTITY)
NAMES = [
    "id",
    "version",
    "issueDate",
    "nextUpdate",
    "tcbEvaluationDataNumber",
    "miscselect",
    "miscselectMask",
    "attributes",
    "attributesMask",
    "mrsigner",
    "isvprodid",
    "tcbLevels",
    "tcb",
    "isvsvn",
    "tcbDate",
    "tcbStatus",
]


def changed(old: str, new: str) -> bytes:
    assert old.encode() in BODY
    return BODY.replace(old.encode(), new.encode(), 1)


def refused(body: bytes, match: str, category: Category = Category.MALFORMED) -> None:
    with pytest.raises(Malformed, match=match) as caught:
        read_qe_identity(body)
    assert caught.value.category is category


def test_what_is_written_is_read_back() -> None:
    assert read_qe_identity(BODY) == IDENTITY


@pytest.mark.parametrize("name", ["QE", "QVE", "QAE", "td_qe", "TD_QE2"])
def test_ac_037_the_identity_of_another_enclave_is_not_of_the_td_quoting_enclave(name: str) -> None:
    refused(changed("TD_QE", name), f"id: expected 'TD_QE', got '{name}'", Category.COLLATERAL_MISMATCH)


@pytest.mark.parametrize("version", [0, 1, 3])
def test_another_version_is_not_supported(version: int) -> None:
    refused(changed('"version":2', f'"version":{version}'), "version: expected 2", Category.UNSUPPORTED)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_needed_once_and_there_are_no_others(name: str) -> None:
    refused(changed(f'"{name}":', '"x":'), f"expected {name}, got none")
    refused(
        changed(f'"{name}":', f'"{name}":0,"{name}":') if name not in ("id", "version") else BODY[:-1], "twice|JSON"
    )
    refused(changed(f'"{name}":', f'"newName":0,"{name}":'), "'newName' is not known here", Category.UNSUPPORTED)


@pytest.mark.parametrize("name", ["miscselect", "miscselectMask", "attributes", "attributesMask", "mrsigner"])
def test_hexadecimal_has_one_length(name: str) -> None:
    refused(changed(f'"{name}":"', f'"{name}":"00'), f"{name}: expected")
    refused(changed(f'"{name}":"', f'"{name}":"zz'), f"{name}: expected")


@pytest.mark.parametrize(("right", "highest"), [('"isvprodid":2', 65535), ('"isvsvn":6', 65535)])
@pytest.mark.parametrize("wrong", ["-1", "1.0", '"1"', "true", "null", "65536"])
def test_ac_040_a_number_stays_in_its_range(right: str, highest: int, wrong: str) -> None:
    name = right.partition(":")[0]
    assert read_qe_identity(changed(right, f"{name}:{highest}"))
    refused(changed(right, f"{name}:{wrong}"), "isv")


@pytest.mark.parametrize("status", list(TcbStatus))
def test_ac_041_a_status_is_one_of_three(status: TcbStatus) -> None:
    body = build_qe_identity(replace(IDENTITY, levels=(replace(LEVELS[0], status=status),)))
    if status in PART_STATUSES:
        assert read_qe_identity(body).levels[0].status is status
    else:
        refused(body, "QE tcbLevels, tcbStatus: expected one of OutOfDate, Revoked, UpToDate", Category.TCB)


def test_two_levels_with_one_number_are_refused() -> None:
    refused(build_qe_identity(replace(IDENTITY, levels=(LEVELS[0],) * 2)), "expected entries that differ")
    refused(build_qe_identity(replace(IDENTITY, levels=())), "expected 1 to 128 entries, got 0")


def test_an_identity_cut_short_is_refused_at_every_length() -> None:
    for size in range(len(BODY)):
        with pytest.raises(Malformed):
            read_qe_identity(BODY[:size])


@given(at=st.integers(0, len(BODY) - 1), value=st.binary(max_size=3), size=st.integers(0, 3))
def test_any_change_gives_an_identity_or_malformed(at: int, value: bytes, size: int) -> None:
    with suppress(Malformed):
        read_qe_identity(BODY[:at] + value + BODY[at + size :])


def test_every_recorded_identity_is_read_and_written_again_exactly(recorded: Path) -> None:
    responses = sorted(recorded.glob("tdx/collateral/qe/*.json"))
    responses += sorted(recorded.glob("tdx/pcs_responses/**/*qeIdentity_response"))
    assert responses
    for path in responses:
        data = path.read_bytes()
        signed = read_signed(data, qe_identity.NAME)
        assert build_qe_identity(read_qe_identity(signed.body)) == signed.body, path.name
        assert build_signed(qe_identity.NAME, signed) == data.rstrip(b"\n")


def test_intels_synthetic_identity_is_read_too(recorded: Path) -> None:
    data = (recorded / "tdx" / "bad" / "intel-qvl-synthetic-tdx" / "qeIdentity.json").read_bytes()
    got = read_qe_identity(read_signed(data, qe_identity.NAME).body)
    assert (got.isvprodid, got.levels[0].isvsvn, got.miscselect.hex()) == (29854, 12677, "13373b09")
