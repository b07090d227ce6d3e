"""`cvmproof-agent completion`: the script that teaches a shell to complete our commands."""

import argparse
from collections.abc import Sequence
from typing import Final

from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import cli, write
from cvmproof_agent.cli.parser import PROGRAM, Options, Parser
from cvmproof_formats.errors import Misuse

SHELLS: Final = ("bash", "zsh")
_PATHS: Final = ("FILE", "PATH")  # what options are called that take one
_HELP: Final = f"""Print the completion script for a shell.

For bash: eval "$({PROGRAM} completion bash)" in ~/.bashrc.
For zsh:  {PROGRAM} completion zsh > a file _{PROGRAM} in a folder of $fpath."""


class CompletionOptions(Options):
    """What `completion` is told."""

    shell: str = ""


def completion(arguments: Sequence[str]) -> int:
    """Print the completion script for a shell."""
    options = parser().read(arguments, CompletionOptions())
    write(_script(options.shell))
    return ExitCode.DONE


def parser() -> Parser:
    """What it can be told."""
    made = Parser("completion", description=_HELP)
    made.add_argument("shell", choices=SHELLS, help="which shell")
    return made


def _script(shell: str) -> str:
    try:
        import shtab  # noqa: PLC0415 -- what serves evidence doesn't bring it along
    except ModuleNotFoundError as error:
        raise Misuse("completion needs shtab: install it with  pip install 'cvmproof[agent]'") from error
    program = Parser(description="")
    commands = program.add_subparsers(parser_class=argparse.ArgumentParser)
    for name, help_, command in cli.commands():
        copy = commands.add_parser(name, parents=[command], add_help=False, help=help_)  # --help is among the parent's
        for action in copy._actions:  # noqa: SLF001 -- shtab marks them so, and argparse has no other list
            if action.metavar in _PATHS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's own
    return shtab.complete(program, shell=shell)
