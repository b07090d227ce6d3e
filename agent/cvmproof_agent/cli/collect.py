"""`cvmproof-agent collect`: evidence in a file."""

import contextlib
import sys
import tempfile
from pathlib import Path

import click

from cvmproof_agent import collecting
from cvmproof_agent.asking import ask
from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import command, say
from cvmproof_agent.device import open_device
from cvmproof_formats.binding import NONCE_SIZE
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import EndpointError, Malformed, Misuse
from cvmproof_formats.evidence import Evidence, write_evidence


@command("collect")
@click.option("--nonce", metavar="HEX", help="The verifier's 32 bytes.")
@click.option("--user-data", metavar="HEX", help="At most 4096 bytes, reported together with your uid.")
@click.option("--out", required=True, metavar="FILE", help="Where to write the evidence file; - is standard output.")
@click.option("--device", default="auto", show_default=True, metavar="NAME", help="auto, or simulated:...")
@click.option("--socket", "at", metavar="PATH", help="Ask the agent at its user socket instead of a device.")
@click.option("--event-log", is_flag=True, help="Include the event log, where there is one.")
def collect(  # noqa: D103 -- click would show a docstring as the command's help
    *, nonce: str | None, user_data: str | None, out: str, device: str, at: str | None, event_log: bool
) -> int:
    given = {
        name: _read(f"--{name}", value)
        for name, value in (("nonce", nonce), ("user-data", user_data))
        if value is not None
    }
    if len(given) != 1:
        raise Misuse(f"expected exactly one of --nonce and --user-data, got {len(given) or 'none'}")
    evidence = _ask(at, given) if at is not None else _collect(device, given, event_log=event_log)
    _write(out, write_evidence(evidence))
    say(f"{evidence.tee} evidence, {evidence.binding} binding")
    return ExitCode.DONE


collect.help = "Write evidence over a verifier's nonce, or over user data, to a file."


def _collect(device: str, given: dict[str, bytes], *, event_log: bool) -> Evidence:
    with contextlib.closing(open_device(device)) as opened:
        return collecting.collect(
            opened, nonce=given.get("nonce"), user_data=given.get("user-data"), event_log=event_log
        )


def _ask(at: str, given: dict[str, bytes]) -> Evidence:
    if "user-data" not in given:
        raise Misuse("--socket: an agent's user socket takes --user-data; a nonce goes to its listener or to a device")
    return ask(Path(at), given["user-data"])


def _read(option: str, value: str) -> bytes:
    try:
        return read_hex(value, what=option, size=NONCE_SIZE if option == "--nonce" else None)
    except Malformed as error:
        raise Misuse(str(error)) from error


def _write(out: str, data: bytes) -> None:
    """Write all of it or nothing."""
    if out == "-":
        sys.stdout.write(data.decode())
        sys.stdout.flush()
        return
    path = Path(out)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            file.write(data)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise EndpointError(f"{out}: can't be written: {error.strerror or error}") from error
