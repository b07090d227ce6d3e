"""`cvmproof-agent own`: root's half of an agent in two processes, until told to stop."""

import contextlib
import logging
import os
import pwd
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cvmproof_agent.attester import OWNER, open_attester
from cvmproof_agent.cli.configuration import Configuration, read_configuration
from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.parser import OWN_DEVICE_HELP, Options, Parser
from cvmproof_agent.cli.waiting import keep_signals, wait_for_stop
from cvmproof_agent.hardening import keep_memory_private
from cvmproof_agent.named_socket import listen_at
from cvmproof_agent.no_new_processes import forbid_new_processes
from cvmproof_agent.owner.activation import inherited_socket
from cvmproof_agent.owner.client import SOCKET
from cvmproof_agent.owner.device_owner import FRONT, DeviceOwner, front_uids
from cvmproof_agent.readiness import READY, STOPPING, notify
from cvmproof_formats.errors import EndpointError, Misuse

_log = logging.getLogger(__name__)
_MODE: Final = 0o660
_STOP_SECONDS: Final = 5.0


class OwnOptions(Options):
    """What `own` is told."""

    device: str | None = None
    config: str | None = None


def own(arguments: Sequence[str]) -> int:
    """Have the device, and answer `serve --device owner` at a socket until SIGTERM or SIGINT; no network, no TLS."""
    return _own(parser().read(arguments, OwnOptions()))


def parser() -> Parser:
    """What it can be told."""
    made = Parser("own", description=own.__doc__ or "")
    made.add_argument("--device", metavar="NAME", help=OWN_DEVICE_HELP)
    made.add_argument("--config", metavar="FILE", help="TOML, the same file as serve's; flags go over it")
    return made


def _own(options: OwnOptions) -> int:
    keep_signals()
    written = read_configuration(Path(options.config)) if options.config is not None else Configuration()
    name = options.device or written.device or "auto"
    if name == OWNER:
        raise Misuse("--device: this is the device owner, which needs a device of its own")
    keep_memory_private()
    forbid_new_processes()
    attester = open_attester(name)
    with _listening() as listening:
        owner = DeviceOwner(attester, listening, uids=front_uids(), limits=written.limits)
        with owner:
            _log.info("%s: answering at %s", attester.name, listening.getsockname())
            notify(READY)
            wait_for_stop(owner.responds)
            notify(STOPPING)
            if not owner.stop(_STOP_SECONDS):
                _log.warning("a device call does not return: ending without it")
                logging.shutdown()
                os._exit(ExitCode.DONE)
    return ExitCode.DONE


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    """The service manager's socket, or where there is none one of our own; raises EndpointError."""
    inherited = inherited_socket()
    if inherited is not None:
        with inherited:
            yield inherited
        return
    with listen_at(SOCKET, _MODE) as listening:
        try:
            _give_to_front(SOCKET)
            yield listening
        finally:
            SOCKET.unlink(missing_ok=True)


def _give_to_front(path: Path) -> None:
    try:
        os.chown(path, 0, pwd.getpwnam(FRONT).pw_gid)
    except KeyError:
        _log.warning("there is no user %s: root alone may ask", FRONT)
    except OSError as error:
        raise EndpointError(f"{path}: can't be given to group {FRONT}: {error.strerror}") from error
