"""Doctor: a device that answers, nodes that others can open, services that sign raw data, swap."""

import socket
from pathlib import Path

import pytest
from tests.agent.machine import FakeDevice

from cvmproof_agent import open_device
from cvmproof_agent.doctor import Finding, Outcome, examine_device, examine_guest

TCP_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
SWAPS_HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def examined(root: Path) -> dict[str, Finding]:
    return {finding.id: finding for finding in examine_guest(root)}


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_guest_with_nothing_open_is_well(tmp_path: Path) -> None:
    assert {finding.outcome for finding in examine_guest(tmp_path)} == {Outcome.OK}


def test_a_device_that_answers_is_well_and_closed_again() -> None:
    device = FakeDevice()
    assert examine_device(lambda: device).outcome is Outcome.OK
    assert device.closed.is_set()


def test_a_device_that_lies_or_is_not_there_is_not() -> None:
    assert "no report" in examine_device(lambda: FakeDevice(change=lambda _: b"")).message
    assert examine_device(lambda: open_device("auto")).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("mode", "outcome"), [(0o660, "ok"), (0o600, "ok"), (0o666, "FAIL"), (0o662, "FAIL"), (0o664, "FAIL")]
)
def test_a_node_that_everybody_can_open_is_found(tmp_path: Path, mode: int, outcome: str) -> None:
    put(tmp_path, "dev/sev-guest", "").chmod(mode)
    assert examined(tmp_path)["nodes"].outcome == outcome.lower()


@pytest.mark.parametrize(("mode", "outcome"), [(0o755, Outcome.OK), (0o777, Outcome.FAIL)])
def test_the_configfs_folder_may_be_read_but_not_written_by_everybody(
    tmp_path: Path, mode: int, outcome: Outcome
) -> None:
    folder = tmp_path / "sys/kernel/config/tsm/report"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    assert examined(tmp_path)["nodes"].outcome is outcome


def test_another_service_that_hands_out_reports_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "run/cocos"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(folder / "attestation.sock"))
        finding = examined(tmp_path)["signers"]
    assert (finding.outcome, finding.message) == (Outcome.FAIL, "a service listens at /run/cocos/attestation.sock")


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("   0: 0100007F:C352 00000000:0000 0A 0 0\n", Outcome.FAIL),
        ("   0: 0100007F:C352 00000000:0000 01 0 0\n", Outcome.OK),
        ("   0: 0100007F:C353 00000000:0000 0A 0 0\n", Outcome.OK),
    ],
)
def test_a_port_of_one_is_found_where_it_listens(tmp_path: Path, line: str, outcome: Outcome) -> None:
    put(tmp_path, "proc/net/tcp", TCP_HEAD + line)
    assert examined(tmp_path)["signers"].outcome is outcome


@pytest.mark.parametrize(("name", "outcome"), [("/dev/zram0", Outcome.OK), ("/dev/sda2", Outcome.FAIL)])
def test_swap_is_found_unless_it_is_in_memory(tmp_path: Path, name: str, outcome: Outcome) -> None:
    put(tmp_path, "proc/swaps", f"{SWAPS_HEAD}{name}\tpartition\t1\t0\t-2\n")
    assert examined(tmp_path)["swap"].outcome is outcome
