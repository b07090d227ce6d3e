"""`doctor`: 0 where all is well, 3 where something is not, 5 where no device can be used."""

import pytest
from tests.agent.cli.program import run

from cvmproof_agent.cli.doctor import _code, _tree
from cvmproof_agent.doctor.finding import Finding, Outcome, Section

WELL, ILL, ABSENT = (Finding(id="swap", outcome=outcome, message="said") for outcome in Outcome)
NO_DEVICE = Finding(id="device", outcome=Outcome.FAIL, message="none", hint="get one")


def test_ac_123_no_device_is_5() -> None:
    ran = run("doctor", "--json")
    assert ran.code == 5
    assert ran.document["schema"] == "cvmproof.doctor/1"
    assert ran.document["healthy"] is False


@pytest.mark.parametrize(("device", "answer"), [("simulated:snp", "a report in"), ("simulated:tdx", "a quote in")])
def test_a_simulated_device_is_looked_at_when_named(device: str, answer: str) -> None:
    assert f"{device}: {answer}" in run("doctor", "--device", device).out


@pytest.mark.parametrize(
    ("findings", "code"),
    [((WELL,), 0), ((WELL, ABSENT), 0), ((WELL, ILL), 3), ((NO_DEVICE, WELL), 5), ((NO_DEVICE, ILL), 5)],
)
def test_what_was_found_decides_the_exit_code(findings: tuple[Finding, ...], code: int) -> None:
    assert _code(findings) == code


def test_it_is_a_tree_with_what_to_do() -> None:
    section = Section(title="this guest", findings=(NO_DEVICE, WELL))
    assert list(_tree(section, colour=False)) == [
        "this guest",
        "├─ [FAIL] device  none",
        "│         next: get one",
        "└─ [PASS] swap    said",
    ]


def test_an_outcome_has_its_colour_on_a_terminal() -> None:
    lines = list(_tree(Section(title="x", findings=(WELL, ILL, ABSENT)), colour=True))
    assert [line.split("m[")[0][-2:] for line in lines[1:]] == ["32", "31", "[2"]
