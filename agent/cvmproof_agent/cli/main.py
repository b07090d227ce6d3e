"""The program `cvmproof-agent`: commands by name, and what becomes of everything that can go wrong."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Final, NoReturn

from cvmproof_agent.cli.exit_code import ExitCode, exit_code_of
from cvmproof_agent.cli.parser import Options, Parser
from cvmproof_agent.logs import escape
from cvmproof_formats.errors import Category, CvmproofError, Misuse

_log = logging.getLogger(__name__)
_ISSUES: Final = "please report this at the address in SECURITY.md, with the command and --log-level debug"
Command = Callable[[Sequence[str]], int]
"""Takes its arguments, and gives its exit code."""


class _ProgramOptions(Options):
    command: str | None = None
    arguments: Sequence[str] = ()


class Program:
    """The top of the command line; commands are imported when they are called."""

    def __init__(self, lazy: Mapping[str, tuple[str, str]]) -> None:
        """Take, by command name, where it is ("module:function") and its one line of help."""
        self._lazy = lazy

    def run(self, arguments: Sequence[str]) -> int:
        """Run a command line and give its exit code, whatever happens."""
        as_json = "--json" in arguments
        try:
            return self.invoke(arguments)
        except CvmproofError as error:
            return _report(error, as_json=as_json)
        except SystemExit as end:  # help or the version were asked for
            return int(end.code or ExitCode.DONE)
        except KeyboardInterrupt:
            return die_by(signal.SIGINT)
        except BrokenPipeError:  # nobody reads on
            return die_by(signal.SIGPIPE)
        except Exception as error:  # noqa: BLE001 -- our own bug, told as one
            _log.debug("where it happened", exc_info=error)
            bug = CvmproofError(f"a bug of cvmproof-agent: {type(error).__name__}", hint=_ISSUES)
            return _report(bug, as_json=as_json)

    def invoke(self, arguments: Sequence[str]) -> int:
        """Run a command; raises what it raises, Misuse for a command line that means nothing."""
        parser = self._parser()
        given = parser.parse_args(arguments, _ProgramOptions())
        if given.command is None:
            parser.print_help(sys.stderr)
            raise Misuse("expected a command")
        return self._command(given.command)([*_repeated(given), *given.arguments])

    def commands(self) -> Iterator[tuple[str, str, Parser]]:
        """Import every command; gives its name, its one line of help, and what it can be told."""
        for name, (where, help_) in self._lazy.items():
            yield name, help_, import_module(where.partition(":")[0]).parser()

    def _parser(self) -> Parser:
        commands = "\n".join(f"  {name:10}  {help_}" for name, (_, help_) in self._lazy.items())
        parser = Parser(description=_HELP, epilog=f"commands:\n{commands}\n\n{_EPILOG}")
        parser.add_argument(
            "command", nargs="?", choices=list(self._lazy), metavar="COMMAND", help="one of those below"
        )
        parser.add_argument(
            "arguments", nargs=argparse.REMAINDER, metavar="...", help="its own, which its --help names"
        )
        return parser

    def _command(self, name: str) -> Command:
        module, _, function = self._lazy[name][0].partition(":")
        found: Command = getattr(import_module(module), function)
        return found


def die_by(number: signal.Signals) -> int:
    """End as a process does that such a signal ends, so that shells and pipes see what happened."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return ExitCode.INTERNAL


def write_json(document: Mapping[str, object]) -> None:
    """Write one JSON object to standard output."""
    write(json.dumps(document, indent=1))


def write(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Write a line to standard error; nobody has to read it."""
    try:
        sys.stderr.write(escape(text) + "\n")
        sys.stderr.flush()
    except OSError:
        return


def _repeated(given: Options) -> list[str]:
    """What stood before the command, for its own parser."""
    flags = {"--log-level": given.log_level, "--log-format": given.log_format}
    return [word for flag, value in flags.items() if value is not None for word in (flag, value)]


def _report(error: CvmproofError, *, as_json: bool) -> int:
    say(f"cvmproof-agent: {error.category}: {error}")
    if error.hint:
        say(f"next: {error.hint}")
    if as_json:
        detail = {"class": type(error).__name__, "category": error.category, "message": str(error), "hint": error.hint}
        write_json({"error": detail})
    return exit_code_of(error) if error.category is not Category.INTERNAL else ExitCode.INTERNAL


_HELP: Final = "Get evidence from the hardware of this confidential VM, and serve it."
_EPILOG: Final = "Exit codes: 0 done, 1 used wrongly, 3 doctor found a fault, 5 device or address failed, 70 our bug."
cli = Program(
    {
        "serve": ("cvmproof_agent.cli.serve:serve", "serve evidence, bound to the connections that ask for it"),
        "own": ("cvmproof_agent.cli.own:own", "have the device, for a serve that runs as another user"),
        "collect": ("cvmproof_agent.cli.collect:collect", "write evidence to a file"),
        "doctor": ("cvmproof_agent.cli.doctor:doctor", "look whether the device works and is nobody else's"),
        "extend": ("cvmproof_agent.cli.extend:extend", "measure something into RTMR2 or RTMR3 of this TD"),
        "completion": ("cvmproof_agent.cli.completion:completion", "print what teaches bash or zsh to complete these"),
    }
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of this process."""
    sys.exit(cli.run(list(sys.argv[1:] if arguments is None else arguments)))
