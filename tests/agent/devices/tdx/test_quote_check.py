"""AC-122: a quote counts only if it says of this TD what its own TDREPORT says."""

from dataclasses import replace

import pytest

from cvmproof_agent.devices.tdx.quote_check import require_quote_of, require_tdreport
from cvmproof_formats.errors import DeviceError
from cvmproof_simulator.tdx.td import SoftwareTd

DATA = bytes(range(64))
TD = SoftwareTd()
REPORT = TD.tdreport(DATA)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("padding", [0, 3000])
def test_a_quote_of_this_td_passes(version: int, padding: int) -> None:
    found = require_tdreport(REPORT, DATA, source="x")
    require_quote_of(found, TD.quote(DATA, version=version) + bytes(padding), source="x")


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (TD.extend(3, bytes(48)), "differs in rtmr3"),
        (replace(TD, mr_td=b"\1" * 48), "differs in mr_td"),
        (replace(TD, mr_owner=b"\1" * 48), "differs in mr_owner"),
        (replace(TD, mr_config_id=b"\1" * 48, xfam=3), "differs in xfam, mr_config_id"),
        (replace(TD, td_attributes=1), "differs in td_attributes"),
    ],
)
def test_ac_122_a_quote_of_another_td_is_refused(other: SoftwareTd, differs: str) -> None:
    found = require_tdreport(REPORT, DATA, source="x")
    with pytest.raises(DeviceError, match=f"expected a quote of this TD, got one that {differs}"):
        require_quote_of(found, other.quote(DATA), source="x")


def test_ac_122_a_quote_over_other_data_is_refused() -> None:
    found = require_tdreport(REPORT, DATA, source="x")
    with pytest.raises(DeviceError, match="expected a quote over the REPORTDATA"):
        require_quote_of(found, TD.quote(bytes(64)), source="x")


@pytest.mark.parametrize("cut", [0, 1, 47, 600, 4000])
def test_ac_122_a_truncated_quote_is_refused(cut: int) -> None:
    found = require_tdreport(REPORT, DATA, source="x")
    with pytest.raises(DeviceError, match="is no quote"):
        require_quote_of(found, TD.quote(DATA)[:cut], source="x")


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (REPORT[:-1], "is no TDREPORT"),
        (bytes(1024), "is no TDREPORT"),
        (b"", "is no TDREPORT"),
        (TD.tdreport(bytes(64)), "expected a TDREPORT over the REPORTDATA"),
    ],
)
def test_ac_122_another_tdreport_is_refused(report: bytes, why: str) -> None:
    with pytest.raises(DeviceError, match=why):
        require_tdreport(report, DATA, source="x")
