"""`doctor`: 0 where all is well, 3 where something is not, 5 where no device can be used."""

import pytest
from tests.agent.cli.program import run

from cvmproof_agent.cli.doctor import _code
from cvmproof_agent.doctor import Finding, Outcome

WELL, ILL = (Finding(id="swap", outcome=outcome, message="") for outcome in Outcome)
NO_DEVICE = Finding(id="device", outcome=Outcome.FAIL, message="")


def test_ac_123_no_device_is_5() -> None:
    ran = run("doctor", "--json")
    assert ran.code == 5
    assert ran.document["schema"] == "cvmproof.doctor/1"


@pytest.mark.parametrize(("device", "answer"), [("simulated:snp", "a report in"), ("simulated:tdx", "a quote in")])
def test_a_simulated_device_is_looked_at_when_named(device: str, answer: str) -> None:
    assert f"{device}: {answer}" in run("doctor", "--device", device).out


@pytest.mark.parametrize(
    ("findings", "code"), [((WELL,), 0), ((WELL, ILL), 3), ((NO_DEVICE, WELL), 5), ((NO_DEVICE, ILL), 5)]
)
def test_what_was_found_decides_the_exit_code(findings: tuple[Finding, ...], code: int) -> None:
    assert _code(findings) == code
