"""The bearer token: taken from a file or a keyring, sent in one header to one address, shown nowhere."""

import os
import re
import stat
from pathlib import Path
from typing import NoReturn, SupportsIndex

from cvmproof.spelling import escape
from cvmproof_formats.errors import Misuse

FILE_LIMIT = 16 * 1024  # bytes; a JWT has one or two thousand, and servers take headers of 8 to 16 KiB
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # RFC 6750 section 2.1
_READABLE = stat.S_IRGRP | stat.S_IROTH


class Token:
    """A bearer token that no print, log, copy or error shows."""

    __slots__ = ("_readable_by_others", "_text")

    def __init__(self, text: str, *, readable_by_others: bool = False) -> None:
        """Take the token's text; raises Misuse for what RFC 6750 does not allow, without showing it."""
        if not text:
            raise Misuse("token: expected one, got nothing")
        if len(text) > FILE_LIMIT:
            raise Misuse(f"token: expected at most {FILE_LIMIT} characters, got {len(text)}")
        if not _B64TOKEN.fullmatch(text):
            raise Misuse("token: expected letters, digits and -._~+/ with = at the end only (RFC 6750, b64token)")
        self._text = text
        self._readable_by_others = readable_by_others

    @classmethod
    def from_file(cls, path: Path) -> "Token":
        """Read a file of one line, at most 16 KiB; the end of the line is cut off.

        Raises Misuse for a file that cannot be read or is anything else.
        """
        title = f"token file {escape(str(path))}"
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(FILE_LIMIT + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise Misuse(f"{title}: cannot be read: {reason}") from error
        if len(data) > FILE_LIMIT:
            raise Misuse(f"{title}: expected at most {FILE_LIMIT} bytes, got more")
        # Windows has no such bits, and a pipe has no other readers.
        exposed = os.name != "nt" and stat.S_ISREG(mode) and bool(mode & _READABLE)
        line = data.removesuffix(b"\n").removesuffix(b"\r")
        try:
            return cls(line.decode("ascii", "replace"), readable_by_others=exposed)
        except Misuse as error:
            message = f"{title}: {error}"
        # Outside the handler: nothing that holds the line is chained to the error.
        raise Misuse(message)

    @classmethod
    def from_keyring(cls, service: str, user: str) -> "Token":
        """Ask the desktop's keyring, which the extra `keyring` brings.

        Raises Misuse where the extra is missing, the keyring cannot be asked, or has no such entry.
        """
        try:
            import keyring  # noqa: PLC0415 -- an extra, and slow to load
            import keyring.errors  # noqa: PLC0415 -- as above
        except ImportError as error:
            raise Misuse("a token from a keyring needs  pip install 'cvmproof[keyring]'") from error
        title = f"keyring entry of {escape(user)} at {escape(service)}"
        try:
            text = keyring.get_password(service, user)
        except keyring.errors.KeyringError as error:
            raise Misuse(f"{title}: the keyring cannot be asked: {type(error).__name__}") from error
        if text is None:
            raise Misuse(f"{title}: there is none", hint=f"put it there:  keyring set {service} {user}")
        return cls(text)

    @property
    def readable_by_others(self) -> bool:
        """Whether the file it came from can be read by others than its owner: worth a warning."""
        return self._readable_by_others

    def reveal(self) -> str:
        """Give the text, to be put into the one header."""
        return self._text

    def __repr__(self) -> str:
        return "Token(...)"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a token is neither copied nor written anywhere")
