"""`cvmproof completion`: the script that teaches a shell to complete our commands."""

import click
from click.shell_completion import ShellComplete, get_completion_class

from cvmproof.cli.command import command
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.output import write_text
from cvmproof.errors import Misuse


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> int:
    """Print the completion script for SHELL.

    For bash: eval "$(cvmproof completion bash)" in ~/.bashrc.
    """
    kind = get_completion_class(shell)
    program = ctx.find_root().command
    if kind is None:
        raise Misuse(f"completion: {shell} is not known")
    # The script itself, without running the shell to ask for its version.
    write_text(ShellComplete.source(kind(program, {}, "cvmproof", "_CVMPROOF_COMPLETE")) + "\n")
    return ExitCode.ACCEPTED
