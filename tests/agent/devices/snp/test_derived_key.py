"""Keys from firmware: for root, for a purpose, and firmware's own never leaves the function."""

import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from tests.agent.devices.emulated import as_root, emulated

from cvmproof_agent.device import DeviceLost
from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.snp import abi, guest_request
from cvmproof_agent.devices.snp import derived_key as module
from cvmproof_agent.devices.snp.derived_key import KeyField, KeySelection, derived_key
from cvmproof_formats.errors import DeviceError, Misuse
from cvmproof_simulator.devices.harness import Mounted

SELECTION = KeySelection(fields=KeyField.MEASUREMENT | KeyField.GUEST_POLICY)


def derive(devices: Mounted, purpose: str = "disk", selection: KeySelection = SELECTION, length: int = 32) -> bytes:
    path = str(devices.path("/dev/sev-guest"))
    return derived_key(purpose, selection, length=length, path=path, vmpl_file="/none")


@as_root
def test_a_key_is_the_same_each_time_and_another_for_each_purpose_and_selection(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices:
        disk = derive(devices)
        assert disk == derive(devices)
        others = [
            derive(devices, "token"),
            derive(devices, "disk2"),
            derive(devices, selection=KeySelection(fields=KeyField.MEASUREMENT)),
            derive(devices, length=64)[:32],
        ]
        assert len({disk, *others}) == 5


@as_root
def test_another_guest_has_another_key(tmp_path: Path) -> None:
    keys = set()
    for number, machine in enumerate(("snp", "snp,chip=b", f"snp,measurement={'ab' * 48}")):
        with emulated(tmp_path / str(number), machine) as devices:
            keys.add(derive(devices))
    assert len(keys) == 3


@as_root
@pytest.mark.parametrize("length", [16, 32, 64])
def test_a_key_has_the_length_that_was_asked_for(tmp_path: Path, length: int) -> None:
    with emulated(tmp_path) as devices:
        assert len(derive(devices, length=length)) == length


@pytest.mark.parametrize(
    ("purpose", "selection", "length", "why"),
    [
        ("", SELECTION, 32, "purpose of 1 to 255 bytes, got 0"),
        ("x" * 256, SELECTION, 32, "purpose of 1 to 255 bytes, got 256"),
        ("disk", SELECTION, 15, "length from 16 to 64 bytes, got 15"),
        ("disk", SELECTION, 65, "length from 16 to 64 bytes, got 65"),
        ("disk", KeySelection(fields=KeyField(0)), 32, "at least one field"),
    ],
)
def test_what_means_nothing_is_misuse(purpose: str, selection: KeySelection, length: int, why: str) -> None:
    with pytest.raises(Misuse, match=why):
        derived_key(purpose, selection, length=length)


@as_root
def test_only_root_may_whoever_may_open_the_device(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices:
        tmp_path.chmod(0o755)
        devices.reset()
        os.seteuid(65534)
        try:
            with pytest.raises(DeviceError, match="derived keys are for root"):
                derive(devices)
        finally:
            os.seteuid(0)
        assert devices.calls() == {}


@as_root
@pytest.mark.parametrize(
    ("fault", "selection", "why"),
    [
        ("sev-status=0x16*1", SELECTION, "status 0x16"),
        ("sev-errno=EIO*1", SELECTION, "EIO"),
        ("sev-busy*1", SELECTION, "the host is busy"),
        ("sev-invalid-length*1", SELECTION, "certificate buffer too small"),
        ("delay=0", KeySelection(fields=KeyField.GUEST_SVN, guest_svn=9), "status 0x16"),
        ("delay=0", KeySelection(fields=KeyField.TCB_VERSION, tcb_version=(1 << 64) - 1), "status 0x16"),
    ],
)
def test_a_key_that_firmware_does_not_give_is_our_error(
    tmp_path: Path, fault: str, selection: KeySelection, why: str
) -> None:
    with emulated(tmp_path, faults=[fault]) as devices, pytest.raises(DeviceError, match=why):
        derive(devices, selection=selection)


@as_root
def test_a_lost_key_is_for_good_here_too(tmp_path: Path) -> None:
    with emulated(tmp_path, faults=["sev-key-wiped"]) as devices, pytest.raises(DeviceLost):
        derive(devices)


@as_root
@pytest.mark.parametrize("fails", [False, True])
def test_ac_126_firmwares_own_key_stands_in_no_answer_error_or_log(
    tmp_path: Path, fails: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raw: list[bytes] = []
    responses: list[abi.DerivedKeyResponse] = []

    def ask_once(node: Node, request: int, call: str, wanted: object, response: abi.DerivedKeyResponse) -> None:
        asking(node, request, call, wanted, response)  # type: ignore[arg-type]  # as it came
        raw.append(bytes(response)[32:])
        responses.append(response)
        if fails:
            response.data[0] = 0x27  # as if firmware had given both

    asking = guest_request.ask_once
    monkeypatch.setattr(module, "ask_once", ask_once)
    said = ""
    with emulated(tmp_path) as devices, caplog.at_level(logging.DEBUG):
        try:
            said = derive(devices).hex() + repr(SELECTION)
        except DeviceError as error:
            said = "".join(traceback.format_exception(error)) + repr(error) + error.hint
    assert raw[0].strip(b"\0")
    for spelling in (raw[0].hex(), raw[0][:8].hex(), repr(raw[0])[2:-1], repr(list(raw[0]))[1:-1]):
        assert spelling not in said + caplog.text
    assert bytes(responses[0]) == bytes(64)


def test_nothing_of_the_agent_derives_keys() -> None:
    program = (
        "import sys, cvmproof_agent.serve, cvmproof_agent.cli.main\n"
        "list(cvmproof_agent.cli.main.cli.commands())\n"
        "assert not [name for name in sys.modules if 'derived_key' in name or 'hkdf' in name]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
