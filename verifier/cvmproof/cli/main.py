"""The program: commands by name, and what becomes of everything that can go wrong.

Every command ends with one of seven exit codes. Where `--json` is among the arguments, one object stands on standard
output whatever happened.
"""

import gc
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

import click

from cvmproof.cli.command import LazyGroup
from cvmproof.cli.exit_code import ExitCode, exit_code_of
from cvmproof.cli.output import say, say_error, write_json
from cvmproof.document import ErrorDetail, error_detail, error_document
from cvmproof.errors import Category, CvmproofError, Misuse

_ISSUES = "please report this at the address in SECURITY.md, with the command and --log-level debug"
_COMPLETE = "_CVMPROOF_COMPLETE"


class Program(LazyGroup):
    """The top of the command line; calling it ends the process with an exit code."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override] # noqa: ANN401 -- click's overloads, of which one is used
        """Run a command line and exit."""
        if _COMPLETE in os.environ:
            return super().main(args, "cvmproof", _COMPLETE, **extra)
        sys.exit(self.run(list(sys.argv[1:] if args is None else args), prog_name or "cvmproof"))

    def run(self, arguments: list[str], name: str = "cvmproof") -> int:
        """Run a command line and give its exit code, whatever happens."""
        debug, as_json = _wants_debug(arguments), "--json" in arguments
        try:
            return self._run_command(arguments, name, as_json=as_json)
        except BrokenPipeError:
            die_by("SIGPIPE")
        except KeyboardInterrupt:
            say("interrupted")
            die_by("SIGINT")
        except Exception as error:  # noqa: BLE001 -- our own bug: told as one, never as a verdict
            return _report_bug(error, as_json=as_json, debug=debug)

    def _run_command(self, arguments: list[str], name: str, *, as_json: bool) -> int:
        try:
            with self.make_context(name, arguments) as ctx:
                found = self.invoke(ctx)
                return int(found) if isinstance(found, int) else ExitCode.ACCEPTED
        except click.exceptions.Exit as end:
            return end.exit_code
        except click.ClickException as error:
            return _report_usage(error, as_json=as_json)
        except CvmproofError as error:
            return _report(error, as_json=as_json)


def _report(error: CvmproofError, *, as_json: bool) -> int:
    say_error(f"{error.category}: {error}", error.hint)
    return _end(error_detail(error), exit_code_of(error), as_json=as_json)


def _report_usage(error: click.ClickException, *, as_json: bool) -> int:
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        say(error.format_message())
        return _end(error_detail(Misuse("expected a command")), ExitCode.MISUSE, as_json=as_json)
    hint = f"{ctx.command_path} --help" if ctx else "cvmproof --help"
    return _report(Misuse(error.format_message(), hint=hint), as_json=as_json)


def _report_bug(error: Exception, *, as_json: bool, debug: bool) -> int:
    if debug:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip())
    message = f"{type(error).__name__}: {error}"
    say_error(f"{Category.INTERNAL}: a bug of cvmproof: {message}", _ISSUES)
    detail = error_detail(CvmproofError(message, hint=_ISSUES))
    return _end(detail, ExitCode.INTERNAL, as_json=as_json)


def _end(detail: ErrorDetail, code: ExitCode, *, as_json: bool) -> ExitCode:
    if as_json:
        try:
            write_json(error_document(detail))
        except CvmproofError:
            return code  # standard output is what failed, and standard error has it already
    return code


def _wants_debug(arguments: Sequence[str]) -> bool:
    return "--log-level=debug" in arguments or ("--log-level", "debug") in pairwise(arguments)


def die_by(name: str) -> NoReturn:
    """End as a process does that such a signal ends, so that shells and pipes see what happened."""
    import signal

    number = getattr(signal, name, None)
    if number is not None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(ExitCode.INTERNAL)


_COMMANDS = {
    "verify": ("cvmproof.cli.verify:verify", "Appraise evidence: accepted, rejected with every reason, or undecided."),
    "connect": ("cvmproof.cli.connect:connect", "Connect to an agent, and appraise evidence bound to that connection."),
    "inspect": ("cvmproof.cli.inspect:inspect", "Show what a file says, field by field; nothing is checked."),
    "explain": ("cvmproof.cli.explain:explain", "Put a --json result into prose, with what to do next."),
    "policy": ("cvmproof.cli.policy:policy", "Check, list, show and write policies."),
    "collateral": ("cvmproof.cli.collateral:collateral", "Fetch, import and show certificates, CRLs and TCB info."),
    "cvm": ("cvmproof.cli.cvm:cvm", "List the CVMs of an API, and verify them before anything is sent to them."),
    "completion": ("cvmproof.cli.completion:completion", "Print the completion script of a shell."),
}  # fmt: skip

cli = Program(
    "cvmproof",
    lazy=_COMMANDS,
    help_="Is this machine a genuine AMD SEV-SNP or Intel TDX guest, running what you expect?",
    epilog="Exit codes: 0 accepted, 1 used wrongly, 2 malformed evidence, 3 rejected, 4 undecided, 5 endpoint or"
    " device failed, 70 our bug.",
)


def main() -> NoReturn:
    """Run the command line of this process.

    The interpreter is not taken apart at the end: that costs as much time as the verdict itself, and there is nothing
    left to do. Output was flushed where it was written, files are closed, locks released.
    """
    gc.disable()  # a command is over before garbage matters, and its input is bounded
    if _COMPLETE in os.environ:
        cli.main()
    code = cli.run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or ExitCode.ENDPOINT
    os._exit(code)
