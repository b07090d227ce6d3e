"""AC-122: what the device returned is held to what was asked of it, and is not sent otherwise."""

from collections.abc import Callable

import pytest
from tests.agent.machine import Client, FakeDevice, serving

from cvmproof_agent import collect, open_device
from cvmproof_agent.device import Device
from cvmproof_agent.report_check import require_what_was_asked
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, DeviceError
from cvmproof_formats.snp.report import HOST_REQUESTED

DATA = bytes(range(64))


def report(options: str = "") -> bytes:
    return open_device(f"simulated:snp{options}").report(DATA)


def test_the_report_asked_for_passes() -> None:
    require_what_was_asked(FakeDevice(), report(), DATA)


@pytest.mark.parametrize("vmpl", range(4))
def test_any_level_of_the_guest_passes_where_the_device_knows_none(vmpl: int) -> None:
    require_what_was_asked(FakeDevice(vmpl=None), report(f",vmpl={vmpl}"), DATA)


@pytest.mark.parametrize(
    ("device", "got", "why"),
    [
        (FakeDevice(), report()[:-1], "is no report"),
        (FakeDevice(), report() + b"\0", "is no report"),
        (FakeDevice(), b"", "is no report"),
        (FakeDevice(), b"\x09" + report()[1:], "is no report.*version"),
        (FakeDevice(), report(",vmpl=1"), "expected a report of VMPL 0, got 1"),
        (FakeDevice(vmpl=None), report(f",vmpl={HOST_REQUESTED}"), "VMPL 0 or 1 or 2 or 3, got 4294967295"),
        (FakeDevice(tee=Tee.TDX), report(), "tdx are not understood"),
    ],
)
def test_ac_122_another_report_is_refused(device: Device, got: bytes, why: str) -> None:
    with pytest.raises(DeviceError, match=why) as caught:
        require_what_was_asked(device, got, DATA)
    assert caught.value.category is Category.UNAVAILABLE


@pytest.mark.parametrize("position", [0, 31, 32, 63])
def test_ac_122_a_report_over_other_data_is_refused_wherever_it_differs(position: int) -> None:
    other = bytes(byte ^ (index == position) for index, byte in enumerate(DATA))
    with pytest.raises(DeviceError, match="expected the REPORT_DATA that was asked for"):
        require_what_was_asked(FakeDevice(), report(), other)


@pytest.mark.parametrize(
    "change", [lambda _: open_device("simulated:snp").report(bytes(64)), lambda got: got[:100], lambda _: b""]
)
def test_ac_122_such_a_report_never_leaves_the_agent(change: Callable[[bytes], bytes]) -> None:
    device = FakeDevice(change=change)
    with serving(device) as agent, Client(agent.address) as client:
        assert client.ask().refusal.category == "UNAVAILABLE"
    with pytest.raises(DeviceError):
        collect(device, nonce=bytes(32))
