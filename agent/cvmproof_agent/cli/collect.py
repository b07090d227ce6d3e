"""`cvmproof-agent collect`: evidence in a file."""

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cvmproof_agent import collecting
from cvmproof_agent.asking import ask
from cvmproof_agent.attester import open_attester
from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import say
from cvmproof_agent.cli.parser import DEVICE_HELP, Options, Parser
from cvmproof_formats.binding import NONCE_SIZE
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import EndpointError, Malformed, Misuse
from cvmproof_formats.evidence import Evidence, write_evidence


class CollectOptions(Options):
    """What `collect` is told."""

    nonce: str | None = None
    user_data: str | None = None
    out: str = ""
    device: str = "auto"
    socket: str | None = None
    event_log: bool = False


def collect(arguments: Sequence[str]) -> int:
    """Write evidence over a verifier's nonce, or over user data, to a file."""
    return _run(parser().read(arguments, CollectOptions()))


def parser() -> Parser:
    """What it can be told."""
    made = Parser("collect", description=collect.__doc__ or "")
    made.add_argument("--nonce", metavar="HEX", help="the verifier's 32 bytes")
    made.add_argument("--user-data", metavar="HEX", help="at most 4096 bytes, reported together with your uid")
    made.add_argument(
        "--out", required=True, metavar="FILE", help="where to write the evidence file; - is standard output"
    )
    made.add_argument("--device", metavar="NAME", help=DEVICE_HELP)
    made.add_argument("--socket", metavar="PATH", help="ask the agent at its user socket instead of a device")
    made.add_argument("--event-log", action="store_true", help="include the event log, where there is one")
    return made


def _run(options: CollectOptions) -> int:
    given = {
        name: _read(f"--{name}", value)
        for name, value in (("nonce", options.nonce), ("user-data", options.user_data))
        if value is not None
    }
    if len(given) != 1:
        raise Misuse(f"expected exactly one of --nonce and --user-data, got {len(given) or 'none'}")
    if options.socket is not None:
        evidence = _ask(options.socket, given)
    else:
        evidence = _collect(options.device, given, event_log=options.event_log)
    _write(options.out, write_evidence(evidence))
    say(f"{evidence.tee} evidence, {evidence.binding} binding")
    return ExitCode.DONE


def _collect(device: str, given: dict[str, bytes], *, event_log: bool) -> Evidence:
    with contextlib.closing(open_attester(device)) as opened:
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
