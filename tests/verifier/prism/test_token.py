"""The token: where it comes from, what it may be, and that nothing shows it."""

import copy
import logging
import os
import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.verifier.prism.scripted import SECRET

from cvmproof.prism.token import FILE_LIMIT, Token
from cvmproof_formats.errors import Misuse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    return file


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_file_of_one_line_is_read(path: Path, end: bytes) -> None:
    path.write_bytes(SECRET.encode() + end)
    token = Token.from_file(path)
    assert token.reveal() == SECRET
    assert not token.readable_by_others


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "got nothing"),
        (b"\n", "got nothing"),
        (b"never-seen\n\n", "b64token"),
        (b"never-seen\nsecond", "b64token"),
        (b" never-seen", "b64token"),
        (b"never-seen ", "b64token"),
        (b"Bearer never-seen", "b64token"),
        (b"never-seen\0", "b64token"),
        (b"never=seen", "b64token"),
        (b"\xef\xbb\xbfnever-seen", "b64token"),
        (b"never-se\xe9n", "b64token"),
        (b"=", "b64token"),
        (b"n" * (FILE_LIMIT + 1), "at most 16384 bytes"),
    ],
)
def test_any_other_file_is_misuse_and_not_shown(path: Path, data: bytes, why: str) -> None:
    path.write_bytes(data)
    with pytest.raises(Misuse, match=rf"token file .*: .*{why}") as caught:
        Token.from_file(path)
    assert "never" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_the_longest_token_is_taken(path: Path) -> None:
    path.write_bytes(b"n" * (FILE_LIMIT - 2) + b"==")
    assert len(Token.from_file(path).reveal()) == FILE_LIMIT


@pytest.mark.parametrize("name", ["absent", "", "a\0b"])
def test_a_file_that_cannot_be_read_is_misuse(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misuse, match=r"token file .*: cannot be read: "):
        Token.from_file(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
def test_a_file_that_others_can_read_is_told(path: Path, mode: int, exposed: bool) -> None:
    path.write_text(SECRET)
    path.chmod(mode)
    assert Token.from_file(path).readable_by_others is exposed


def test_nothing_shows_a_token(caplog: pytest.LogCaptureFixture) -> None:
    token = Token(SECRET)
    logging.getLogger("test").warning("%s %r %s", token, token, {"token": token})
    shown = f"{token} {token!r} {[token]} {token:}" + caplog.text
    assert SECRET not in shown
    assert not hasattr(token, "__dict__")


def test_a_token_that_is_too_long_is_misuse() -> None:
    with pytest.raises(Misuse, match="token: expected at most 16384 characters, got 16385"):
        Token("n" * (FILE_LIMIT + 1))


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_token_is_neither_copied_nor_written(take: object) -> None:
    with pytest.raises(TypeError, match="neither copied nor written"):
        take(Token(SECRET))  # type: ignore[operator]  # one of three functions


def keyring_that(monkeypatch: pytest.MonkeyPatch, answer: str | Exception | None) -> None:
    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")

    class KeyringError(Exception):
        pass

    def get_password(service: str, user: str) -> str | None:
        assert (service, user) == ("prism", "me")
        if isinstance(answer, Exception):
            raise KeyringError from answer
        return answer

    vars(errors)["KeyringError"] = KeyringError
    vars(keyring).update(errors=errors, get_password=get_password)
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_a_keyring_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring_that(monkeypatch, SECRET)
    assert Token.from_keyring("prism", "me").reveal() == SECRET


def test_a_keyring_without_the_entry_is_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring_that(monkeypatch, None)
    with pytest.raises(Misuse, match="keyring entry of me at prism: there is none") as caught:
        Token.from_keyring("prism", "me")
    assert caught.value.hint == "put it there:  keyring set prism me"


def test_a_keyring_that_cannot_be_asked_is_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring_that(monkeypatch, RuntimeError("locked"))
    with pytest.raises(Misuse, match="keyring entry of me at prism: the keyring cannot be asked: KeyringError"):
        Token.from_keyring("prism", "me")


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(Misuse, match=r"^a token from a keyring needs  pip install 'cvmproof\[keyring\]'$"):
        Token.from_keyring("prism", "me")
