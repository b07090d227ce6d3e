"""`cvmproof-agent doctor`: whether the device is there, and is nobody else's."""

from functools import partial
from pathlib import Path

import click

from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import command, write_json
from cvmproof_agent.device import open_device
from cvmproof_agent.doctor import Finding, Outcome, examine_device, examine_guest
from cvmproof_agent.logs import escape

_SCHEMA = "cvmproof.doctor/1"


@command("doctor")
@click.option("--device", default="auto", show_default=True, metavar="NAME", help="auto, or simulated:...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(*, device: str, as_json: bool) -> int:  # noqa: D103 -- click would show a docstring as the command's help
    findings = (examine_device(partial(open_device, device)), *examine_guest(Path("/")))
    code = _code(findings)
    if as_json:
        write_json({"schema": _SCHEMA, "healthy": code is ExitCode.DONE, "findings": [_document(f) for f in findings]})
    else:
        for finding in findings:
            _print(finding)
    return code


doctor.help = "Look whether the device works and nobody else in this guest can have reports over data of its own."


def _code(findings: tuple[Finding, ...]) -> ExitCode:
    failed = [finding.id for finding in findings if finding.outcome is Outcome.FAIL]
    if "device" in failed:
        return ExitCode.ENDPOINT
    return ExitCode.REFUSED if failed else ExitCode.DONE


def _document(finding: Finding) -> dict[str, str]:
    return {"id": finding.id, "outcome": finding.outcome, "message": finding.message, "hint": finding.hint}


def _print(finding: Finding) -> None:
    mark = "ok  " if finding.outcome is Outcome.OK else "FAIL"
    click.echo(f"{mark}  {finding.id:8}  {escape(finding.message)}")
    if finding.hint:
        click.echo(f"      next: {escape(finding.hint)}")
