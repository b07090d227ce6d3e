"""Devices by name: no hardware is an error and never a simulation, and the simulator comes only when it is named."""

import subprocess
import sys

import pytest

from cvmproof_agent import collect, open_device
from cvmproof_formats.errors import DeviceError, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import read_report


def test_ac_123_without_hardware_auto_is_an_error() -> None:
    with pytest.raises(DeviceError, match="no confidential computing device"):
        open_device("auto")


@pytest.mark.parametrize("name", ["", "simulated", "snp", "/dev/sev-guest", "AUTO", " auto"])
def test_ac_124_what_is_no_device_is_misuse(name: str) -> None:
    with pytest.raises(Misuse, match="expected auto or simulated"):
        open_device(name)


def test_ac_123_nothing_of_the_simulator_is_loaded_before_it_is_named() -> None:
    program = (
        "import sys, cvmproof_agent, cvmproof_agent.serve, cvmproof_agent.cli.serve\n"
        "try: cvmproof_agent.open_device('auto')\nexcept Exception: pass\n"
        "assert not any('simulat' in name for name in sys.modules)\n"
        "cvmproof_agent.open_device('simulated:snp')\n"
        "assert 'cvmproof_simulator.psp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_missing_simulator_is_one_sentence_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cvmproof_agent.simulated", raising=False)
    monkeypatch.setitem(sys.modules, "cvmproof_simulator.psp", None)
    with pytest.raises(Misuse, match=r"pip install 'cvmproof\[simulator\]'"):
        open_device("simulated:snp")


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("key", KeyKind)
@pytest.mark.parametrize("version", [2, 3, 5])
def test_a_simulated_device_is_what_its_name_says(product: ProductLine, key: KeyKind, version: int) -> None:
    device = open_device(f"simulated:snp,product={product},key={key},version={version}")
    report = read_report(device.report(bytes(range(64))))
    assert (report.version, report.signing_key, report.report_data) == (version, key, bytes(range(64)))
    assert len(device.certificates()) == 3
    assert device.event_log() is None
    assert device.name.startswith("simulated:snp,product=")
    device.close()


def test_a_simulated_guest_can_be_another_one() -> None:
    report = read_report(
        open_device(
            f"simulated:snp,policy=0xb0000,measurement={'ab' * 48},host_data={'cd' * 32},report_id={'ef' * 32},vmpl=2"
        ).report(bytes(64))
    )
    assert (report.policy, report.vmpl) == (0xB0000, 2)
    assert report.measurement == b"\xab" * 48
    assert report.host_data == b"\xcd" * 32
    assert report.report_id == b"\xef" * 32


def test_another_chip_is_another_machine() -> None:
    chips = {read_report(open_device(f"simulated:snp,chip={name}").report(bytes(64))).chip_id for name in "ab"}
    assert len(chips) == 2


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ("tdx", "expected snp, got 'tdx'"),
        ("snp,product=Rome", "expected one of Milan, Genoa, Turin, got 'Rome'"),
        ("snp,version=6", "expected a number from 2 to 5, got '6'"),
        ("snp,version=x", "expected a number"),
        ("snp,version=", "got 'version='"),
        ("snp,colour=red", "got 'colour=red'"),
        ("snp,version=2,version=3", "got 'version=3'"),
        ("snp,measurement=ab", "measurement: expected 48 bytes"),
        ("snp,", "got ''"),
    ],
)
def test_another_description_is_misuse(description: str, why: str) -> None:
    with pytest.raises(Misuse, match=why):
        open_device(f"simulated:{description}")


def test_collected_evidence_is_over_a_nonce_or_user_data_and_nothing_else() -> None:
    device = open_device("simulated:snp")
    assert collect(device, nonce=bytes(32)).binding == "nonce"
    assert collect(device, user_data=b"").binding == "user"
    for arguments in ({}, {"nonce": bytes(32), "user_data": b""}):
        with pytest.raises(Misuse, match="a nonce or user data, and not both"):
            collect(device, **arguments)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes(33), bytes(64)])
def test_ac_066_a_nonce_of_another_length_is_misuse(nonce: bytes) -> None:
    with pytest.raises(Misuse, match="nonce: expected exactly 32 bytes"):
        collect(open_device("simulated:snp"), nonce=nonce)


def test_more_user_data_than_fits_is_misuse() -> None:
    with pytest.raises(Misuse, match="at most 4096 bytes, got 4097"):
        collect(open_device("simulated:snp"), user_data=bytes(4097))
