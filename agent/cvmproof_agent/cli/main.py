"""The program `cvmproof-agent`: commands by name, and what becomes of everything that can go wrong."""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from cvmproof_agent.cli.exit_code import ExitCode, exit_code_of
from cvmproof_agent.cli.settings import read_environment
from cvmproof_agent.logs import FORMATS, LEVELS, configure_logging, escape
from cvmproof_agent.version import version
from cvmproof_formats.errors import Category, CvmproofError, Misuse

_log = logging.getLogger(__name__)
_CONTEXT: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_FLAGS: Final = "cvmproof_agent.flags"
_COMPLETE: Final = "_CVMPROOF_AGENT_COMPLETE"
_ISSUES: Final = "please report this at the address in SECURITY.md, with the command and --log-level debug"


class Command(click.Command):
    """A command with the options that every command has."""

    def __init__(self, name: str | None, **options: Any) -> None:  # noqa: ANN401 -- click's options pass through
        super().__init__(name, context_settings=_CONTEXT, **options)
        self.params += _common_options()

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 -- click's signature
        """Set up logging, or refuse the settings, and run."""
        settings = {"log_level": "info", **read_environment(), **ctx.find_root().meta.get(_FLAGS, {})}
        configure_logging(level=settings["log_level"], form=settings.get("log_format"))
        return super().invoke(ctx)


class Program(click.Group):
    """The top of the command line; commands are imported when they are called."""

    def __init__(self, lazy: Mapping[str, tuple[str, str]]) -> None:
        """Take, by command name, where it is ("module:function") and its one line of help."""
        super().__init__("cvmproof-agent", help=_HELP, epilog=_EPILOG, context_settings=_CONTEXT)
        self._lazy = lazy
        self.params += _common_options()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Name the commands."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's
        """Import the command."""
        if cmd_name not in self._lazy:
            return None
        module, _, name = self._lazy[cmd_name][0].partition(":")
        found = getattr(import_module(module), name)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in self._lazy.items()])

    def run(self, arguments: list[str]) -> int:
        """Run a command line and give its exit code, whatever happens."""
        as_json = "--json" in arguments
        try:
            return self._run_command(arguments, as_json=as_json)
        except CvmproofError as error:
            return _report(error, as_json=as_json)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
            return ExitCode.INTERNAL
        except Exception as error:  # noqa: BLE001 -- our own bug, told as one
            _log.debug("where it happened", exc_info=error)
            bug = CvmproofError(f"a bug of cvmproof-agent: {type(error).__name__}", hint=_ISSUES)
            return _report(bug, as_json=as_json)

    def _run_command(self, arguments: list[str], *, as_json: bool) -> int:
        try:
            with self.make_context("cvmproof-agent", arguments) as ctx:
                found = self.invoke(ctx)
                return int(found) if isinstance(found, int) else ExitCode.DONE
        except click.exceptions.Exit as end:
            return end.exit_code
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            return _report(Misuse("expected a command"), as_json=as_json)
        except click.ClickException as error:
            raise Misuse(error.format_message(), hint="cvmproof-agent --help") from error


def command(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that gives its exit code."""
    return click.command(name, cls=Command)


def write_json(document: Mapping[str, object]) -> None:
    """Write one JSON object to standard output."""
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Write a line to standard error; nobody has to read it."""
    try:
        sys.stderr.write(escape(text) + "\n")
        sys.stderr.flush()
    except OSError:
        return


def _report(error: CvmproofError, *, as_json: bool) -> int:
    say(f"cvmproof-agent: {error.category}: {error}")
    if error.hint:
        say(f"next: {error.hint}")
    if as_json:
        detail = {"class": type(error).__name__, "category": error.category, "message": str(error), "hint": error.hint}
        write_json({"error": detail})
    return exit_code_of(error) if error.category is not Category.INTERNAL else ExitCode.INTERNAL


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--log-level"], type=click.Choice(LEVELS), expose_value=False, callback=_remember, help="What to log."
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(FORMATS),
            expose_value=False,
            callback=_remember,
            help="How to log: text on a terminal, JSON lines otherwise.",
        ),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
        ),
    ]


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.find_root().meta.setdefault(_FLAGS, {})[param.name] = value


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's callback
    if value and not ctx.resilient_parsing:
        sys.stdout.write(f"cvmproof-agent {version()}\n")
        ctx.exit()


_HELP: Final = "Get evidence from the hardware of this confidential VM, and serve it."
_EPILOG: Final = "Exit codes: 0 done, 1 used wrongly, 3 doctor found a fault, 5 device or address failed, 70 our bug."
cli = Program(
    {
        "serve": ("cvmproof_agent.cli.serve:serve", "Serve evidence, bound to the connections that ask for it."),
        "collect": ("cvmproof_agent.cli.collect:collect", "Write evidence to a file."),
        "doctor": ("cvmproof_agent.cli.doctor:doctor", "Look whether the device works and is nobody else's."),
    }
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of this process."""
    if _COMPLETE in os.environ:
        cli.main(prog_name="cvmproof-agent", complete_var=_COMPLETE)
    sys.exit(cli.run(list(sys.argv[1:] if arguments is None else arguments)))
