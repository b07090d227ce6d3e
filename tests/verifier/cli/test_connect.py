import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from tests.verifier.channel.conftest import echo
from tests.verifier.channel.fake_agent import PSP, TD, FakeAgent
from tests.verifier.cli.conftest import POLICY, Run

from cvmproof_agent.device import open_device
from cvmproof_agent.serve import Agent
from cvmproof_formats.snp.report import read_report
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.tdx.collateral import Collateral as IntelCollateral
from cvmproof_simulator.tdx.pcs import FakePcs
from cvmproof_simulator.tdx.td import SIMULATED_MRTD

__all__ = ["echo"]
CHIP = PSP.chip_id.hex()
REPORT_ID = read_report(PSP.report(bytes(64))).report_id.hex()


@pytest.fixture(scope="module")
def kds() -> Iterator[FakeKds]:
    with FakeKds(PSP) as fake:
        yield fake


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return str(path)


def options(policy: str, kds: FakeKds, *more: str) -> tuple[str, ...]:
    return ("--policy", policy, "--trust", "simulated", "--kds", kds.url, *more)


def test_an_accepted_agent_is_shown_with_its_grade(run: Run, policy: str, kds: FakeKds) -> None:
    with FakeAgent() as agent:
        ran = run("connect", agent.url, *options(policy, kds))
        assert f"127.0.0.1:{agent.port}" in ran.stdout
    assert ran.code == 0
    assert "ACCEPTED (simulated)   channel-bound" in ran.stdout


@pytest.fixture(scope="module")
def pcs() -> Iterator[FakePcs]:
    issued = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    with FakePcs(IntelCollateral.of(TD.platform, issued), caching=True) as fake:
        yield fake


def tdx_options(folder: Path, pcs: FakePcs, *more: str) -> tuple[str, ...]:
    path = folder / "tdx.toml"
    path.write_text(f'extends = "builtin:recommended"\n\n[tdx]\nmr_tds = ["{SIMULATED_MRTD.hex()}"]\n')
    return ("--policy", str(path), "--trust", "simulated", "--pccs", pcs.url, *more)


@pytest.mark.parametrize("version", [4, 5])
def test_an_accepted_td_is_shown_with_its_grade(run: Run, tmp_path: Path, pcs: FakePcs, version: int) -> None:
    with Agent(open_device(f"simulated:tdx,version={version}")) as agent:
        host, port = agent.address
        ran = run("connect", f"https://{host}:{port}", *tdx_options(tmp_path, pcs))
    assert ran.code == 0
    assert f"TDX · 51d000000000 · quote v{version}" in ran.stdout
    assert "ACCEPTED (simulated)   channel-bound" in ran.stdout


def test_a_td_that_is_not_as_demanded_is_refused_with_every_reason(run: Run, tmp_path: Path, pcs: FakePcs) -> None:
    device = f"simulated:tdx,platform=OutOfDate,td_attributes=0x10000001,mr_td={'ab' * 48}"
    with Agent(open_device(device)) as agent:
        host, port = agent.address
        ran = run("connect", f"https://{host}:{port}", *tdx_options(tmp_path, pcs, "--json"))
    assert ran.code == 3
    failed = {check["id"] for check in ran.document["checks"] if check["outcome"] == "fail"}
    assert {"tdx.mr_td", "tdx.attributes.debug"} <= failed
    assert ran.document["assurance"] == "evidence-only"


def test_a_td_on_a_machine_that_lacks_updates_is_refused_by_intels_word(run: Run, tmp_path: Path, pcs: FakePcs) -> None:
    with Agent(open_device("simulated:tdx,platform=OutOfDate")) as agent:
        host, port = agent.address
        ran = run("connect", f"https://{host}:{port}", *tdx_options(tmp_path, pcs, "--json"))
    assert ran.code == 3
    assert {check["id"] for check in ran.document["checks"] if check["outcome"] == "fail"} == {"tdx.tcb.status"}
    assert ran.document["claims"]["tcb"]["platform"] == "OutOfDate"


def test_a_policy_about_the_other_technology_alone_takes_no_td(run: Run, policy: str, pcs: FakePcs) -> None:
    with FakeAgent(td=TD) as agent:
        ran = run("connect", agent.url, "--policy", policy, "--trust", "simulated", "--pccs", pcs.url, "--json")
        assert ran.code == 3
        assert "policy.tee" in {check["id"] for check in ran.document["checks"] if check["outcome"] == "fail"}
        assert not agent.received


def test_json_is_one_object_with_the_grade_and_the_live_checks(run: Run, policy: str, kds: FakeKds) -> None:
    with FakeAgent() as agent:
        ran = run("connect", agent.url, *options(policy, kds, "--json"))
    assert (ran.document["verdict"], ran.document["assurance"]) == ("accepted", "channel-bound")
    assert {"binding.report_data", "freshness.nonce"} <= {check["id"] for check in ran.document["checks"]}


@pytest.mark.parametrize(("pin", "pinned"), [(f"machine:{CHIP}", "machine"), (f"instance:{REPORT_ID}", "instance")])
def test_a_pin_says_which_machine(run: Run, policy: str, kds: FakeKds, pin: str, pinned: str) -> None:
    with FakeAgent() as agent:
        ran = run("connect", agent.url, *options(policy, kds, "--pin", pin, "--json"))
        assert ran.code == 0
        assert (ran.document["identity_pinned"], ran.document["identity_pin_source"]) == (pinned, "operator")
        kind, _, value = pin.partition(":")
        other = f"{kind}:{'7' + value[1:] if value[0] != '7' else '8' + value[1:]}"
        ran = run("connect", agent.url, *options(policy, kds, "--pin", other, "--json"))
        assert ran.code == 3
        assert ran.categories() == {"IDENTITY"}
        ran = run("connect", agent.url, *options(policy, kds, "--pin", other, "--pin", pin))
        assert ran.code == 0
        assert not agent.received


@pytest.mark.parametrize("pin", ["machine", "machine:", "machine:zz", f"machine:{CHIP}00", f"chip:{CHIP}", CHIP])
def test_a_pin_that_is_none_is_used_wrongly(run: Run, policy: str, kds: FakeKds, pin: str) -> None:
    ran = run("connect", "https://127.0.0.1:1", *options(policy, kds, "--pin", pin))
    assert ran.code == 1
    assert "--pin: expected" in ran.stderr


def test_a_policy_that_leaves_software_open_needs_a_word(run: Run, kds: FakeKds) -> None:
    with FakeAgent() as agent:
        refused = run("connect", agent.url, *options("builtin:genuine", kds))
        assert refused.code == 1
        assert "no policy says which software may run" in refused.stderr
        assert agent.connections == []
        assert run("connect", agent.url, *options("builtin:genuine", kds, "--any-software")).code == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1", "https://u:p@127.0.0.1:1", "https://127.1:1"])
def test_ac_112_a_url_that_is_none_is_used_wrongly(run: Run, policy: str, kds: FakeKds, url: str) -> None:
    ran = run("connect", url, *options(policy, kds, "--json"))
    assert ran.code == 1
    assert ran.categories() == {"ENDPOINT"}


def test_nobody_there_is_the_endpoints_fault(run: Run, policy: str, kds: FakeKds) -> None:
    ran = run("connect", "https://127.0.0.1:1", *options(policy, kds, "--json"))
    assert ran.code == 5
    assert ran.categories() == {"UNAVAILABLE"}


def test_a_refused_agent_is_shown_with_the_reason(run: Run, policy: str, kds: FakeKds) -> None:
    with FakeAgent() as agent:
        ran = run("connect", agent.url, "--policy", policy, "--kds", kds.url, "--offline", "--json")
        assert ran.code == 3
        assert "SIMULATED" in ran.categories()
        assert ran.document["assurance"] == "evidence-only"
        assert not agent.received


def test_offline_without_collateral_it_stays_undecided(run: Run, policy: str) -> None:
    with FakeAgent() as agent:
        ran = run("connect", agent.url, "--policy", policy, "--trust", "simulated", "--offline", "--json")
    assert ran.code == 4
    assert ran.document["error"]["category"] == "UNAVAILABLE"


@pytest.mark.parametrize("where", ["0.0.0.0:0", "192.168.0.1:80", "8080", "unix:"])
def test_forwarding_to_others_is_refused_before_anything_is_dialled(
    run: Run, policy: str, kds: FakeKds, where: str
) -> None:
    with FakeAgent() as agent:
        ran = run("connect", agent.url, *options(policy, kds, "--forward", where))
        assert ran.code == 1
        assert agent.connections == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_forwarding_lets_other_programs_talk_until_it_is_ended(
    policy: str, kds: FakeKds, echo: str, tmp_path: Path, how: signal.Signals
) -> None:
    path = tmp_path / "forward"
    with FakeAgent(service=echo) as agent:
        command = [sys.executable, "-m", "cvmproof.cli", "connect", agent.url, *options(policy, kds)]
        command += ["--forward", f"unix:{path}", "--json", "--collateral", str(tmp_path / "store")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            while "forwarding" not in line:
                assert line, process.stdout and process.stdout.read()
                line = process.stderr.readline()
            with grpc.insecure_channel(f"unix:{path}") as channel:
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Say")
                assert call(b"hello", timeout=10) == b"hello"
            process.send_signal(how)
            output, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert json.loads(output)["verdict"] == "accepted"
        assert not path.exists()
        assert len(set(agent.requests)) == 2
