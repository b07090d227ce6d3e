"""What every command has, and groups that import a command only when it is called."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import click

from cvmproof.cli.settings import LOG_FORMATS, LOG_LEVELS, read_settings
from cvmproof.version import __version__

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
SETTINGS = "cvmproof.settings"


class Command(click.Command):
    """A command with the options that every command has; settings are read, or refused, before it runs."""

    def __init__(self, name: str | None, **options: Any) -> None:  # noqa: ANN401 -- click's options pass through
        super().__init__(name, context_settings=CONTEXT_SETTINGS, **options)
        self.params += common_options()

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 -- click's signature
        """Read the settings, then run."""
        settings_of(ctx)
        return super().invoke(ctx)


class LazyGroup(click.Group):
    """A group whose commands are named as "module:function" and imported when they are called."""

    def __init__(self, name: str, *, help_: str, lazy: Mapping[str, tuple[str, str]], epilog: str = "") -> None:
        """Take, by command name, where it is and its one line of help."""
        super().__init__(name, help=help_, epilog=epilog, context_settings=CONTEXT_SETTINGS)
        self._lazy = lazy
        self.params += common_options()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Name the commands, in the order of their declaration."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's
        """Import the command."""
        if cmd_name not in self._lazy:
            return None
        module, _, name = self._lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in self._lazy.items()])


def command(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that gives its exit code."""
    return click.command(name, cls=Command)


def settings_of(ctx: click.Context) -> dict[str, str]:
    """Give the settings: flags over environment over file."""
    root = ctx.find_root()
    if SETTINGS not in root.meta:
        flags = root.meta.get(f"{SETTINGS}.flags", {})
        root.meta[SETTINGS] = {**read_settings(), **flags}
    found: dict[str, str] = root.meta[SETTINGS]
    return found


def common_options() -> list[click.Parameter]:
    """Make the options that every command has."""
    return [
        click.Option(
            ["--log-level"],
            type=click.Choice(LOG_LEVELS),
            expose_value=False,
            callback=_remember,
            help="What to log to standard error; debug also shows tracebacks.",
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(LOG_FORMATS),
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
        ctx.find_root().meta.setdefault(f"{SETTINGS}.flags", {})[param.name] = value


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's callback
    if value and not ctx.resilient_parsing:
        sys.stdout.write(f"cvmproof {__version__}\n")
        ctx.exit()
