"""The units: accepted by systemd, no more exposed than the page says, each looseness explained, and enough to run."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.agent.deploy.confined import allowed, settings
from tests.agent.machine import SOON, Client
from tests.agent.owner.owning import ME, ONLY_A_NONCE, front

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "agent" / "deploy"
SERVICES = ("cvmproof-device", "cvmproof-agent")
UNITS = ("cvmproof-device.socket", "cvmproof-device.service", "cvmproof-agent.service")
PAGE = (ROOT / "docs" / "deployment.md").read_text("utf-8")
CONFINED = str(Path(__file__).with_name("confined.py"))
OPEN = {
    "cvmproof-device": PAGE.partition("left open in the owner")[2].partition("And in the front")[0],
    "cvmproof-agent": PAGE.partition("And in the front")[2].partition("## Cost")[0],
}


def security(tool: Callable[[str], Path], unit: Path) -> str:
    command = [str(tool("systemd-analyze")), "security", "--offline=true", "--no-pager", str(unit)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_no_more_exposed_than_the_page_says(service: str, tool: Callable[[str], Path]) -> None:
    said = security(tool, DEPLOY / f"{service}.service")
    found = re.search(r"exposure level for .*: (\d+\.\d)", said)
    documented = re.search(rf"\| `{service}.service` \| (\d+\.\d) \|", PAGE)
    assert found is not None
    assert documented is not None
    assert float(found[1]) <= float(documented[1])


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_is_left_open_has_its_reason(service: str, tool: Callable[[str], Path]) -> None:
    said = security(tool, DEPLOY / f"{service}.service")
    loose = {line.split()[1] for line in said.splitlines() if line.startswith("✗")}
    explained = set(re.findall(r"^\| `([^`]+)` \|", OPEN[service].replace("\\|", "|"), re.MULTILINE))
    assert loose
    assert loose - explained == set()


def test_a_looser_unit_would_be_seen(tool: Callable[[str], Path], tmp_path: Path) -> None:
    unit = tmp_path / "cvmproof-device.service"
    unit.write_text((DEPLOY / unit.name).read_text().replace("NoNewPrivileges=yes", "NoNewPrivileges=no"))
    assert "✗ NoNewPrivileges=" in security(tool, unit)


def test_systemd_takes_them_without_a_word(tool: Callable[[str], Path], tmp_path: Path) -> None:
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace("/usr/bin/cvmproof-agent", "/bin/true")  # it must be there
        (tmp_path / name).write_text(text)
    command = [str(tool("systemd-analyze")), "verify", *(str(tmp_path / name) for name in UNITS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "cvmproof" in line] == []
    (tmp_path / UNITS[1]).write_text("[Service]\nExecStart=/bin/true\nNoSuchThing=1\n")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert "NoSuchThing" in done.stderr


def test_the_owner_has_no_network_and_the_front_no_device() -> None:
    owner, front = (settings(DEPLOY / f"{service}.service") for service in SERVICES)
    assert owner["PrivateNetwork"] == ["yes"]
    assert "AF_INET" not in owner["RestrictAddressFamilies"][0]
    assert front["User"] == ["cvmproof"]
    assert front["PrivateDevices"] == ["yes"]
    assert "DeviceAllow" not in front
    assert owner["CapabilityBoundingSet"] == front["CapabilityBoundingSet"] == [""]


def test_what_keeps_keys_off_the_disk_is_there_for_both() -> None:
    for service in SERVICES:
        unit = settings(DEPLOY / f"{service}.service")
        assert (unit["LimitCORE"], unit["LimitMEMLOCK"], unit["MemorySwapMax"]) == (["0"], ["infinity"], ["0"])


def test_no_unit_reads_an_environment_or_takes_a_simulated_device() -> None:
    for name in UNITS:
        assert not settings(DEPLOY / name).keys() & {"Environment", "EnvironmentFile", "PassEnvironment"}
    starts = [settings(DEPLOY / f"{service}.service")["ExecStart"] for service in SERVICES]
    assert starts == [
        ["/usr/bin/cvmproof-agent own --config /etc/cvmproof/agent.toml"],
        ["/usr/bin/cvmproof-agent serve --device owner --config /etc/cvmproof/agent.toml"],
    ]


def test_the_socket_is_where_the_front_looks_and_for_the_front_alone() -> None:
    unit = settings(DEPLOY / "cvmproof-device.socket")
    assert unit["ListenStream"] == ["/run/cvmproof-device/device.sock"]
    assert (unit["SocketUser"], unit["SocketGroup"], unit["SocketMode"]) == (["root"], ["cvmproof"], ["0660"])


@pytest.fixture
def confinement(tool: Callable[[str], Path]) -> None:
    tool("systemd-analyze")
    probe = [sys.executable, CONFINED, str(DEPLOY / "cvmproof-device.service"), sys.executable, "-c", ""]
    done = subprocess.run(probe, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        pytest.skip(f"the kernel or its libraries can't confine a process here: {done.stderr[-200:]}")


def confined(service: str, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CONFINED, str(DEPLOY / f"{service}.service"), sys.executable, "-c", code]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.usefixtures("confinement")
def test_the_filters_are_in_force() -> None:
    mount = "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.mount(0, 0, 0, 0, 0), ctypes.get_errno())"
    for service in SERVICES:
        assert confined(service, mount).stdout == "-1 1\n"
        assert "mount" not in allowed(DEPLOY / f"{service}.service")
        assert {"prctl", "mlockall", "clone", "prlimit64"} <= allowed(DEPLOY / f"{service}.service")


@contextmanager
def started(service: str, *command: str, descriptor: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command of the agent in the confinement of its service, until the context ends."""
    run = f"from cvmproof_agent.cli.main import main; main({list(command)!r})"
    if descriptor is not None:
        handed = "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}"
        run = f"import os; os.dup2({descriptor}, 3); {handed}; {run}"
    with subprocess.Popen(
        [sys.executable, CONFINED, str(DEPLOY / f"{service}.service"), sys.executable, "-c", run],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[] if descriptor is None else [descriptor],
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            _, said = process.communicate(timeout=SOON)
            assert process.returncode == 0, said


@pytest.mark.skipif(ME != 0, reason="an owner answers root and the front's user only")
@pytest.mark.usefixtures("confinement")
def test_the_owner_answers_within_its_confinement(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        with started("cvmproof-device", "own", "--device", "simulated:snp", descriptor=listening.fileno()):
            assert front(tmp_path / "s").attest(ONLY_A_NONCE).report
            assert front(tmp_path / "s").event_log() is None


@pytest.mark.usefixtures("confinement")
def test_the_front_serves_within_its_confinement() -> None:
    with started("cvmproof-agent", "serve", "--device", "simulated:tdx", "--listen", "127.0.0.1:0") as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().removeprefix("https://").rpartition(":")
        with Client((host, int(port))) as client:
            assert client.ask().HasField("evidence")


@pytest.mark.usefixtures("confinement")
def test_cffi_could_make_no_callback_there_so_that_ours_is_made_another_way() -> None:
    callback = "from OpenSSL import SSL; SSL.Context(SSL.TLS_SERVER_METHOD).set_alpn_select_callback(print)"
    for service in SERVICES:
        assert "MemoryError" in confined(service, callback).stderr


def test_the_files_are_what_the_readme_lists() -> None:
    listed = set(re.findall(r"`([a-z.-]+)`", (DEPLOY / "README.md").read_text()))
    names = {path.name for path in DEPLOY.iterdir() if path.is_file()} - {"README.md", "cvmproof-device.service"}
    assert names <= listed
