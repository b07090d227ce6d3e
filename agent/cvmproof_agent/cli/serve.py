"""`cvmproof-agent serve`: until told to stop."""

import gc
import ipaddress
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cvmproof_agent.attester import open_attester
from cvmproof_agent.cli.configuration import Configuration, read_configuration
from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import write
from cvmproof_agent.cli.parser import DEVICE_HELP, Options, Parser
from cvmproof_agent.cli.waiting import keep_signals, wait_for_stop
from cvmproof_agent.grpc_without_aio import import_grpc
from cvmproof_agent.hardening import keep_memory_private
from cvmproof_agent.no_new_processes import forbid_new_processes
from cvmproof_agent.readiness import READY, STOPPING, notify
from cvmproof_formats.errors import Misuse

_log = logging.getLogger(__name__)
DEFAULT_LISTEN: Final = "0.0.0.0:8443"
_LEAVE_SECONDS: Final = 0.5
# Objects between two looks of the garbage collector while nearly all that comes is here to stay: modules and classes.
_STARTING: Final = 5000


class ServeOptions(Options):
    """What `serve` is told."""

    listen: str | None = None
    device: str | None = None
    config: str | None = None
    user_socket: str | None = None
    metrics: str | None = None


def serve(arguments: Sequence[str]) -> int:
    """Serve evidence over TLS until SIGTERM or SIGINT; prints the URL it listens at."""
    return _serve(parser().read(arguments, ServeOptions()))


def parser() -> Parser:
    """What it can be told."""
    made = Parser("serve", description=serve.__doc__ or "")
    made.add_argument("--listen", metavar="ADDR", help=f"address and port; {DEFAULT_LISTEN} unless told otherwise")
    made.add_argument("--device", metavar="NAME", help=DEVICE_HELP)
    made.add_argument("--config", metavar="FILE", help="TOML; flags go over it")
    made.add_argument(
        "--user-socket", metavar="PATH", help="give other processes of this guest evidence there (mode 0660)"
    )
    made.add_argument(
        "--metrics", metavar="unix:PATH|ADDR", help="serve Prometheus metrics there, on this machine only"
    )
    return made


def _serve(options: ServeOptions) -> int:
    # Blocked before the first thread exists, so that signals wait for us and reach nobody else.
    keep_signals()
    written = read_configuration(Path(options.config)) if options.config is not None else Configuration()
    address = read_address(options.listen or written.listen or DEFAULT_LISTEN)
    keep_memory_private()
    forbid_new_processes()
    thresholds = gc.get_threshold()
    gc.set_threshold(_STARTING)
    import_grpc()
    from cvmproof_agent.serve import Agent  # noqa: PLC0415 -- it imports gRPC, which has just been done another way

    user_path = options.user_socket or written.user_socket
    agent = Agent(
        open_attester(options.device or written.device or "auto"),
        address,
        written.limits,
        user_socket=Path(user_path) if user_path else None,
        metrics_at=options.metrics or written.metrics,
    )
    with agent:
        gc.freeze()  # what is there now stays: no collection has to look at it again
        gc.set_threshold(*thresholds)
        write("https://{}:{}".format(*_spell(agent.address)))
        notify(READY)
        wait_for_stop(agent.responds)
        notify(STOPPING)
    _leave_stuck_calls()
    return ExitCode.DONE


def read_address(text: str) -> tuple[str, int]:
    """Read "ADDRESS:PORT", IPv6 in brackets; raises Misuse."""
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        if host.startswith("[") == (address.version == 6) and port.isascii() and port.isdigit() and int(port) < 1 << 16:  # noqa: PLR2004 -- a port has 16 bits, an IPv6 address brackets
            return str(address), int(port)
    except ValueError:
        pass  # refused below
    raise Misuse(f"--listen: expected ADDRESS:PORT or [IPv6]:PORT, got {text!r:.100}")


def _leave_stuck_calls() -> None:
    """End here and now if a driver still keeps a call: the interpreter would wait for its thread."""
    from cvmproof_agent.service import WORKERS  # noqa: PLC0415 -- it imports gRPC

    calls = [thread for thread in threading.enumerate() if thread.name.startswith(WORKERS)]
    for thread in calls:
        thread.join(_LEAVE_SECONDS / len(calls))
    if any(thread.is_alive() for thread in calls):
        _log.warning("a device call does not return: ending without it")
        logging.shutdown()
        os._exit(ExitCode.DONE)


def _spell(address: tuple[str, int]) -> tuple[str, int]:
    return (f"[{address[0]}]" if ":" in address[0] else address[0]), address[1]
