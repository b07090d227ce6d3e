"""Who may open what leads to the hardware: root, and groups that are meant to."""

import os
from pathlib import Path

import pytest

from cvmproof_agent.doctor import nodes
from cvmproof_agent.doctor.finding import Finding, Outcome
from cvmproof_agent.doctor.nodes import TEE_NODES, TPM_NODES, examine_nodes


def examined(root: Path) -> Finding:
    return examine_nodes(root, owner=os.getuid())


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(nodes, "_group", lambda _: "cvmproof")
    return monkeypatch


def put(root: Path, name: str, mode: int) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)


def test_where_there_is_no_node_nobody_can_open_one(tmp_path: Path) -> None:
    assert examined(tmp_path).outcome is Outcome.PASS


@pytest.mark.parametrize("name", [name for name in (*TEE_NODES, *TPM_NODES) if name.startswith("dev/")])
@pytest.mark.parametrize(
    ("mode", "outcome"), [(0o660, "pass"), (0o600, "pass"), (0o666, "fail"), (0o662, "fail"), (0o664, "fail")]
)
@pytest.mark.usefixtures("group")
def test_a_node_that_everybody_can_open_is_found(tmp_path: Path, name: str, mode: int, outcome: str) -> None:
    put(tmp_path, name, mode)
    assert examined(tmp_path).outcome == outcome


@pytest.mark.parametrize(
    ("name", "group_name", "outcome"),
    [
        ("dev/sev-guest", "cvmproof", "pass"),
        ("dev/sev-guest", "users", "fail"),
        ("dev/sev-guest", "tss", "fail"),
        ("dev/tpmrm0", "tss", "pass"),
        ("dev/tpmrm0", "users", "fail"),
    ],
)
def test_a_node_of_a_group_is_found_unless_the_group_is_for_it(
    tmp_path: Path, group: pytest.MonkeyPatch, name: str, group_name: str, outcome: str
) -> None:
    group.setattr(nodes, "_group", lambda _: group_name)
    put(tmp_path, name, 0o660)
    assert examined(tmp_path).outcome == outcome
    put(tmp_path, name, 0o600)
    assert examined(tmp_path).outcome is Outcome.PASS


@pytest.mark.parametrize(("mode", "outcome"), [(0o755, "pass"), (0o775, "pass"), (0o777, "fail")])
@pytest.mark.usefixtures("group")
def test_the_configfs_folder_may_be_read_but_not_written_by_everybody(tmp_path: Path, mode: int, outcome: str) -> None:
    folder = tmp_path / "sys/kernel/config/tsm/report"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    assert examined(tmp_path).outcome == outcome


def test_a_node_of_another_user_is_found(tmp_path: Path) -> None:
    put(tmp_path, "dev/sev-guest", 0o600)
    finding = examine_nodes(tmp_path, owner=os.getuid() + 1)
    assert (finding.outcome, finding.message) == (Outcome.FAIL, f"/dev/sev-guest belongs to uid {os.getuid()}")


def test_every_fault_is_said_and_what_to_do(tmp_path: Path) -> None:
    put(tmp_path, "dev/sev-guest", 0o666)
    put(tmp_path, "dev/tpm0", 0o606)
    finding = examined(tmp_path)
    assert finding.message == "/dev/sev-guest has mode 0666; /dev/tpm0 has mode 0606"
    assert "chmod" in finding.hint


def test_a_group_without_a_name_is_named_by_its_number() -> None:
    assert nodes._group(0) == "root"
    assert nodes._group(4_294_967_290) == "4294967290"
