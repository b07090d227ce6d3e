"""`cvmproof-agent extend`: measure something into a TD's RTMR2 or RTMR3."""

from collections.abc import Sequence

from cvmproof_agent.cli.exit_code import ExitCode
from cvmproof_agent.cli.main import write
from cvmproof_agent.cli.parser import Options, Parser
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import Malformed, Misuse


class ExtendOptions(Options):
    """What `extend` is told."""

    rtmr: str = ""
    digest: str = ""


def extend(arguments: Sequence[str]) -> int:
    """Extend a register of this TD with a SHA-384 digest, for good, and print the register's new value. Root only."""
    options = parser().read(arguments, ExtendOptions())
    from cvmproof_agent.devices.tdx.rtmr import DIGEST_SIZE, RTMRS  # noqa: PLC0415 -- a TD's alone
    from cvmproof_agent.devices.tdx.rtmr import extend as extend_rtmr  # noqa: PLC0415 -- as above

    if options.rtmr not in map(str, RTMRS):
        raise Misuse(f"--rtmr: expected 2 or 3, which are not firmware's, got {options.rtmr!r:.20}")
    try:
        digest = read_hex(options.digest, what="--digest", size=DIGEST_SIZE)
    except Malformed as error:
        raise Misuse(str(error)) from error
    write(extend_rtmr(int(options.rtmr), digest).hex())
    return ExitCode.DONE


def parser() -> Parser:
    """What it can be told."""
    made = Parser("extend", description=extend.__doc__ or "")
    made.add_argument("--rtmr", required=True, metavar="N", help="2 or 3; 0 and 1 are firmware's")
    made.add_argument("--digest", required=True, metavar="HEX", help="48 bytes")
    return made
