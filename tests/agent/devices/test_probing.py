"""What this machine offers, interface by interface; where nothing is, nothing starts and nothing stands in."""

import errno
import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.agent.machine import FakeDevice

from cvmproof_agent import device as devices
from cvmproof_agent.device import Device, open_device
from cvmproof_agent.devices import probing
from cvmproof_agent.devices.probing import INTERFACES, open_auto, probe
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError


def refuse(name: str, number: int) -> Device:
    raise DeviceError(f"/dev/{name}: open: no", path=f"/dev/{name}", call="open", errno=number, hint=f"load {name}")


def offering(monkeypatch: pytest.MonkeyPatch, opening: Callable[[str], Device]) -> None:
    monkeypatch.setattr(probing, "open_hardware", opening)


@pytest.mark.parametrize("name", ["auto", *INTERFACES])
def test_ac_123_this_machine_has_none_and_each_says_why(name: str) -> None:
    with pytest.raises(DeviceError, match=r"No such file or directory \(ENOENT\)") as caught:
        open_device(name)
    assert caught.value.errno == errno.ENOENT
    assert "modprobe" in caught.value.hint


def test_ac_123_without_any_each_interface_is_named_with_its_path_and_the_fix() -> None:
    with pytest.raises(DeviceError, match="no confidential computing device") as caught:
        open_auto()
    for what in ("/sys/kernel/config/tsm/report: mkdir", "/dev/sev-guest: open", "/dev/tdx_guest: open"):
        assert what in str(caught.value)
    for what in ("mount -t configfs", "modprobe sev-guest", "modprobe tdx-guest", "convince nobody"):
        assert what in caught.value.hint


def test_ac_123_a_probe_of_this_machine_finds_nothing_usable() -> None:
    found = probe()
    assert tuple(probed.name for probed in found) == INTERFACES
    assert not any(probed.usable or probed.tee for probed in found)


@pytest.mark.parametrize("best", INTERFACES)
def test_the_first_interface_that_can_be_used_is_taken(monkeypatch: pytest.MonkeyPatch, best: str) -> None:
    made = FakeDevice()
    usable = INTERFACES[INTERFACES.index(best) :]
    offering(monkeypatch, lambda name: made if name in usable else refuse(name, errno.ENOENT))
    assert open_auto() is made
    assert not made.closed.is_set()


def test_a_probe_closes_what_it_opened_and_says_which_technology_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    made = FakeDevice(tee=Tee.TDX)
    offering(monkeypatch, lambda name: made if name == "tdx-guest" else refuse(name, errno.EACCES))
    *others, last = probe()
    assert (last.name, last.tee, last.usable, last.error) == ("tdx-guest", Tee.TDX, True, None)
    assert made.closed.is_set()
    assert made.asked == []
    assert [probed.error.errno for probed in others if probed.error] == [errno.EACCES, errno.EACCES]


def test_of_several_reasons_the_one_of_what_is_there_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    offering(monkeypatch, lambda name: refuse(name, errno.EACCES if name == "sev-guest" else errno.ENOENT))
    with pytest.raises(DeviceError) as caught:
        open_auto()
    assert (caught.value.path, caught.value.call, caught.value.errno) == ("/dev/sev-guest", "open", errno.EACCES)


@pytest.mark.parametrize(
    "setting",
    ["CVMPROOF_DEVICE=simulated:snp", "CVMPROOF_TSM_PATH=/tmp/tsm", "DCAP_TDX_QUOTE_CONFIGFS_PATH=/tmp", "TSM=/tmp"],
)
def test_ac_124_nothing_in_the_environment_names_another_path(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*setting.split("="))
    with pytest.raises(DeviceError, match="/sys/kernel/config/tsm/report: mkdir"):
        open_device("auto")


@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        ("sev-guest", (".tdx", "tsm")),
        ("tdx-guest", (".snp", "tsm")),
        ("configfs-tsm", (".snp", ".tdx")),
    ],
)
def test_a_guest_loads_what_its_own_interface_needs(name: str, unwanted: tuple[str, ...]) -> None:
    program = (
        "import sys, cvmproof_agent\n"
        f"try: cvmproof_agent.open_device({name!r})\n"
        "except cvmproof_agent.device.DeviceError: pass\n"
        "ours = [name for name in sys.modules if name.startswith('cvmproof_agent.devices')]\n"
        f"found = [name for name in ours if any(word in name for word in {unwanted})]\n"
        "assert not found, found\n"
        "assert 'cvmproof_agent.devices.node' in sys.modules or 'cvmproof_agent.devices.tsm_entry' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_every_interface_has_a_name_to_be_forced_by() -> None:
    assert {"auto", *INTERFACES} <= devices.HARDWARE.keys()
