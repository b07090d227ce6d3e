"""Other programs that hand out reports over a caller's own data: their sockets, ports and entries."""

import socket
from pathlib import Path

import pytest

from cvmproof_agent.doctor.finding import Outcome
from cvmproof_agent.doctor.signers import ENTRIES, SOCKETS, examine_signers

TCP_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def test_a_guest_without_any_is_well(tmp_path: Path) -> None:
    assert examine_signers(tmp_path).outcome is Outcome.PASS


@pytest.mark.parametrize("name", [*SOCKETS, "run/systemd/report.sign/tsm"])
def test_another_service_that_hands_out_reports_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    monkeypatch.chdir(path.parent)  # a socket's path has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(path.name)
        finding = examine_signers(tmp_path)
    assert (finding.outcome, finding.message) == (Outcome.FAIL, f"a service listens at /{name}")
    assert "remove it" in finding.hint


def test_a_file_of_that_name_is_no_service(tmp_path: Path) -> None:
    path = tmp_path / SOCKETS[0]
    path.parent.mkdir(parents=True)
    path.touch()
    assert examine_signers(tmp_path).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("   0: 0100007F:C352 00000000:0000 0A 0 0\n", Outcome.FAIL),
        ("   0: 0100007F:C352 00000000:0000 01 0 0\n", Outcome.PASS),
        ("   0: 0100007F:C353 00000000:0000 0A 0 0\n", Outcome.PASS),
    ],
)
def test_a_port_of_one_is_found_where_it_listens(tmp_path: Path, line: str, outcome: Outcome) -> None:
    table = tmp_path / "proc/net/tcp"
    table.parent.mkdir(parents=True)
    table.write_text(TCP_HEAD + line)
    assert examine_signers(tmp_path).outcome is outcome


@pytest.mark.parametrize(
    ("name", "outcome"), [("com.intel.dcap", Outcome.FAIL), ("cvmproof-12-ab", Outcome.PASS), (None, Outcome.PASS)]
)
def test_an_entry_of_somebody_else_in_configfs_is_found(tmp_path: Path, name: str | None, outcome: Outcome) -> None:
    folder = tmp_path / ENTRIES
    folder.mkdir(parents=True)
    if name:
        (folder / name).mkdir()
    assert examine_signers(tmp_path).outcome is outcome
