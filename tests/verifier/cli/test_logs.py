"""Log lines: JSON for machines, text for people, escaped in both."""

import json
import logging

import pytest

from cvmproof.cli.logs import configure_logging

from .conftest import Run


@pytest.fixture(autouse=True)
def _as_before() -> object:
    logger = logging.getLogger("cvmproof")
    before = (logger.handlers[:], logger.propagate, logger.level)
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


def test_lines_are_json_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging({})
    logging.getLogger("cvmproof.x").warning("a\x1b[2J %s", "b")
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "cvmproof.x", "a\\x1b[2J b")


def test_lines_are_text_where_wanted_at_the_level_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging({"log_format": "text", "log_level": "error"})
    logging.getLogger("cvmproof.x").warning("not this")
    logging.getLogger("cvmproof.x").error("this")
    assert capsys.readouterr().err == "error: this\n"


def test_flags_are_taken_by_every_command(run: Run) -> None:
    assert run("policy", "list", "--log-level", "debug", "--log-format", "text").code == 0
    assert run("--log-level", "info", "policy", "list").code == 0
    assert run("policy", "list", "--log-level", "everything").code == 1
