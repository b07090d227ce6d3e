"""`cvmproof-simulator`: SIMULATED machines to try the verifier with; no production trust set accepts their roots."""

import signal
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Final, Never

import click

from cvmproof_formats.errors import CvmproofError, Misuse
from cvmproof_simulator.devices_command import devices
from cvmproof_simulator.evidence_command import evidence
from cvmproof_simulator.prism_command import handling, prism

_MISUSE = 1
# Windows has no SIGHUP.
_ENDING: Final = [each for each in signal.Signals if each.name in {"SIGINT", "SIGTERM", "SIGHUP"}]


class Program(click.Group):
    """The commands; errors are one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Run, and put our own errors into words."""
        try:
            return super().invoke(ctx)
        except CvmproofError as error:
            raise click.ClickException(f"{error.category}: {error}") from error


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cvmproof", message="cvmproof-simulator %(version)s")
def cli() -> None:
    """SIMULATED SEV-SNP and TDX machines, and the services around them, to try the verifier without hardware."""


cli.add_command(prism)
cli.add_command(evidence)
cli.add_command(devices)


@cli.command()
@click.option("--keep", is_flag=True, help="Leave the CVMs, the fakes and the files in place until Ctrl-C.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option(
    "--first-step", type=int, default=1, hidden=True, help="Number of the first step: `make demo` has one before."
)
def demo(*, keep: bool, no_color: bool, first_step: int) -> None:
    """Show the verifier accept a CVM that an API lists, and refuse another one and a relay, with every reason."""
    if find_spec("grpc_health") is None:
        raise Misuse("the demo runs an agent: pip install 'cvmproof[agent]'")
    with ExitStack() as handlers:
        for number in _ENDING:
            handlers.enter_context(handling(number, _end))
        from cvmproof_simulator.demo import Demo  # noqa: PLC0415 -- starts servers, which other commands do without

        status = Demo(keep=keep, color=not no_color and sys.stdout.isatty(), first_step=first_step).run()
    sys.exit(status)


def _end(*_: object) -> Never:
    """Begin to clean up; nothing interrupts that again."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line of this process."""
    try:
        status = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = _MISUSE
    except click.Abort:
        status = _MISUSE
    sys.exit(status if isinstance(status, int) else 0)
