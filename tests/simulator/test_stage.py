"""What the demo plays on stands while its context lasts, and only its own options are put into commands."""

import sys
from pathlib import Path

import pytest

from cvmproof_formats.errors import EndpointError
from cvmproof_simulator import stage
from cvmproof_simulator.program import environment
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT
from cvmproof_simulator.stage import EVIL, FLOOR, GOOD, IMAGE, POLICIES, TD, set_stage


def test_three_cvms_are_listed_with_their_agents_and_policies() -> None:
    with set_stage(environment(color=False)) as playing:
        assert {cvm.id: cvm.agent_url for cvm in playing.prism.cvms} == dict(playing.agents)
        assert set(playing.agents) == {GOOD, TD, EVIL}
        for name in playing.agents:
            assert playing.prism.policies(name) == ((playing.folder / POLICIES[name]).read_bytes(),)
        assert {cvm.id: cvm.cc_platform for cvm in playing.prism.cvms}[TD] == "tdx"
        token = playing.folder / "token"
        assert (token.read_text().strip(), token.stat().st_mode & 0o777) == (playing.prism.token, 0o600)
        assert playing.expand(["cvm", "$FAKE", FLOOR, "$OTHER"]) == [
            *("cvm", "--kds", playing.kds.url, "--pccs", playing.pccs.url),
            *("--collateral", "collateral", FLOOR, "$OTHER"),
        ]
    assert not playing.folder.exists()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import time; time.sleep(60)", "did not start within 0 s"),
        ("print('no')", "did not start: no"),
        ("", "it said nothing"),
    ],
)
def test_an_agent_that_does_not_start_is_an_error(code: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_STARTING", 0.3)
    monkeypatch.setattr(stage, "agent_command", lambda _: [sys.executable, "-S", "-c", code])
    if "sleep" not in code:
        monkeypatch.setattr(stage, "_STARTING", 20.0)
    with pytest.raises(EndpointError, match=why), set_stage(environment(color=False)):
        pass


def test_the_policies_without_a_clone_demand_the_same_software(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "__file__", str(tmp_path / "a" / "b" / "stage.py"))
    stage.write_policies(tmp_path / "examples")
    for name in (IMAGE, FLOOR):
        assert SIMULATED_MEASUREMENT.hex() in (tmp_path / name).read_text("utf-8")
