"""An unmodified program finds the devices at their real paths, nobody else does, and nothing is left."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.simulator.devices.asking import DATA
from tests.simulator.devices.conftest import lack

from cvmproof_formats.errors import Misuse
from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tdx.tdreport import read_tdreport
from cvmproof_simulator.devices.harness import Devices, launched, make_plan
from cvmproof_simulator.devices.interfaces import Interface, paths
from cvmproof_simulator.devices.plan import Plan, Through
from cvmproof_simulator.machines.snp import read_snp

INSIDE = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
PATIENCE = 60.0
CHARACTER_DEVICE, REGULAR_FILE = 0o020000, 0o100000
FUSE, SECCOMP = Through.FUSE, Through.SECCOMP
Looking = Callable[..., Mapping[str, object]]


@pytest.fixture
def look(python: str) -> Looking:
    """`look("snp", "tsm", machine="snp")`: what a program in the harness gets to see."""

    def run(*what: str, **options: object) -> Mapping[str, object]:
        command = [python, "-c", INSIDE, *what]
        with launched(command, quiet=True, stdout=subprocess.PIPE, **options) as running:  # type: ignore[arg-type]  # a test's own choice
            output, _ = running.process.communicate(timeout=PATIENCE)
            assert running.wait(PATIENCE) == 0
        found = json.loads(output)
        assert isinstance(found, dict)
        return found

    return run


@pytest.fixture(scope="module")
def fuse() -> None:
    """A command is launched through FUSE, by root for anybody, by ordinary users where they may open it."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        lack("/dev/fuse is missing, or may not be opened")


def number_of(request: pytest.FixtureRequest) -> int | None:
    """Who runs the program: whoever runs the tests, or an ordinary user where that is root."""
    return None if request.param == "root" else int(request.getfixturevalue("nobody"))


@pytest.fixture(params=["root", "nobody"])
def user(request: pytest.FixtureRequest) -> int | None:
    return number_of(request)


@pytest.fixture(params=["root", "nobody"])
def fuse_user(request: pytest.FixtureRequest, fuse: None) -> int | None:
    return number_of(request)


def report_of(found: object) -> bytes:
    assert isinstance(found, str)
    return bytes.fromhex(found)


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def test_an_snp_guest_is_seen_through_fuse(look: Looking, fuse_user: int | None) -> None:
    before = sorted(path.name for path in Path("/sys/kernel").iterdir())
    found = look(
        "user", "dev", "kernel", "snp", "snp-seen", "tsm", machine="snp,product=Milan", through=FUSE, user=fuse_user
    )
    assert report_of(found["snp"]) == read_snp(["product=Milan"]).report(DATA)
    assert report_of(found["tsm"]) == report_of(found["snp"])
    assert found["user"] == 0
    assert found["snp-seen"] == {"kind": REGULAR_FILE, "kinds": 1, "mode": 0o600, "access": True, "exists": True}
    assert found["kernel"] == sorted({*before, "config"})
    assert set(os.listdir("/dev")) - {"sev-guest"} == set(map(str, found["dev"])) - {"sev-guest"}  # type: ignore[call-overload] # noqa: PTH208 -- a list of names
    assert "sev-guest" in found["dev"]  # type: ignore[operator]  # as above


def test_an_snp_guest_is_seen_through_seccomp(look: Looking, user: int | None) -> None:
    found = look("user", "snp", "snp-again", "snp-seen", "tsm", "nothing", "other-ioctl", through=SECCOMP, user=user)
    assert report_of(found["snp"]) == report_of(found["snp-again"]) == read_snp([]).report(DATA)
    assert found["snp-seen"] == {"kind": CHARACTER_DEVICE, "kinds": 1, "mode": 0o600, "access": True, "exists": True}
    assert found["user"] == (os.getuid() if user is None else user)
    assert (found["tsm"], found["nothing"], found["other-ioctl"]) == ("ENOENT", "ENOENT", "ENOTTY")


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
def test_a_td_is_seen_with_its_quoting_service(look: Looking, fuse_user: int | None, through: Through) -> None:
    found = look("tdx", "quote", "quote-unblocked", machine="tdx,version=5", through=through, user=fuse_user)
    assert read_tdreport(report_of(found["tdx"])).mac.report_data == DATA
    for name in ("quote", "quote-unblocked"):
        assert read_quote(report_of(found[name])).body.report_data == DATA


def test_a_td_has_registers_and_a_log(look: Looking, fuse_user: int | None) -> None:
    found = look("tsm", "ccel", "rtmr", machine="tdx", through=FUSE, user=fuse_user)
    assert read_quote(report_of(found["tsm"])).body.report_data == DATA
    assert b"Spec ID Event03" in report_of(found["ccel"])
    assert len(report_of(found["rtmr"])) == 48


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
def test_a_process_that_lets_nobody_look_into_it_is_answered_too(
    look: Looking, fuse_user: int | None, through: Through
) -> None:
    found = look("hide", "snp", through=through, user=fuse_user)
    assert read_report(report_of(found["snp"])).report_data == DATA


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
def test_nothing_reaches_the_host_over_vsock(look: Looking, fuse: None, through: Through) -> None:
    names = ("other-port", "other-host", "datagram", "io_uring")
    found = look(*names, machine="tdx", through=through)
    assert found == dict(zip(names, ("ECONNRESET", "ECONNRESET", "ESOCKTNOSUPPORT", "ENOSYS"), strict=True))


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
def test_a_host_without_the_service_resets_connections(look: Looking, fuse: None, through: Through) -> None:
    found = look("tdx", "quote", machine="tdx", interfaces=["tdx-guest"], through=through)
    assert found["quote"] == "ECONNRESET"


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
def test_a_service_that_refuses_does_so(look: Looking, fuse: None, through: Through) -> None:
    assert look("quote", machine="tdx", faults=["qgs-refuses"], through=through)["quote"] == "ECONNREFUSED"


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
def test_other_connections_go_where_they_should(
    look: Looking, fuse: None, through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = {**os.environ, "PORT": str(server.getsockname()[1])}
        found = look("listening", machine="tdx", through=through, environment=environment)
        assert found["listening"] is None
        server.accept()[0].close()


@pytest.mark.parametrize(
    ("interfaces", "there"), [(["sev-guest"], "snp"), (["tsm"], "tsm"), (["sev-guest", "tsm"], "snp tsm")]
)
def test_a_kernel_offers_what_was_chosen(look: Looking, fuse: None, interfaces: list[str], there: str) -> None:
    found = look("snp", "tsm", interfaces=interfaces, through=FUSE)
    assert {name for name, answer in found.items() if answer != "ENOENT"} == set(there.split())


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
def test_faults_happen_in_the_harness_too(look: Looking, fuse: None, through: Through) -> None:
    assert look("snp", faults=["sev-firmware=7*1"], through=through)["snp"] == "EIO"


def test_counters_and_faults_can_be_had_while_the_command_runs(fuse: None, python: str) -> None:
    with launched([python, "-c", INSIDE, "snp"], quiet=True, stdout=subprocess.DEVNULL) as running:
        running.wait(PATIENCE)
        assert running.devices.calls() == {"sev-guest.report": 1}


def test_what_can_not_be_had_is_said_with_what_to_do(python: str) -> None:
    for interfaces, status in ((["tsm"], 1), (None, 0)):
        command = [python, "-c", ""]
        with launched(command, interfaces=interfaces, through=SECCOMP, stderr=subprocess.PIPE) as running:
            _, words = running.process.communicate(timeout=PATIENCE)
            assert running.wait() == status
        if status:
            assert b"/sys/kernel/config/tsm can be had through FUSE only; be root, or let" in words
        else:
            assert b"not offered, because FUSE is missing (not asked for): /sys/kernel/config/tsm" in words


def test_it_is_said_what_is_simulated(fuse: None, python: str) -> None:
    with launched([python, "-c", ""], machine="tdx", stderr=subprocess.PIPE) as running:
        _, words = running.process.communicate(timeout=PATIENCE)
    assert words.startswith(b"cvmproof-simulator: SIMULATED through a FUSE file system in a mount namespace")
    assert b"/dev/tdx_guest" in words
    assert words.count(b"\n") == 1


def children_of(mark: str) -> list[int]:
    """Processes whose environment carries a mark."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                carries = mark.encode() in (process / "environ").read_bytes()
            except OSError:
                continue
            if carries:
                found.append(int(process.name))
    return found


def start(mark: str, script: str, *, through: Through, user: int | None) -> "subprocess.Popen[bytes]":
    """A harness in a process of its own, which can be killed."""
    program = (
        "import sys; from cvmproof_simulator.devices.harness import launched;"
        "from cvmproof_simulator.devices.plan import Through\n"
        f"with launched(['sh', '-c', sys.argv[1]], through=Through({through.value!r}), user={user}) as r: r.wait()"
    )
    name, _, value = mark.partition("=")
    environment = {**os.environ, name: value}
    return subprocess.Popen([sys.executable, "-c", program, script], env=environment, stdout=subprocess.PIPE)


def seen_from_here() -> tuple[list[str], list[str]]:
    """What a harness puts in place, as this process sees it: mounts over the system's folders, and paths."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    covered = [point for point in points if point.startswith(("/dev", "/sys")) or point == "/tmp"]  # noqa: S108 -- compared, not written to
    return covered, [path for path in paths(Interface) if Path(path).exists()]


@pytest.mark.parametrize("through", [FUSE, SECCOMP])
@pytest.mark.parametrize("is_killed", [False, True])
def test_nothing_is_left(fuse_user: int | None, through: Through, is_killed: bool) -> None:
    """Whether the command ends and leaves a child behind, or the harness is killed in the middle of it."""
    mark = f"MARK_OF_A_TEST={os.getpid()}{through}{is_killed}{fuse_user}"
    before = seen_from_here()
    script = f"sleep 600 <&- >&- 2>&- & echo ready{'; sleep 600' if is_killed else ''}"
    with start(mark, script, through=through, user=fuse_user) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if is_killed:
            process.kill()
        assert process.wait(PATIENCE) == (-signal.SIGKILL if is_killed else 0)
    try:
        eventually(lambda: not children_of(mark))
    finally:
        for pid in children_of(mark):
            os.kill(pid, signal.SIGKILL)
    assert seen_from_here() == before


def test_a_server_that_is_gone_fails_the_command_and_no_more(fuse: None, python: str) -> None:
    script = (
        "import sys; print(flush=True); sys.stdin.read(1)\n"
        "try: open('/dev/sev-guest')\nexcept OSError as error: sys.exit(error.errno)"
    )
    with launched([python, "-c", script], quiet=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == b"\n"
        running.devices._process.kill()
        running.devices._process.wait()
        running.process.communicate(b"x", PATIENCE)
        assert running.wait(PATIENCE) == errno.ENOTCONN
        with pytest.raises(ConnectionError, match="the server of the SIMULATED devices has ended"):
            running.devices.calls()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"machine": "sgx"}, "expected snp or tdx, got 'sgx'"),
        ({"machine": "snp,colour=red"}, "expected each of"),
        ({"interfaces": ["tdx-guest"]}, "--kernel"),
        ({"faults": ["nonsense"]}, "fault: expected one of"),
        ({"leftovers": ["a/b"]}, "no slash in a name"),
        ({"machine": "tdx,command_line=a\tb"}, "no tab in a machine"),
    ],
)
def test_what_makes_no_sense_is_misuse_before_anything_starts(options: dict[str, str], message: str) -> None:
    with pytest.raises(Misuse, match=message):
        Devices(**options)  # type: ignore[arg-type]  # a column of a table


def test_a_plan_is_written_and_read() -> None:
    with Devices("tdx") as devices:
        plan = make_plan(devices, ["a", "b c"], through=FUSE, quiet=True, user=7)
        with pytest.raises(Misuse, match="expected a command"):
            make_plan(devices, [], through=FUSE, quiet=True)
    assert Plan.read(plan.write()) == plan
    assert plan.guards_vsock
    assert "/dev/sev-guest" in plan.hidden


def test_an_snp_guest_has_no_quoting_service() -> None:
    with Devices() as devices, pytest.raises(ConnectionRefusedError):
        devices.connect_to_the_quoting_service()
