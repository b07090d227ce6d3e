"""The page of verdicts is what the recorded rows give, and no difference is without its reason."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.verifier.tdx.recorded import Row, rows
from tests.verifier.tdx.verdicts import PAGE, beside_dcap_qvl, beside_go_tdx_guest, ours, page

from cvmproof_formats.tdx.tcb_status import TcbStatus


def test_every_difference_to_others_has_its_reason(recorded: Path) -> None:
    for row in rows(recorded):
        status = ours(recorded, row)
        assert beside_dcap_qvl(row, status)
        assert beside_go_tdx_guest(row, status)


def test_a_difference_without_a_known_reason_is_an_error(recorded: Path) -> None:
    row: Row = next(row for row in rows(recorded) if row.status == TcbStatus.UP_TO_DATE)
    for theirs in ("OutOfDate", "ERR: Verification failed: something new"):
        with pytest.raises(KeyError):
            beside_dcap_qvl(replace(row, dcap_qvl=theirs), row.status)
    with pytest.raises(KeyError):
        beside_go_tdx_guest(replace(row, go_tdx_guest="ERR something new"), row.status)


def test_the_page_is_about_these_rows(recorded: Path) -> None:
    written = PAGE.read_text("utf-8")
    if f"\n{len(rows(recorded))} rows. In" not in written:
        pytest.skip("the page is about another collection of rows than the one beside this checkout")
    assert written == page(recorded), "write it anew: python -m tests.verifier.tdx.verdicts"
