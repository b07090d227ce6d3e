"""What every `cvmproof cvm` command has: where the API is, and the token for it.

None of it can be set in the environment: whoever sets a variable must not choose where a token is sent.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvmproof.cli.command import Command
from cvmproof.cli.output import say
from cvmproof.errors import EndpointError, Misuse

if TYPE_CHECKING:
    from cvmproof.prism.client import PrismClient
    from cvmproof.prism.token import Token

PRISM = "https://prism.ultraviolet.rs/backends"
_META = "cvmproof.prism_api"
_PLAIN_HTTP = "plain http, which shows the token to the network, is taken from a loopback address only"


class PlaceCommand(Command):
    """A command about what an API lists, which does not ask it."""

    def __init__(self, name: str | None, **options: Any) -> None:  # noqa: ANN401 -- click's options pass through
        super().__init__(name, **options)
        self.params += _place_options()


class ApiCommand(PlaceCommand):
    """A command that asks the API."""

    def __init__(self, name: str | None, **options: Any) -> None:  # noqa: ANN401 -- click's options pass through
        super().__init__(name, **options)
        self.params += _token_options()


def api_command(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command that asks the API of a function that gives its exit code."""
    return click.command(name, cls=ApiCommand)


def place_command(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command that only names an API, and needs no token, of a function that gives its exit code."""
    return click.command(name, cls=PlaceCommand)


def place_of(ctx: click.Context) -> tuple[str, str]:
    """Give the address, spelled as a client spells it, and the domain; raises Misuse for one that is none."""
    from cvmproof.http.base_url import read_base_url
    from cvmproof.prism.identifier import segment

    given: dict[str, str] = ctx.meta[_META]
    segment(given["domain"], "domain")
    try:
        api = read_base_url(given["api"], what="API address", plain_http=True, plain_http_hint=_PLAIN_HTTP, path=True)
    except EndpointError as error:
        raise Misuse(f"--api: {error}", category=error.category, hint=error.hint) from error
    return api, given["domain"]


def open_client(ctx: click.Context) -> "PrismClient":
    """Make the client that the options name; raises Misuse for an address or a token that is none."""
    from cvmproof.prism.client import PrismClient

    given: dict[str, str | None] = ctx.meta[_META]
    try:
        return PrismClient(given["api"] or "", domain=given["domain"] or "", token=_token(given))
    except EndpointError as error:
        raise Misuse(f"--api: {error}", category=error.category, hint=error.hint) from error


def _token(given: dict[str, str | None]) -> "Token":
    from cvmproof.prism.token import Token

    file, keyring = given["token_file"], given["token_keyring"]
    if file is not None and keyring is None:
        token = Token.from_file(Path(file))
        if token.readable_by_others:
            say(f"note: the token in {file} can be read by others: chmod 600 {file}")
        return token
    if keyring is None or file is not None:
        raise Misuse("expected exactly one of --token-file and --token-keyring")
    service, _, user = keyring.rpartition(":")
    if not service or not user:
        raise Misuse("--token-keyring: expected SERVICE:USER")
    return Token.from_keyring(service, user)


def _place_options() -> list[click.Parameter]:
    return [
        _option("--api", "URL", "Where the API is.", default=PRISM, show_default=True),
        _option("--domain", "ID", "Which domain (workspace) of the API.", required=True),
    ]


def _token_options() -> list[click.Parameter]:
    return [
        _option("--token-file", "FILE", "The file in which the API's token lies."),
        _option("--token-keyring", "SERVICE:USER", "Where in the keyring the API's token lies."),
    ]


def _option(name: str, metavar: str, help_: str, **more: Any) -> click.Option:  # noqa: ANN401 -- click's options
    return click.Option([name], metavar=metavar, help=help_, expose_value=False, callback=_remember, **more)


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    ctx.meta.setdefault(_META, {})[param.name] = value
