"""The body of an answer, bounded while it arrives: what is too long is refused before it is in memory."""

import re

import httpx

from cvmproof_formats.errors import CvmproofError

_LENGTH = re.compile(r"[0-9]{1,20}", re.ASCII)


class BoundedBody:
    """Takes the chunks of one body, of at most `limit` bytes; reading them is the caller's, blocking or not."""

    def __init__(self, headers: httpx.Headers, *, what: str, limit: int, refuse: type[CvmproofError]) -> None:
        """Look at what the headers announce; raises `refuse` for a body that is too long or encoded."""
        self._what, self._limit, self._refuse = what, limit, refuse
        self._data = bytearray()
        encoding = headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise refuse(f"{what}: expected plain bytes, got them encoded ({encoding!r:.40})")
        declared = headers.get("content-length", "")
        if _LENGTH.fullmatch(declared) and int(declared) > limit:
            raise refuse(f"{what}: expected at most {limit} bytes, got {declared} announced")

    def take(self, chunk: bytes) -> int:
        """Take what arrived next, and give the bytes so far; raises `refuse` once there are too many."""
        if len(self._data) + len(chunk) > self._limit:
            raise self._refuse(f"{self._what}: expected at most {self._limit} bytes, got more")
        self._data += chunk
        return len(self._data)

    @property
    def data(self) -> bytes:
        """What has arrived."""
        return bytes(self._data)
