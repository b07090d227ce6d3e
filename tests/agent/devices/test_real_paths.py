"""The agent as it is, at the real paths, by root and by anybody: what it reads, what it says, what it leaves behind."""

import re
import sys

import pytest
from tests.agent.cli.program import COMMAND
from tests.agent.devices.launched import LONG, WAYS, Launched, launch, running

from cvmproof_formats.binding import Tee
from cvmproof_formats.evidence import Evidence, read_evidence
from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.devices.plan import Through
from cvmproof_simulator.tdx.td import SoftwareTd

NONCE = "ab" * 32
COLLECT = ("collect", "--nonce", NONCE, "--out", "-")
EVERYWHERE = pytest.mark.parametrize(("through", "user"), WAYS)
FUSE_ONLY = pytest.mark.parametrize(("through", "user"), [way for way in WAYS if way.values[0] is Through.FUSE])


def evidence(ran: Launched) -> Evidence:
    assert ran.code == 0, ran.err
    assert ran.entries == ()
    return read_evidence(ran.out.encode())


@EVERYWHERE
@pytest.mark.parametrize("name", ["auto", "sev-guest"])
def test_an_snp_guest_gives_evidence_with_its_hosts_certificates(through: Through, user: int | None, name: str) -> None:
    interfaces = None if through is Through.FUSE else ["sev-guest"]
    ran = launch(*COLLECT, "--device", name, through=through, user=user, interfaces=interfaces)
    found = evidence(ran)
    assert found.tee is Tee.SEV_SNP
    assert read_report(found.report).vmpl == 0
    assert len(found.certificates) == 3
    preferred = name == "auto" and through is Through.FUSE
    assert ("tsm.report" in ran.calls) == preferred
    assert ran.calls["sev-guest.ext-report"] == 1


@EVERYWHERE
@pytest.mark.parametrize("name", ["auto", "tdx-guest"])
def test_a_td_gives_a_quote(through: Through, user: int | None, name: str) -> None:
    interfaces = None if through is Through.FUSE else ["tdx-guest", "qgs"]
    ran = launch(*COLLECT, "--device", name, machine="tdx", through=through, user=user, interfaces=interfaces)
    assert read_quote(evidence(ran).report).padding == 0
    preferred = name == "auto" and through is Through.FUSE
    assert (ran.calls["qgs.quote"], ran.calls["tsm.report"]) == ((0, 1) if preferred else (1, 0))


@FUSE_ONLY
@pytest.mark.parametrize("machine", ["snp", "tdx"])
def test_configfs_can_be_asked_for_by_name(through: Through, user: int | None, machine: str) -> None:
    ran = launch(*COLLECT, "--device", "configfs-tsm", machine=machine, through=through, user=user)
    assert evidence(ran).report
    assert ran.calls["tsm.report"] == 1


@EVERYWHERE
@pytest.mark.parametrize("kernel", ["tdx-guest-vendor", "tdx-guest-mvp", "tdx-attest"])
def test_older_kernels_for_tdx_are_found_too(through: Through, user: int | None, kernel: str) -> None:
    ran = launch(*COLLECT, machine="tdx", through=through, user=user, interfaces=[kernel])
    assert read_quote(evidence(ran).report).body.rtmrs == SoftwareTd().rtmrs


@FUSE_ONLY
@pytest.mark.parametrize("name", ["configfs-tsm", "tdx-guest"])
def test_the_log_of_a_tds_boot_comes_along_without_its_filler(through: Through, user: int | None, name: str) -> None:
    found = evidence(launch(*COLLECT, "--event-log", "--device", name, machine="tdx", through=through, user=user))
    assert found.event_log is not None
    assert len(found.event_log) < 64 * 1024
    assert read_event_log(found.event_log).replay() == read_quote(found.report).body.rtmrs


@FUSE_ONLY
def test_a_register_can_be_extended_and_the_new_value_is_printed(through: Through, user: int | None) -> None:
    with running("extend", "--rtmr", "3", "--digest", "cd" * 48, machine="tdx", through=through, user=user) as command:
        assert command.wait(LONG) == 0
        value = command.devices.rtmr(3)
    assert value == SoftwareTd().extend(3, b"\xcd" * 48).rtmrs[3]
    assert (
        launch("extend", "--rtmr", "3", "--digest", "cd" * 48, machine="tdx", through=through, user=user).out
        == f"{value.hex()}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--rtmr", "1", "--digest", "cd" * 48), "expected 2 or 3"),
        (("--rtmr", "three", "--digest", "cd" * 48), "expected 2 or 3"),
        (("--rtmr", "3", "--digest", "cd" * 47), "--digest: expected 48 bytes"),
        (("--rtmr", "3"), "--digest"),
    ],
)
def test_a_wrong_extension_is_misuse_and_changes_nothing(arguments: tuple[str, ...], why: str) -> None:
    ran = launch("extend", *arguments, machine="tdx")
    assert ran.code == 1
    assert why in ran.err
    assert "rtmr.extend" not in ran.calls


@pytest.mark.parametrize(("through", "user"), [WAYS[0], WAYS[-1]])
@pytest.mark.parametrize(
    ("machine", "interfaces", "fault", "why"),
    [
        ("snp", ["sev-guest"], "sev-firmware=0x27", "SNP_GET_EXT_REPORT: .*EIO.*firmware says 0x27, invalid key"),
        ("snp", ["sev-guest"], "sev-key-wiped", "ENOTTY.*the driver has given up its key"),
        ("snp", ["sev-guest"], "sev-report-data", "expected the REPORT_DATA"),
        ("snp", ["sev-guest"], "sev-vmpl=2", "expected a report of VMPL 0, got 2"),
        ("tdx", ["tdx-guest", "qgs"], "qgs-refuses", "vsock 2:4050: connect: Connection refused"),
        ("tdx", ["tdx-guest", "qgs"], "qgs-error=0x11001", "it refused, with error 0x11001"),
        ("tdx", ["tdx-guest", "qgs"], "qgs-other-quote", "expected a quote over the REPORTDATA"),
        ("tdx", ["tdx-guest", "qgs"], "tdx-errno=EIO", "GET_REPORT: .*EIO"),
        ("tdx", ["tdx-guest"], "delay=0", "vsock 2:4050: connect"),
    ],
)
def test_a_failure_is_exit_code_5_and_says_where(
    through: Through, user: int | None, machine: str, interfaces: list[str], fault: str, why: str
) -> None:
    ran = launch(*COLLECT, machine=machine, interfaces=interfaces, faults=[fault], through=through, user=user)
    assert ran.code == 5
    assert ran.out == ""
    assert re.search(why, ran.err), ran.err


@FUSE_ONLY
@pytest.mark.parametrize("machine", ["snp", "tdx"])
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("tsm-read-errno=EFBIG", "EFBIG"),
        ("tsm-read-errno=ETIMEDOUT", "ETIMEDOUT"),
        ("tsm-report-data", "expected the REPORT_DATA"),
        ("tsm-truncated=700", "is no (report|quote)"),
    ],
)
def test_a_failure_of_configfs_leaves_no_entry(
    through: Through, user: int | None, machine: str, fault: str, why: str
) -> None:
    ran = launch(*COLLECT, machine=machine, faults=[fault], through=through, user=user)
    assert (ran.code, ran.out, ran.entries) == (5, "", ())
    assert re.search(why, ran.err), ran.err


@FUSE_ONLY
def test_where_configfs_can_not_be_used_auto_takes_the_driver(through: Through, user: int | None) -> None:
    ran = launch(*COLLECT, faults=["tsm-mkdir-errno=EROFS"], through=through, user=user)
    assert evidence(ran).report
    assert ran.calls["sev-guest.ext-report"] == 1
    assert "tsm.report" not in ran.calls


@FUSE_ONLY
def test_ac_123_a_kernel_whose_interfaces_all_refuse_is_no_device(through: Through, user: int | None) -> None:
    ran = launch(*COLLECT, faults=["tsm-mkdir-errno=ENXIO"], interfaces=["tsm"], through=through, user=user)
    assert ran.code == 5
    for said in ("no confidential computing device", "ENXIO", "/dev/sev-guest: open", "/dev/tdx_guest: open"):
        assert said in ran.err


@pytest.mark.parametrize("setting", ["CVMPROOF_DEVICE=simulated:snp", "CVMPROOF_TSM_PATH=/tmp"])
def test_ac_124_an_environment_that_names_a_device_stops_everything(setting: str) -> None:
    program = ["/usr/bin/env", setting, *COMMAND]
    ran = launch(*COLLECT, interfaces=["sev-guest"], through=Through.SECCOMP, program=program)
    assert (ran.code, ran.out) == (1, "")
    assert "is not a setting" in ran.err
    assert ran.calls == {}


def test_ac_124_what_points_intels_library_elsewhere_does_not_point_us() -> None:
    program = ["/usr/bin/env", "DCAP_TDX_QUOTE_CONFIGFS_PATH=/tmp", *COMMAND]
    ran = launch(*COLLECT, machine="tdx", interfaces=["tdx-guest", "qgs"], through=Through.SECCOMP, program=program)
    assert evidence(ran).report


KILLER = """
import os, signal, subprocess, sys, time
command, root = sys.argv[1:], "/sys/kernel/config/tsm/report"
left = 0
for number in range(12):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(os.listdir(root)) <= left:
        time.sleep(0.001)
    time.sleep(number * 0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = len(os.listdir(root))
    print(left, flush=True)
subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
print("at last", len(os.listdir(root)), flush=True)
"""


@pytest.mark.parametrize("machine", ["snp", "tdx"])
def test_ac_128_an_agent_killed_at_many_points_leaves_no_entry_once_it_runs_again(machine: str) -> None:
    # Three requests of 50 ms each pass between the first entry and the last answer.
    program = [sys.executable, "-c", KILLER, *COMMAND]
    ran = launch(*COLLECT, machine=machine, faults=["delay=50"], program=program)
    assert ran.code == 0, ran.err
    *left, last = ran.out.splitlines()
    assert any(count != "0" for count in left), "no kill was in time to leave an entry"
    assert last == "at last 0"
    assert ran.entries == ()
