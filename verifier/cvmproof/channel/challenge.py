"""A challenge: a nonce that is used once, and soon.

    challenge = Challenge()
    send(challenge.nonce)
    expected = ExpectedNonce(challenge.take())      once, within 60 s of its making; a second time raises

Time is monotonic: nobody who sets the clock makes an old nonce young.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

from cvmproof_formats.binding import NONCE_SIZE
from cvmproof_formats.errors import Category, CvmproofError, EvidenceError

TIME_TO_LIVE: Final = 60.0  # seconds, design section 4
_REMEMBERED: Final = 4096  # nonces; a source that repeats itself does so at once


class Challenge:
    """One nonce of 32 random bytes; raises CvmproofError (INTERNAL) if the system's random source repeats itself."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take a clock that never goes back, in seconds."""
        self._monotonic = monotonic
        self._expires_at = monotonic() + TIME_TO_LIVE
        self._lock = Lock()
        self._taken = False
        self._nonce = secrets.token_bytes(NONCE_SIZE)
        _remember(self._nonce)

    def __repr__(self) -> str:
        return f"<Challenge, {'used' if self._taken else f'{self.remaining:.0f} s left'}>"

    @property
    def nonce(self) -> bytes:
        """The 32 bytes to send."""
        return self._nonce

    @property
    def remaining(self) -> float:
        """How long an answer may still take, in seconds; not above zero once it is too late."""
        return self._expires_at - self._monotonic()

    def take(self, answered: bytes | None = None) -> bytes:
        """Give the nonce to appraise one answer with, once; `answered` is the nonce that the answer says it is for.

        Raises EvidenceError (FRESHNESS) for a second answer, one that came too late, and one to another nonce.
        """
        with self._lock:
            if self._taken:
                raise EvidenceError("this nonce was answered before: a nonce is used once", category=Category.FRESHNESS)
            self._taken = True
        if self.remaining <= 0:
            message = f"the nonce is older than {TIME_TO_LIVE:.0f} s: ask again"
            raise EvidenceError(message, category=Category.FRESHNESS)
        if answered is not None and answered != self._nonce:
            raise EvidenceError("the answer is to a nonce that was never sent", category=Category.FRESHNESS)
        return self._nonce


_recent: deque[bytes] = deque(maxlen=_REMEMBERED)
_recent_set: set[bytes] = set()
_recent_lock = Lock()


def _remember(nonce: bytes) -> None:
    with _recent_lock:
        if len(nonce) != NONCE_SIZE or nonce in _recent_set:
            raise CvmproofError("the random source gave a nonce twice: nothing can be verified with it")
        if len(_recent) == _REMEMBERED:
            _recent_set.discard(_recent[0])
        _recent.append(nonce)
        _recent_set.add(nonce)
