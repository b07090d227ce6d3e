"""A machine that boots Debian's own kernel with our package in it is accepted by a verifier outside of it.

What is between is real: the kernel's system calls and configfs, systemd, udev, TLS; what signs is the simulator.
"""

from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.boot.guest import ENTRIES, VERIFYING, Guest

import cvmproof
from cvmproof_formats.binding import Tee

ACCEPTED, REJECTED = 0, 3


def test_a_real_kernel_has_the_device(guest: Guest) -> None:
    guest.transcript.head("The kernel, its device, and the way to the simulator")
    guest.show("uname --kernel-release --kernel-version")
    log = guest.show("dmesg | grep cvmproof_simulated:")
    assert "SIMULATED" in log
    guest.show(f"ls -l /dev/sev-guest /dev/tdx_guest /dev/cvmproof-backend 2>/dev/null; ls -ld {ENTRIES}")
    assert guest.ask(f"stat --format=%F {guest.node}") == "character special file"


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
    guest.transcript.add("grpc Health.Check over the attested channel", "SERVING")
