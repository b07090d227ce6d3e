"""AC-122: what the device returned is held to what was asked of it, and is not sent otherwise."""

from collections.abc import Callable

import pytest
from tests.agent.machine import SIMULATED, Client, FakeDevice, report_data, serving

from cvmproof_agent import collect, open_device
from cvmproof_agent.device import Device
from cvmproof_agent.report_check import what_was_asked
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, DeviceError
from cvmproof_formats.snp.report import HOST_REQUESTED
from cvmproof_formats.tdx.quote import QUOTE_LIMIT, read_quote
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges
from cvmproof_simulator.tdx.td import SoftwareTd

DATA = bytes(range(64))
TD = FakeDevice(tee=Tee.TDX, vmpl=None)


def report(options: str = "") -> bytes:
    return open_device(f"simulated:snp{options}").report(DATA)


def quote(version: int = 4, **changes: object) -> bytes:
    return SoftwareTd().quote(DATA, version=version, **QuoteChanges(**changes))  # type: ignore[typeddict-item]  # by name


def test_the_report_asked_for_passes() -> None:
    assert what_was_asked(FakeDevice(), report(), DATA) == report()


@pytest.mark.parametrize("version", [4, 5])
def test_the_quote_asked_for_passes(version: int) -> None:
    assert what_was_asked(TD, quote(version), DATA) == quote(version)


@pytest.mark.parametrize("size", [1, 3000])
def test_zeros_behind_a_quote_are_cut_off_and_nothing_else(size: int) -> None:
    assert what_was_asked(TD, quote() + bytes(size), DATA) == quote()
    with pytest.raises(DeviceError, match=r"is no quote.*expected zero bytes behind its end"):
        what_was_asked(TD, quote() + bytes(size) + b"\1", DATA)


@pytest.mark.parametrize("vmpl", range(4))
def test_any_level_of_the_guest_passes_where_the_device_knows_none(vmpl: int) -> None:
    assert what_was_asked(FakeDevice(vmpl=None), report(f",vmpl={vmpl}"), DATA)


@pytest.mark.parametrize(
    ("device", "got", "why"),
    [
        (FakeDevice(), report()[:-1], "is no report"),
        (FakeDevice(), report() + b"\0", "is no report"),
        (FakeDevice(), b"", "is no report"),
        (FakeDevice(), b"\x09" + report()[1:], "is no report.*version"),
        (FakeDevice(), report(",vmpl=1"), "expected a report of VMPL 0, got 1"),
        (FakeDevice(vmpl=None), report(f",vmpl={HOST_REQUESTED}"), "VMPL 0 or 1 or 2 or 3, got 4294967295"),
        (FakeDevice(), quote(), "is no report"),
        (TD, report(), "is no quote"),
        (TD, quote()[:-1], "is no quote"),
        (TD, b"", "is no quote"),
        (TD, bytes(8000), "is no quote.*version: expected 4 or 5, got 0"),
        (TD, b"\3" + quote()[1:], "is no quote.*version: expected 4 or 5, got 3"),
        (TD, quote(tee_type=0), "is no quote.*TEE type: expected 0x00000081 .TDX., got 0x00000000 .SGX."),
        (TD, quote(attestation_key_type=3), "is no quote.*attestation key type"),
        (TD, quote(qe_vendor_id=bytes(16)), "is no quote.*QE vendor id"),
        (TD, quote(5, body_type=1), "is no quote.*body type: expected 2 .* or 3"),
        (TD, quote(5, body_type=4), "is no quote.*body type: expected 2 .* or 3"),
        (TD, quote(5, body_size=584), "is no quote.*size of a body of type 3"),
        (TD, quote().ljust(QUOTE_LIMIT + 1, b"\0"), "is no quote.*65536"),
    ],
)
def test_ac_122_another_report_is_refused(device: Device, got: bytes, why: str) -> None:
    with pytest.raises(DeviceError, match=why) as caught:
        what_was_asked(device, got, DATA)
    assert caught.value.category is Category.UNAVAILABLE


@pytest.mark.parametrize("position", [0, 31, 32, 63])
@pytest.mark.parametrize(("device", "got"), [(FakeDevice(), report()), (TD, quote()), (TD, quote(5))])
def test_ac_122_a_report_over_other_data_is_refused_wherever_it_differs(
    device: Device, got: bytes, position: int
) -> None:
    other = bytes(byte ^ (index == position) for index, byte in enumerate(DATA))
    with pytest.raises(DeviceError, match="expected the REPORT_DATA that was asked for"):
        what_was_asked(device, got, other)


@pytest.mark.parametrize("tee", Tee)
@pytest.mark.parametrize("change", ["of other data", "cut", "none", "the other technology's"])
def test_ac_122_such_a_report_never_leaves_the_agent(tee: Tee, change: str) -> None:
    other = next(technology for technology in Tee if technology is not tee)
    changes: dict[str, Callable[[bytes], bytes]] = {
        "of other data": lambda _: open_device(SIMULATED[tee]).report(bytes(64)),
        "cut": lambda got: got[:100],
        "none": lambda _: b"",
        "the other technology's": lambda _: open_device(SIMULATED[other]).report(bytes(64)),
    }
    device = FakeDevice(tee=tee, change=changes[change])
    with serving(device) as agent, Client(agent.address) as client:
        assert client.ask().refusal.category == "UNAVAILABLE"
    with pytest.raises(DeviceError):
        collect(device, nonce=bytes(32))


def test_padding_never_leaves_the_agent() -> None:
    device = FakeDevice(tee=Tee.TDX, change=lambda got: got.ljust(8000, b"\0"))
    with serving(device) as agent, Client(agent.address) as client:
        answer = client.ask(DATA[:32])
        assert report_data(answer) == client.expected(DATA[:32], Tee.TDX)
    assert read_quote(answer.evidence.report).padding == 0
