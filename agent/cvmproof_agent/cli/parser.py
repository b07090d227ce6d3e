"""Reads a command line with the standard library: what runs in the guest stays small.

Wrong use raises Misuse, and nothing is guessed from an abbreviation. Every command has the options declared here,
before its name or behind it. docs/decisions/0007
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final, NoReturn, TypeVar

from cvmproof_agent.cli.settings import read_environment
from cvmproof_agent.logs import FORMATS, LEVELS, configure_logging
from cvmproof_agent.version import version
from cvmproof_formats.errors import Misuse

PROGRAM: Final = "cvmproof-agent"
OWN_DEVICE_HELP: Final = (
    "auto, which is also the default; configfs-tsm, sev-guest or tdx-guest, then the only one tried; or one that"
    " is SIMULATED: simulated:snp[,OPTION=VALUE]... or simulated:tdx[,OPTION=VALUE]...; a wrong option is answered with"
    " those there are"
)
DEVICE_HELP: Final = f"owner, to ask the device owner, or {OWN_DEVICE_HELP}"
_WIDTH: Final = 100  # characters


class Options(argparse.Namespace):
    """What a command line says: an attribute for each option, with what it is where nobody gave the option."""

    log_level: str | None = None
    log_format: str | None = None


_Given = TypeVar("_Given", bound=Options)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps lines as they are, and asks nobody how wide the terminal is: argparse makes one for each option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_WIDTH)


class Parser(argparse.ArgumentParser):
    """The options of one command, or of the program itself."""

    def __init__(self, command: str = "", *, description: str, epilog: str = "") -> None:
        """Take a command's name and what it does."""
        super().__init__(
            prog=f"{PROGRAM} {command}".rstrip(),
            description=description,
            epilog=epilog,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        self.add_argument("--log-level", choices=LEVELS, help="what to log")
        self.add_argument("--log-format", choices=FORMATS, help="how to log: text on a terminal, JSON lines otherwise")
        self.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version and exit")

    def error(self, message: str) -> NoReturn:
        """Refuse a command line; raises Misuse."""
        raise Misuse(message, hint=f"{self.prog} --help")

    def read(self, arguments: Sequence[str], options: _Given) -> _Given:
        """Read a command's arguments into its options, and log as they and the environment say; raises Misuse."""
        self.parse_args(arguments, options)
        settings = read_environment()
        configure_logging(
            level=options.log_level or settings.get("log_level", "info"),
            form=options.log_format or settings.get("log_format"),
        )
        return options


class _PrintVersion(argparse.Action):
    """Looks the version up only when asked for it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        sys.stdout.write(f"{PROGRAM} {version()}\n")
        parser.exit()
