"""`cvmproof-agent doctor`: what this machine offers, whether it works, and whether it is nobody else's."""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from cvmproof_agent.attester import OWNER, open_attester
from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import write, write_json
from cvmproof_agent.cli.parser import DEVICE_HELP, Options, Parser
from cvmproof_agent.devices.probing import probe
from cvmproof_agent.doctor.device import DEVICE, NONE, examine_device
from cvmproof_agent.doctor.finding import Finding, Outcome, Section
from cvmproof_agent.doctor.interfaces import examine_interfaces
from cvmproof_agent.doctor.memory import examine_swap
from cvmproof_agent.doctor.nodes import examine_nodes
from cvmproof_agent.doctor.signers import examine_signers
from cvmproof_agent.logs import escape

_SCHEMA: Final = "cvmproof.doctor/1"
_COLOURS: Final = {Outcome.PASS: "32", Outcome.FAIL: "31", Outcome.SKIP: "2"}  # ECMA-48, SGR: green, red, faint


class DoctorOptions(Options):
    """What `doctor` is told."""

    device: str = "auto"
    json: bool = False


def doctor(arguments: Sequence[str]) -> int:
    """Look what this machine offers, whether it works, and that nobody else can have reports over data of its own."""
    options = parser().read(arguments, DoctorOptions())
    root, probes = Path("/"), probe()
    none = options.device == "auto" and not any(each.usable for each in probes)
    device = NONE if none else examine_device(partial(open_attester, options.device))
    sections = (
        Section(title="what this machine offers", findings=examine_interfaces(probes, owned=options.device == OWNER)),
        Section(title="the device that is used", findings=(device,)),
        Section(title="this guest", findings=(examine_nodes(root), examine_signers(root), examine_swap(root))),
    )
    findings = tuple(finding for section in sections for finding in section.findings)
    code = _code(findings)
    if options.json:
        write_json({"schema": _SCHEMA, "healthy": code is ExitCode.DONE, "findings": [_document(f) for f in findings]})
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        write("\n".join(line for section in sections for line in _tree(section, colour=colour)))
    return code


def parser() -> Parser:
    """What it can be told."""
    made = Parser("doctor", description=doctor.__doc__ or "")
    made.add_argument("--device", metavar="NAME", help=DEVICE_HELP)
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def _code(findings: tuple[Finding, ...]) -> ExitCode:
    failed = [finding.id for finding in findings if finding.outcome is Outcome.FAIL]
    if DEVICE in failed:
        return ExitCode.ENDPOINT
    return ExitCode.REFUSED if failed else ExitCode.DONE


def _document(finding: Finding) -> dict[str, str]:
    return {"id": finding.id, "outcome": finding.outcome, "message": finding.message, "hint": finding.hint}


def _tree(section: Section, *, colour: bool) -> Iterator[str]:
    yield section.title
    width = max(len(finding.id) for finding in section.findings)
    for finding in section.findings:
        last = finding is section.findings[-1]
        mark = f"[{finding.outcome.upper()}]"
        if colour:
            mark = f"\033[{_COLOURS[finding.outcome]}m{mark}\033[0m"
        yield f"{'└─' if last else '├─'} {mark} {finding.id:{width}}  {escape(finding.message)}"
        if finding.hint:
            yield f"{' ' if last else '│'}         next: {escape(finding.hint)}"
