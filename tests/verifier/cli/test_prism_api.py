"""Where the API is and the token for it: what every `cvmproof cvm` command has, and how each says no."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from cvmproof.cli.main import cli
from cvmproof.cli.proposing import propose
from cvmproof_simulator.misbehaviour import body, html, redirect, status, with_header
from cvmproof_simulator.prism import FakePrism

from .conftest import Run

COMMANDS: Mapping[str, tuple[object, ...]] = {
    "list": (),
    "show": ("cvm-1",),
    "create": ("--name", "new", "--provider", "gcp", "--vcpus", 2, "--cc-platform", "tdx"),
    "delete": ("cvm-1", "--yes"),
    "stats": ("cvm-1",),
    "policy": ("cvm-1",),
}
NEITHER = ("--token-keyring", "nothing"), ("--token-file", "/none"), ()
BOTH = ("--token-file", "{file}", "--token-keyring", "a:b")
every_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture
def prism() -> Iterator[FakePrism]:
    """One spelling is enough: how it says no depends on none."""
    with FakePrism() as service:
        yield service


@every_command
@pytest.mark.parametrize("code", [204, 302, 400, 401, 403, 404, 409, 415, 422, 500])
def test_an_answer_of_another_status_is_exit_5(cvm: Run, prism: FakePrism, command: str, code: int) -> None:
    other = 200 if (command, code) == ("delete", 204) else code
    prism.misbehave(status(other))
    ran = cvm(command, *COMMANDS[command], "--json")
    assert (ran.code, "error" in ran.document) == (5, True)
    assert f"got {other}" in ran.stderr


@every_command
def test_a_wrong_token_is_exit_5_with_what_to_do(cvm: Run, prism: FakePrism, command: str) -> None:
    prism.revoke(prism.token)
    ran = cvm(command, *COMMANDS[command], "--json")
    assert (ran.code, ran.document["error"]["class"]) == (5, "NotAuthenticated")
    assert "issue a new one" in ran.stderr


@pytest.mark.parametrize("command", ["show", "delete", "stats", "policy"])
def test_a_cvm_that_is_not_there_is_exit_5(cvm: Run, command: str) -> None:
    ran = cvm(command, *COMMANDS[command], "--json")
    assert (ran.code, ran.document["error"]["class"]) == (5, "NotFound")


@pytest.mark.parametrize("command", ["list", "show", "create", "stats", "policy"])
@pytest.mark.parametrize("said", [html(), body(b""), body(b"[]"), body(b"null"), body(b'{"a": 1, "a": 2}')])
def test_an_answer_in_another_form_is_exit_5(cvm: Run, prism: FakePrism, command: str, said: object) -> None:
    prism.misbehave(said)  # type: ignore[arg-type]  # one of the five above
    ran = cvm(command, *COMMANDS[command], "--json")
    assert (ran.code, "error" in ran.document) == (5, True)
    assert "<html>" not in ran.stdout + ran.stderr


@every_command
def test_a_redirect_is_not_followed(cvm: Run, prism: FakePrism, command: str) -> None:
    with FakePrism(domain=prism.domain, token=prism.token) as elsewhere:
        prism.misbehave(redirect(elsewhere.url))
        assert cvm(command, *COMMANDS[command], "--json").code == 5
        assert elsewhere.requests == ()


@every_command
@pytest.mark.parametrize("tokens", [BOTH, *NEITHER])
def test_without_exactly_one_token_nothing_is_asked(
    run: Run, prism: FakePrism, token_file: Path, command: str, tokens: tuple[str, ...]
) -> None:
    given = [text.format(file=token_file) for text in tokens]
    where = ("--api", prism.url, "--domain", prism.domain)
    ran = run("cvm", command, *where, *given, *COMMANDS[command], "--json")
    assert (ran.code, prism.requests) == (1, ())


def test_a_token_is_taken_from_a_keyring(run: Run, prism: FakePrism, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    known = {("https://prism.example", "me"): prism.token}
    monkeypatch.setattr(keyring, "get_password", lambda service, user: known.get((service, user)))
    where = ("--api", prism.url, "--domain", prism.domain)
    assert run("cvm", "list", *where, "--token-keyring", "https://prism.example:me").code == 0
    assert run("cvm", "list", *where, "--token-keyring", "https://prism.example:you", "--json").code == 1


@every_command
@pytest.mark.parametrize(
    "api",
    [
        "",
        "prism.example",
        "http://prism.example/backends",
        "http://localhost:1/backends",
        "http://169.254.169.254/",
        "ftp://127.0.0.1/",
        "https://user:secret@prism.example/",
        "https://prism.example/?a=b",
        "https://prism.example/\x1b[2J",
    ],
)
def test_an_address_that_is_none_is_exit_1_and_the_token_goes_nowhere(
    cvm: Run, prism: FakePrism, command: str, api: str
) -> None:
    ran = cvm(command, *COMMANDS[command], "--api", api, "--json")
    assert (ran.code, prism.requests) == (1, ())
    assert "secret" not in ran.stdout + ran.stderr
    assert "\x1b" not in ran.stderr


@every_command
@pytest.mark.parametrize("domain", ["", "a/b", "..", "a\nb", "x" * 300])
def test_a_domain_that_is_none_is_exit_1(cvm: Run, prism: FakePrism, command: str, domain: str) -> None:
    assert cvm(command, *COMMANDS[command], "--domain", domain, "--json").code == 1
    assert prism.requests == ()


@every_command
def test_the_environment_chooses_neither_address_nor_token(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVMPROOF_API", "https://attacker.example")
    assert run("cvm", command, "--domain", "d", *COMMANDS[command], "--json").code == 1


@every_command
@pytest.mark.parametrize("form", [("--json",), ()])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_ac_126_no_output_and_no_log_of_any_command_holds_the_token(
    cvm: Run, prism: FakePrism, command: str, form: tuple[str, ...], log_format: str
) -> None:
    prism.add("ours", id="cvm-1")
    loud = ("--log-level", "debug", "--log-format", log_format)
    arguments = (*COMMANDS[command], *form, *loud)
    said = [cvm(command, *arguments)]
    for misbehaviour in (
        status(401),
        body(b'{"error": "%b", "message": "Bearer %b"}' % (prism.token.encode(), prism.token.encode())),
        redirect(f"https://attacker.example/{prism.token}"),
        with_header("X-Echo", prism.token),
    ):
        prism.misbehave(misbehaviour)
        said.append(cvm(command, *arguments))
        prism.behave()
    assert prism.credentials
    assert all(prism.token not in ran.stdout + ran.stderr for ran in said)


@every_command
@pytest.mark.parametrize("text", ["Secret with-spaces", "Secretgeheim\nSecond", "Secret\x1b", "S" * 20_000])
def test_ac_126_a_token_that_is_none_is_not_shown(cvm: Run, token_file: Path, command: str, text: str) -> None:
    token_file.write_text(text)
    ran = cvm(command, *COMMANDS[command], "--log-level", "debug", "--json")
    assert ran.code == 1
    assert "Secret" not in ran.stdout + ran.stderr
    assert "SSSS" not in ran.stdout + ran.stderr


def complete(*words: str) -> set[str]:
    """What a shell is given for the last, unfinished word."""
    completion = BashComplete(cli, {}, "cvmproof", "_CVMPROOF_COMPLETE")
    return {item.value for item in completion.get_completions(list(words[:-1]), words[-1])}


def test_a_shell_completes_the_commands_and_what_is_known_of_their_values() -> None:
    assert complete("cvm", "st") == {"stats"}
    assert "--token-file" in complete("cvm", "create", "--to")
    assert complete("cvm", "create", "--provider", "a") == {"azure", "aws"}
    assert complete("cvm", "list", "--cc-platform", "") == {"sev-snp", "tdx"}


def test_a_value_that_is_not_known_is_not_completed() -> None:
    assert propose("one")(click.Context(cli), cli.params[0], "two") == []
