"""A TD's registers in sysfs are read and extended as the kernel lets them be, and the next quote shows it."""

import errno
import os

import pytest
from tests.simulator.devices.asking import DATA, tdreport
from tests.simulator.devices.conftest import Serving

from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tdx.tdreport import read_tdreport
from cvmproof_simulator.devices.interfaces import REPORT_FOLDER
from cvmproof_simulator.machines.tdx import read_tdx

FOLDER = "/sys/devices/virtual/misc/tdx_guest/measurements"
DIGEST = bytes(range(48))


def test_registers_have_the_kernels_names_and_the_td_s_values(serving: Serving) -> None:
    folder = serving(machine=f"tdx,mr_owner={'ab' * 48}").path(FOLDER)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    td = read_tdx([]).td
    rtmrs = {f"rtmr{number}:sha384": value for number, value in enumerate(td.rtmrs)}
    fixed = {"mrconfigid": bytes(48), "mrowner": b"\xab" * 48, "mrownerconfig": bytes(48), "mrtd:sha384": td.mr_td}
    assert found == fixed | rtmrs


@pytest.mark.parametrize("rtmr", range(4))
def test_48_bytes_extend_a_register_in_everything_that_shows_it(serving: Serving, rtmr: int) -> None:
    devices = serving(machine="tdx")
    register = devices.path(FOLDER) / f"rtmr{rtmr}:sha384"
    register.write_bytes(DIGEST)
    expected = read_tdx([]).td.extend(rtmr, DIGEST).rtmrs[rtmr]
    entry = devices.path(REPORT_FOLDER) / "entry"
    entry.mkdir()
    (entry / "inblob").write_bytes(DATA)
    quoted = read_quote((entry / "outblob").read_bytes()).body
    reported = read_tdreport(tdreport(devices.path("/dev/tdx_guest"))[1]).td_info
    found = [register.read_bytes(), getattr(quoted, f"rtmr{rtmr}"), getattr(reported, f"rtmr{rtmr}")]
    assert found == [expected] * 3
    assert devices.calls()["rtmr.extend"] == 1


@pytest.mark.parametrize(("data", "offset"), [(DIGEST[:47], 0), (DIGEST + b"\0", 0), (DIGEST, 1)])
def test_nothing_else_does(serving: Serving, data: bytes, offset: int) -> None:
    devices = serving(machine="tdx")
    before = devices.rtmr(2)
    descriptor = os.open(devices.path(FOLDER) / "rtmr2:sha384", os.O_WRONLY)
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        os.pwrite(descriptor, data, offset)
    os.close(descriptor)
    assert devices.rtmr(2) == before


def test_what_is_fixed_can_not_be_written(serving: Serving) -> None:
    with pytest.raises(PermissionError):
        (serving(machine="tdx").path(FOLDER) / "mrowner").open("r+b")


def test_writing_fails_or_gets_lost_on_request(serving: Serving) -> None:
    devices = serving(machine="tdx", faults=["rtmr-errno=EBUSY*1"])
    register, before = devices.path(FOLDER) / "rtmr3:sha384", devices.rtmr(3)
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        register.write_bytes(DIGEST)
    devices.fault("rtmr-lost*1")
    register.write_bytes(DIGEST)
    assert devices.rtmr(3) == before
    register.write_bytes(DIGEST)
    assert devices.rtmr(3) != before
