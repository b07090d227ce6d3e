"""`cvmproof-simulator prism`: a SIMULATED Prism that goes on until it is told to end."""

import ipaddress
import re
import secrets
import shlex
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final, cast, get_args
from urllib.parse import quote

import click

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.prism import FakePrism
from cvmproof_simulator.prism_cvms import Spelling

_TOKEN = re.compile(r"[!-~]{1,4096}")
_LARGEST_POLICY: Final = 1024 * 1024  # bytes
_LONGEST_TOKEN_FILE: Final = 8192  # bytes
_PORTS: Final = 65_535
_GLANCE: Final = 0.5  # seconds; some systems interrupt no wait, so look whether a signal came

_HELP = """Serve a SIMULATED Prism CVMs API until Ctrl-C or SIGTERM: for trying a client out, or writing one.

\b
Everything lies under http://127.0.0.1:PORT/backends and wants `Authorization: Bearer TOKEN`:
  POST   /DOMAIN/cvms/PROVIDER/VCPUS/CC_PLATFORM  {"name": "...", "agent_log_level": "info"}  201, no body
  GET    /DOMAIN/cvms                             limit, offset, name, status, days, cc_platform
  GET    /DOMAIN/cvms/ID
  DELETE /DOMAIN/cvms/ID                          204; then listed with status=inactive or all only
  GET    /DOMAIN/cvms/ID/statistics               days
  GET    /DOMAIN/cvms/ID/attestation_policy       base64; empty if the CVM has none

\b
Made up, because the real service documents none of it:
  errors     400 malformed, 401 no or unknown token, 403 another domain's, 404, 405, 413, 415 no JSON;
             {"error": "...", "message": "..."}, and for a path that is none a line of text
  limits     limit is 1 to 100, or 10; a request body is at most 64 KiB and has a Content-Length
  filters    name: any part of it; status: active (default), inactive, deleted, all, or a word like online

The observed spelling is what a live service showed: agent_url is host:port without https://, the id is not the
cvm_id, and the words for status, state, provider and cc_platform are others. Nothing is kept when it ends.
"""


@click.command("prism", help=_HELP, short_help="Serve a SIMULATED Prism CVMs API, to write a client against.")
@click.option("--listen", default="127.0.0.1:0", show_default=True, metavar="127.0.0.1:PORT", help="0: any free port.")
@click.option("--domain", metavar="ID", help="The domain (workspace); default: a random UUID.")
@click.option("--token-file", metavar="FILE", help="The token to ask for; default: a random one, in a new file.")
@click.option("--spelling", type=click.Choice(get_args(Spelling)), default="documented", show_default=True)
@click.option(
    "--cvm",
    "cvms",
    multiple=True,
    metavar="NAME=AGENT_URL[,POLICYFILE]",
    help="A CVM that is there from the start, its name its id too; may be said again.",
)
def prism(*, listen: str, domain: str | None, token_file: str | None, spelling: str, cvms: tuple[str, ...]) -> None:
    """Serve, and say where."""
    address = read_address(listen)
    with _token(token_file) as (token, file):
        try:
            fake = FakePrism(domain=domain, token=token, spelling=cast("Spelling", spelling), listen=address)
        except OSError as error:
            raise Misuse(f"--listen {listen}: {error.strerror}") from error
        with fake, _told_to_end() as told:
            for cvm in cvms:
                _add(fake, cvm)
            click.echo("\n".join(_lines(fake, file, spelling)))
            while not told.wait(_GLANCE):
                pass


def read_address(text: str) -> tuple[str, int]:
    """Read ADDRESS:PORT of this machine, IPv4; raises Misuse."""
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError as error:
        raise Misuse(f"--listen: expected 127.0.0.1:PORT, got {text[:60]!r}") from error
    if not address.is_loopback:
        raise Misuse(f"--listen: expected an address of this machine only, as 127.0.0.1, got {host}")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > _PORTS:
        raise Misuse(f"--listen: expected a port from 0 to {_PORTS}, got {port[:60]!r}")
    return str(address), int(port)


@contextmanager
def _token(file: str | None) -> Iterator[tuple[str, Path]]:
    """The token and the file in which it stands; a new one is gone at the end."""
    if file is not None:
        yield read_token(Path(file)), Path(file)
        return
    with tempfile.NamedTemporaryFile("w", prefix="cvmproof-prism-token-") as new:  # 0600
        token = secrets.token_urlsafe(32)
        new.write(token + "\n")
        new.flush()
        yield token, Path(new.name)


def read_token(path: Path) -> str:
    """Read a token: one line of visible ASCII characters; raises Misuse."""
    text = _read(path, _LONGEST_TOKEN_FILE, what="--token-file").decode("latin-1").strip()
    if not _TOKEN.fullmatch(text):
        raise Misuse(f"--token-file {path}: expected one line, a token of visible ASCII characters")
    return text


def _read(path: Path, most: int, *, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise Misuse(f"{what} {path}: {error.strerror}") from error
    if len(data) > most:
        raise Misuse(f"{what} {path}: expected at most {most} bytes")
    return data


def _add(fake: FakePrism, text: str) -> None:
    name, equals, rest = text.partition("=")
    url, comma, file = rest.partition(",")
    if not (name and equals and url) or (comma and not file):
        raise Misuse(f"--cvm {text[:200]!r}: expected NAME=AGENT_URL or NAME=AGENT_URL,POLICYFILE")
    policy = _read(Path(file), _LARGEST_POLICY, what="--cvm: policy") if comma else None
    fake.add(name, id=name, agent_url=url, policy=policy)


def _lines(fake: FakePrism, token_file: Path, spelling: str) -> Iterator[str]:
    file, domain = shlex.quote(str(token_file)), quote(fake.domain, safe="")
    yield f"SIMULATED Prism, {spelling} spelling; Ctrl-C ends it"
    yield f"base URL  {fake.url}"
    yield f"domain    {fake.domain}"
    yield f"token     in {token_file}"
    for cvm in fake.cvms:
        yield f"CVM       {cvm.id}  {cvm.name}  {cvm.agent_url}"
    url = shlex.quote(f"{fake.url}/{domain}/cvms?domainID={domain}")
    yield f'curl -H "Authorization: Bearer $(cat {file})" {url}'
    yield f"cvmproof cvm list --api {fake.url} --domain {shlex.quote(fake.domain)} --token-file {file}"


@contextmanager
def _told_to_end() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set; what they did before, they do again afterwards."""
    told = Event()

    def tell(*_: object) -> None:
        told.set()

    with handling(signal.SIGINT, tell), handling(signal.SIGTERM, tell):
        yield told


@contextmanager
def handling(number: signal.Signals, handler: Callable[..., None]) -> Iterator[None]:
    """Handle a signal so, and afterwards as before."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
