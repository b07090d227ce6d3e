"""A machine that boots Debian's own kernel with our package in it is accepted by a verifier outside of it.

What is between is real: the kernel's system calls and configfs, systemd, udev, TLS; what signs is the simulator.
"""

import errno
import json
import re
import socket
import subprocess
import sys

import pytest
from boot.cached import ROOT
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.boot.guest import AGENT, ENTRIES, OWNER, VERIFYING, Guest

import cvmproof
from cvmproof_formats.binding import Tee
from cvmproof_simulator.guest_requests.answering import Reply
from cvmproof_simulator.program import command_of

ACCEPTED, REJECTED, ENDPOINT = 0, 3, 5
DROP_IN = f"/run/systemd/system/{OWNER}.d"
FIRMWARE_ERROR = 0x16  # AMD 56860, status codes: invalid parameter, in EXITINFO2 for the whole request
MOST_EXPOSED = 3.0  # of 10, as systemd-analyze counts
# A file system in user space is never told of a write of no bytes, and goes on reading what was removed.
ONLY_A_KERNEL = {"inblob, 0 bytes", "outblob of an entry that was removed"}
UNITS = (OWNER, AGENT)


def test_a_real_kernel_has_the_device_and_root_alone_may_open_it(guest: Guest) -> None:
    guest.transcript.head("The kernel and its device")
    guest.show("uname --kernel-release --kernel-version")
    assert "SIMULATED" in guest.show("dmesg | grep cvmproof_simulated:")
    guest.show(f"ls -l {guest.node} /dev/cvmproof-backend; ls -ld {ENTRIES}")
    assert guest.ask(f"stat --format='%F %a %U %G' {guest.node}") == "character special file 600 root root"


def test_systemd_was_told_when_it_was_ready(guest: Guest) -> None:
    guest.transcript.head("From the kernel's first instruction to READY, in microseconds, under an interpreter")
    guest.show("systemd-analyze time")
    for unit in UNITS:
        ready = guest.show(f"systemctl show --property ActiveEnterTimestampMonotonic --value {unit}")
        assert int(ready) > 0


def test_the_udev_rule_takes_the_device_from_everybody_else(guest: Guest) -> None:
    guest.ask(f"chmod 666 {guest.node}")
    guest.ask(f"udevadm trigger --settle {guest.node}")
    assert guest.ask(f"stat --format='%a %U %G' {guest.node}") == "600 root root"


def test_nothing_of_the_simulator_is_in_the_guest(guest: Guest) -> None:
    assert guest.ask("find / -xdev -name 'cvmproof_simulator*'") == ""
    assert guest.ask("grep -rlI 'SIMULATED chip' /usr /etc 2>/dev/null || true") == ""


def test_the_guest_reaches_nobody(guest: Guest) -> None:
    # qemu's own network would lead from 10.0.2.2 to this machine's loopback.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        program = f'import socket; socket.create_connection(("10.0.2.2", {listening.getsockname()[1]}), 3)'
        done = guest.machine.run(f"timeout 20 python3 -c '{program}'")
        assert done.exit_code != 0
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_its_evidence_is_accepted_and_bound_to_the_channel(guest: Guest) -> None:
    guest.transcript.head("A verifier on the host")
    verdict = guest.connect("image.toml")
    assert verdict.exit_code == ACCEPTED
    shown = {name: verdict.document[name] for name in ("verdict", "assurance", "simulated", "tee")}
    assert shown == {"verdict": "accepted", "assurance": "channel-bound", "simulated": True, "tee": guest.tee.value}


def test_a_policy_that_wants_other_software_refuses_it(guest: Guest) -> None:
    verdict = guest.connect("other.toml")
    assert verdict.exit_code == REJECTED
    failed = [check["id"] for check in verdict.document["checks"] if check["outcome"] == "fail"]
    assert failed == ["snp.measurement" if guest.tee is Tee.SEV_SNP else "tdx.mr_td"]


def test_over_the_attested_channel_it_says_that_it_serves(guest: Guest) -> None:
    policy = cvmproof.read_policy((guest.folder / "image.toml").read_bytes(), name="image.toml")
    trust = cvmproof.TrustRoots.simulated()
    store = cvmproof.CollateralStore(folder=guest.folder / "collateral", trust=trust)
    with cvmproof.connect(
        guest.machine.url, policies=[policy], trust=trust, collateral=store, offline=True
    ) as attested:
        stub = health_pb2_grpc.HealthStub(attested.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=VERIFYING)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    guest.transcript.add("grpc.health.v1.Health/Check over the attested channel", "SERVING")


def test_the_owner_took_configfs_and_left_nothing_in_it(guest: Guest) -> None:
    guest.transcript.head("What the units took, and left")
    assert "configfs-tsm" in guest.show(f"journalctl --unit {OWNER} --output cat --grep answering")
    before = guest.simulator.answered_in_all
    assert guest.connect("image.toml").exit_code == ACCEPTED
    assert guest.simulator.answered_in_all > before
    assert guest.show(f"ls -A {ENTRIES}") == ""


def test_a_killed_owner_is_started_again_and_its_entry_is_gone(guest: Guest) -> None:
    guest.transcript.head("kill -9 of the device's owner in the middle of a request")
    # The way to the simulator stands still, so that a request is certainly under way when the owner dies.
    guest.ask("systemctl kill --signal STOP cvmproof-boot-relay.service")
    killed = guest.pid_of(OWNER)
    with guest.connecting("image.toml"):
        guest.machine.wait_for(f'test -n "$(ls -A {ENTRIES})"', seconds=VERIFYING)
        guest.show(f"ls -A {ENTRIES}; kill -9 {killed}")
        guest.ask("systemctl kill --signal CONT cvmproof-boot-relay.service")
    guest.machine.wait_for(f"test $(systemctl show --property MainPID --value {OWNER}) -gt 1", seconds=VERIFYING)
    guest.machine.wait_for(f"systemctl is-active {OWNER}", seconds=VERIFYING)
    guest.wait_until_serving()
    assert guest.pid_of(OWNER) != killed
    assert guest.connect("image.toml").exit_code == ACCEPTED
    assert guest.show(f"ls -A {ENTRIES}") == ""


def test_where_nobody_answers_for_the_processor_it_says_so_and_goes_on_later(guest: Guest) -> None:
    guest.transcript.head("The processor does not answer")
    guest.ask("systemctl stop cvmproof-boot-relay.service")
    try:
        refused = guest.connect("image.toml")
        assert refused.exit_code == ENDPOINT
    finally:
        guest.ask("systemctl start cvmproof-boot-relay.service")
    assert guest.connect("image.toml").exit_code == ACCEPTED
    assert guest.ask(f"ls -A {ENTRIES}") == ""


def test_without_configfs_it_asks_the_device(guest: Guest) -> None:
    guest.transcript.head("configfs refused")
    guest.ask(f"mkdir -p {DROP_IN}")
    guest.show(f"printf '[Service]\\nInaccessiblePaths=/sys/kernel/config\\n' | tee {DROP_IN}/refused.conf")
    try:
        guest.ask(f"systemctl daemon-reload; systemctl restart {OWNER}", seconds=VERIFYING)
        taken = guest.show(f"journalctl --unit {OWNER} --output cat --grep answering | tail -1")
        assert ("sev-guest" if guest.tee is Tee.SEV_SNP else "tdx-guest") in taken
        quotes = guest.quotes.answered
        assert guest.connect("image.toml").exit_code == ACCEPTED
        assert guest.quotes.answered == quotes + (guest.tee is Tee.TDX)
    finally:
        guest.ask(f"rm {DROP_IN}/refused.conf; systemctl daemon-reload; systemctl restart {OWNER}", seconds=VERIFYING)
    assert guest.connect("image.toml").exit_code == ACCEPTED


def test_a_processor_that_fails_is_said_to_and_a_key_that_the_driver_gave_up_is_lost(guest: Guest) -> None:
    guest.transcript.head("The processor fails")
    failing = Reply(exitinfo2=FIRMWARE_ERROR) if guest.tee is Tee.SEV_SNP else Reply(error=errno.EIO)
    guest.processor.instead = failing
    try:
        assert guest.connect("image.toml").exit_code == ENDPOINT
    finally:
        guest.processor.instead = None
    if guest.tee is Tee.SEV_SNP:
        # The driver answers ENOTTY until the machine restarts, or here its module.
        assert guest.connect("image.toml").exit_code == ENDPOINT
        units = f"{AGENT} {OWNER} cvmproof-boot-relay.service"
        guest.ask(f"systemctl stop {units}", seconds=VERIFYING)
        guest.show("modprobe --remove cvmproof_simulated && modprobe cvmproof_simulated")
        guest.ask(f"systemctl start {units}", seconds=VERIFYING)
        guest.wait_until_serving()
    assert guest.connect("image.toml").exit_code == ACCEPTED


@pytest.mark.parametrize("unit", UNITS)
def test_little_is_exposed_by_a_unit(guest: Guest, unit: str) -> None:
    guest.transcript.head(unit)
    analysis = guest.show(f"systemd-analyze security --no-pager {unit} | grep -v '✓' | tr -s ' '")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", analysis)
    assert found is not None
    assert float(found[1]) <= MOST_EXPOSED
    guest.show(f"systemctl status --no-pager --lines 0 {unit}")


def test_doctor_says_what_this_machine_offers(guest: Guest) -> None:
    guest.transcript.head("cvmproof-agent doctor")
    report = guest.show("cvmproof-agent doctor")
    assert "configfs-tsm" in report


def test_the_harness_answers_as_this_kernel_does(guest: Guest) -> None:
    guest.transcript.head("The same done to this kernel's interfaces and to those of `cvmproof-simulator devices`")
    real = json.loads(guest.ask("cd /usr/lib/cvmproof-boot && python3 -sE -m boot.guest.interfaces"))
    harness = interfaces_of_the_harness("snp" if guest.tee is Tee.SEV_SNP else "tdx")
    assert real.keys() == harness.keys()
    both = {(part, what): (real[part].get(what), harness[part].get(what)) for part in real for what in real[part]}
    different = {what for (_, what), (one, other) in both.items() if one != other}
    for part, answers in real.items():
        lines = [
            f"{what}: {answer}{'' if harness[part][what] == answer else '  *'}" for what, answer in answers.items()
        ]
        guest.transcript.add(f"interfaces.py    # {part}; * where the harness differs", "\n".join(lines))
    assert different == ONLY_A_KERNEL


def interfaces_of_the_harness(machine: str) -> dict[str, dict[str, str]]:
    command = [*command_of("cvmproof-simulator"), "devices", "--quiet", "--machine", machine, "--through", "fuse", "--"]
    done = subprocess.run(
        [*command, sys.executable, "-sE", "-m", "boot.guest.interfaces"],
        check=True,
        capture_output=True,
        cwd=ROOT,
        timeout=VERIFYING,
    )
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_no_unit_has_failed_in_the_end(guest: Guest) -> None:
    guest.transcript.head("Journal of the units")
    guest.show(f"journalctl --boot --no-pager --output short-monotonic {' '.join(f'--unit {unit}' for unit in UNITS)}")
    assert guest.ask("systemctl --failed --no-legend --plain") == ""
