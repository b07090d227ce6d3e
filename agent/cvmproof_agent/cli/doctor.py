"""`cvmproof-agent doctor`: whether the device is there, and is nobody else's."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cvmproof_agent.attester import open_attester
from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import write, write_json
from cvmproof_agent.cli.parser import DEVICE_HELP, Options, Parser
from cvmproof_agent.doctor import Finding, Outcome, examine_device, examine_guest
from cvmproof_agent.logs import escape

_SCHEMA = "cvmproof.doctor/1"


class DoctorOptions(Options):
    """What `doctor` is told."""

    device: str = "auto"
    json: bool = False


def doctor(arguments: Sequence[str]) -> int:
    """Look whether the device works and nobody else in this guest can have reports over data of its own."""
    options = parser().read(arguments, DoctorOptions())
    findings = (examine_device(partial(open_attester, options.device)), *examine_guest(Path("/")))
    code = _code(findings)
    if options.json:
        write_json({"schema": _SCHEMA, "healthy": code is ExitCode.DONE, "findings": [_document(f) for f in findings]})
    else:
        for finding in findings:
            _print(finding)
    return code


def parser() -> Parser:
    """What it can be told."""
    made = Parser("doctor", description=doctor.__doc__ or "")
    made.add_argument("--device", metavar="NAME", help=DEVICE_HELP)
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def _code(findings: tuple[Finding, ...]) -> ExitCode:
    failed = [finding.id for finding in findings if finding.outcome is Outcome.FAIL]
    if "device" in failed:
        return ExitCode.ENDPOINT
    return ExitCode.REFUSED if failed else ExitCode.DONE


def _document(finding: Finding) -> dict[str, str]:
    return {"id": finding.id, "outcome": finding.outcome, "message": finding.message, "hint": finding.hint}


def _print(finding: Finding) -> None:
    mark = "ok  " if finding.outcome is Outcome.OK else "FAIL"
    write(f"{mark}  {finding.id:8}  {escape(finding.message)}")
    if finding.hint:
        write(f"      next: {escape(finding.hint)}")
