"""What the options of `cvmproof cvm verify` demand of a CVM, and on whose word."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

import click

from cvmproof.cli.arguments import open_policy, read_hex_option
from cvmproof.cli.files import read_named
from cvmproof.cli.pins import PIN_HELP, PIN_KINDS, read_pins
from cvmproof.errors import Misuse
from cvmproof.spelling import escape

if TYPE_CHECKING:
    from cvmproof.channel.address import AddressRules
    from cvmproof.cvm.case import Demands
    from cvmproof.cvm.fetched import Vouching

FIRST_USE: Final = "first-use"
_SHA256: Final = "sha256:"
_DIGEST_SIZE: Final = 32  # bytes
_HIGHEST_PORT: Final = 65535
_KEY_LIMIT: Final = 64 * 1024  # bytes of a file with public keys
_SIGNATURE_LIMIT: Final = 8 * 1024  # bytes

_Function = TypeVar("_Function", bound=Callable[..., Any])


class DemandOptions(TypedDict):
    """The options as given."""

    policy: str | None
    floor: tuple[str, ...]
    pin: tuple[str, ...]
    policy_key: tuple[str, ...]
    policy_signature: str | None
    policy_digest: str | None
    trust_control_plane: bool
    any_software: bool
    allow_address: tuple[str, ...]
    allow_port: tuple[str, ...]
    state: str | None


_OPTIONS = (
    click.option("--policy", metavar="FILE|builtin:NAME", help="Your own policy, in place of the API's."),
    click.option(
        "--floor", multiple=True, metavar="FILE|builtin:NAME", help="A policy that must accept as well; repeatable."
    ),
    click.option(
        "--pin",
        multiple=True,
        metavar=f"{PIN_KINDS}|first-use",
        help=f"Which machine or instance it must be. {PIN_HELP}; first-use: the one it was the first time. Repeatable.",
    ),
    click.option(
        "--policy-key", multiple=True, metavar="FILE", help="Take only policies that this key has signed; repeatable."
    ),
    click.option("--policy-signature", metavar="FILE", help="The signature of the API's policy, if kept apart."),
    click.option("--policy-digest", metavar="sha256:HEX", help="Take no other policy from the API than this one."),
    click.option("--trust-control-plane", is_flag=True, help="Let the API alone say which software may run."),
    click.option("--any-software", is_flag=True, help="Take policies that do not say which software may run."),
    click.option(
        "--allow-address",
        multiple=True,
        metavar="CIDR",
        help="Go to agents at these addresses too, though they are not public; repeatable.",
    ),
    click.option("--allow-port", multiple=True, metavar="N[-M]", help="Go to agents on these ports too; repeatable."),
)


def demand_options(function: _Function) -> _Function:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def read_demands(given: DemandOptions) -> "Demands":
    """Read them; raises Misuse."""
    from cvmproof.cvm.case import Demands
    from cvmproof.marks import Marks

    if given["policy"] is not None and (given["policy_key"] or given["policy_digest"]):
        raise Misuse("--policy takes the place of the API's policy: there is nothing to sign or to pin then")
    return Demands(
        marks=Marks.default() if given["state"] is None else Marks(folder=Path(given["state"]) / "marks"),
        policy=None if given["policy"] is None else open_policy(given["policy"]),
        floors=tuple(open_policy(name) for name in given["floor"]),
        pins=read_pins([pin for pin in given["pin"] if pin != FIRST_USE]),
        vouching=_vouching(given),
        trust_control_plane=given["trust_control_plane"],
        any_software=given["any_software"],
        pin_first_use=FIRST_USE in given["pin"],
        rules=read_rules(given["allow_address"], given["allow_port"]),
    )


def read_rules(addresses: tuple[str, ...], ports: tuple[str, ...]) -> "AddressRules":
    """Read where agents may be gone to, beside public addresses on the usual ports; raises Misuse."""
    from dataclasses import replace

    from cvmproof.cvm.agent_url import RULES

    more = {port for text in ports for port in _read_ports(text)}
    return replace(RULES, ports=RULES.ports | more, allowed=tuple(map(_read_network, addresses)))


def _read_network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise Misuse(f"--allow-address: expected a network like 10.0.0.0/8: {error}") from error


def _read_ports(text: str) -> range:
    first, dash, last = text.partition("-")
    words = (first, last) if dash else (first, first)
    if not all(word.isascii() and word.isdigit() and len(word) <= len(str(_HIGHEST_PORT)) for word in words):
        raise Misuse(f"--allow-port: expected a port or a range like 6100-6200, got {escape(text)}")
    low, high = map(int, words)
    if not 0 < low <= high <= _HIGHEST_PORT:
        raise Misuse(f"--allow-port: expected ports from 1 to {_HIGHEST_PORT}, got {escape(text)}")
    return range(low, high + 1)


def _vouching(given: DemandOptions) -> "Vouching":
    from cvmproof.cvm.fetched import Vouching
    from cvmproof.policy.signed import PolicySigners

    keys = [read_named(name, _KEY_LIMIT, "policy key") for name in given["policy_key"]]
    signature, digest = given["policy_signature"], given["policy_digest"]
    if digest is not None and not digest.startswith(_SHA256):
        raise Misuse(f"--policy-digest: expected {_SHA256}HEX, got {escape(digest)}")
    return Vouching(
        signers=PolicySigners.read(*keys) if keys else None,
        signature=None if signature is None else read_named(signature, _SIGNATURE_LIMIT, "policy signature"),
        digest=None
        if digest is None
        else read_hex_option("--policy-digest", digest.removeprefix(_SHA256), _DIGEST_SIZE),
    )
