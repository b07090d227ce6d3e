import hashlib
import hmac
import logging
from dataclasses import replace

import pytest

from cvmproof_formats.tdx.body import TdBody15
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.tdx.td_attributes import DEBUG, SEPT_VE_DISABLE
from cvmproof_formats.tdx.tdreport import read_tdreport
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn
from cvmproof_simulator.tdx.boot import EV_EVENT_TAG, event
from cvmproof_simulator.tdx.platform import SoftwarePlatform
from cvmproof_simulator.tdx.td import CCEL_SIZE, MODULE_SVNS, SIMULATED_MRTD, SoftwareModule, SoftwareTd

TD = SoftwareTd()
DATA = bytes(range(64))
DIGEST = hashlib.sha384(b"application").digest()


def test_an_ordinary_td() -> None:
    body = TD.body(DATA)
    assert body.mr_td == SIMULATED_MRTD
    assert body.td_attributes == SEPT_VE_DISABLE
    assert body.report_data == DATA
    assert body.tee_tcb_svn == body.tee_tcb_svn2
    assert str(TeeTcbSvn.read(body.tee_tcb_svn)) == "tdx1/svn13/late4"
    assert not any(body.mr_config_id + body.mr_owner + body.mr_owner_config + body.mr_service_td + body.mr_signer_seam)


# Policies of examples and of the demo may name these.
REGISTERS = {
    "mr_td": "3e3aaa35a1d6f80ebbfe98ea5bdb75044f4219c3f03835c7592888058bdef7aa135839d3e95dc9c8be189e253fd973cc",
    "rtmr0": "dc1d0d3ebe211de09e97b5fa24d49d53338039e3d366c319c0786efeab22d35406532577f1dee4f086e6d315aa3fbba2",
    "rtmr1": "24cab2a168d2dc502260aea7fc2ff36f7e38ef527c21cdbff51b5539e799bf2a36a7be1c109bdbf18666351cc169081d",
    "rtmr2": "c69458e83837741abdb9764419954cd0c4e64c87bfb166cc022831cddebdd74394160a526dd0e18980ae5fdf39dfa598",
    "rtmr3": "00" * 48,
}


def test_an_ordinary_tds_measurements_stay_what_they_are() -> None:
    body = TD.body(DATA)
    assert {name: getattr(body, name).hex() for name in REGISTERS} == REGISTERS


def test_the_same_quote_is_made_everywhere() -> None:
    digest = hashlib.sha256(TD.quote(bytes(64), version=5)).hexdigest()
    assert digest == "06f48c700eb78410e110156cb51b99f297b8d5f2cb30f759e1f4e9e652a0043f"


def test_the_log_replays_to_the_registers() -> None:
    td = TD.measure(event(3, EV_EVENT_TAG, b"application"))
    log = td.event_log()
    assert len(log) == CCEL_SIZE
    assert read_event_log(log).replay() == td.rtmrs == read_quote(td.quote(DATA)).body.rtmrs
    assert td.rtmrs[3] != TD.rtmrs[3]


def test_a_log_can_end_as_logs_do() -> None:
    bare = TD.event_log(size=0)
    for log in (bare, TD.event_log(filler=b"\0")):
        assert read_event_log(log).replay() == TD.rtmrs
    assert len(bare) < 2048


@pytest.mark.parametrize("rtmr", range(4))
def test_a_register_is_extended_without_an_event(rtmr: int) -> None:
    td = TD.extend(rtmr, DIGEST)
    expected = hashlib.sha384(TD.rtmrs[rtmr] + DIGEST).digest()
    assert td.rtmrs[rtmr] == expected
    assert [i for i in range(4) if td.rtmrs[i] != TD.rtmrs[i]] == [rtmr]
    assert td.event_log() == TD.event_log()
    assert td.extend(rtmr, DIGEST).rtmrs[rtmr] == hashlib.sha384(expected + DIGEST).digest()


@pytest.mark.parametrize(("rtmr", "digest"), [(4, DIGEST), (-1, DIGEST), (0, b"short")])
def test_what_can_not_be_extended_is_refused(rtmr: int, digest: bytes) -> None:
    with pytest.raises(ValueError, match="expected RTMR 0 to 3 and 48 bytes"):
        TD.extend(rtmr, digest)


def test_an_updated_module_shows_in_the_larger_body_only() -> None:
    old, new = SoftwareModule.rated(TcbStatus.OUT_OF_DATE), SoftwareModule()
    td = replace(TD, module=new, launched_by=old)
    got = read_quote(td.quote(DATA, version=5))
    assert (got.body.tee_tcb_svn, got.current_tee_tcb_svn) == (old.tee_tcb_svn, new.tee_tcb_svn)
    assert got.body.mr_seam == old.mr_seam != new.mr_seam
    assert read_quote(td.quote(DATA)).body.tee_tcb_svn == old.tee_tcb_svn


def test_a_module_of_each_version_and_status() -> None:
    for version, svns in MODULE_SVNS.items():
        for status, svn in svns.items():
            got = TeeTcbSvn.read(SoftwareModule.rated(status, version=version).tee_tcb_svn)
            assert (got.module_version, got.module_svn) == (version, svn)


def test_a_tdreport_says_what_the_quote_says() -> None:
    td = replace(TD, mr_service_td=b"\7" * 48, launched_by=SoftwareModule(svn=7))
    got, body = read_tdreport(td.tdreport(DATA)), read_quote(td.quote(DATA, version=5)).body
    assert isinstance(body, TdBody15)
    told = {name: getattr(got.td_info, name) for name, _ in type(got.td_info).fields()}
    told |= {name: getattr(got.tcb_info, name) for name, _ in type(got.tcb_info).fields() if name != "valid"}
    assert told == {name: getattr(body, name) for name, _ in TdBody15.fields() if name != "report_data"}
    assert got.mac.report_data == DATA
    assert got.tcb_info.current_tee_tcb_svn == body.tee_tcb_svn2
    assert got.mac.version == 1
    assert read_tdreport(TD.tdreport(DATA)).mac.version == 0


def test_a_tdreport_of_tdx_1_0_has_no_current_module() -> None:
    got = read_tdreport(replace(TD, module=SoftwareModule(version=0, svn=5)).tdreport(DATA))
    assert got.tcb_info.current_tee_tcb_svn is None


def test_a_field_of_a_tdreport_is_one_argument() -> None:
    assert read_tdreport(TD.tdreport(DATA, td_attributes=DEBUG)).td_info.td_attributes == DEBUG


def test_the_mac_is_the_machines() -> None:
    report = TD.tdreport(DATA)
    key = TD.platform.derive("report key", 32)
    assert read_tdreport(report).mac.mac == hmac.digest(key, report[:224], "sha256")
    assert SoftwareTd(platform=SoftwarePlatform(secret=b"x")).tdreport(DATA)[224:256] != report[224:256]


def test_it_says_that_it_is_simulated(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        TD.quote(DATA)
    assert "SIMULATED" in caplog.text
    assert "SIMULATED" in repr(TD)
