"""What evidence can be asked to say: one class for each domain of REPORT_DATA, and no way to say anything else.

Everything that leads to a report passes through one of these, between processes as well: whoever asks names what it
wants bound, and only the process that has the device makes the 64 bytes of it. Nonces and exporter values are shown to
nobody, so none has a repr of its own. docs/binding.md
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from cvmproof_formats.binding import (
    BindingKind,
    Role,
    Tee,
    channel_report_data,
    key_report_data,
    nonce_report_data,
    require_ekm,
    require_nonce,
    require_spki,
    require_user,
    user_report_data,
)
from cvmproof_formats.evidence_fields import Evidence


class _Statement(ABC):
    """One that exists has the lengths that its domain wants: Misuse is raised where it is made."""

    __slots__ = ()
    kind: ClassVar[BindingKind]
    labels: ClassVar[tuple[str, ...]]
    """What evidence says of it: of its fields all but the exporter value, which is the session's secret."""

    @abstractmethod
    def __post_init__(self) -> None:
        """Refuse other lengths."""

    @abstractmethod
    def report_data(self, tee: Tee) -> bytes:
        """Make the 64 bytes that a report or quote is to be over."""

    def evidence(
        self, tee: Tee, *, report: bytes = b"", certificates: tuple[bytes, ...] = (), event_log: bytes | None = None
    ) -> Evidence:
        """Put what was asked for beside what came of it."""
        said = {name: getattr(self, name) for name in self.labels}
        return Evidence(
            tee=tee, report=report, binding=self.kind, certificates=certificates, event_log=event_log, **said
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChannelStatement(_Statement):
    """This end of one TLS session: nonce (32 bytes), leaf key (91 bytes of DER), exporter value (32 bytes)."""

    kind: ClassVar = BindingKind.CHANNEL
    labels: ClassVar = ("role", "nonce", "spki")
    role: Role
    nonce: bytes
    spki: bytes
    ekm: bytes

    def __post_init__(self) -> None:
        """Refuse other lengths."""
        require_nonce(self.nonce)
        require_spki(self.spki)
        require_ekm(self.ekm)

    def report_data(self, tee: Tee) -> bytes:
        """Make the 64 bytes that a report or quote is to be over."""
        return channel_report_data(role=self.role, tee=tee, nonce=self.nonce, spki=self.spki, ekm=self.ekm)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeyStatement(_Statement):
    """The TLS key of this end: nonce (32 bytes) and leaf key (91 bytes of DER)."""

    kind: ClassVar = BindingKind.KEY
    labels: ClassVar = ("role", "nonce", "spki")
    role: Role
    nonce: bytes
    spki: bytes

    def __post_init__(self) -> None:
        """Refuse other lengths."""
        require_nonce(self.nonce)
        require_spki(self.spki)

    def report_data(self, tee: Tee) -> bytes:
        """Make the 64 bytes that a report or quote is to be over."""
        return key_report_data(role=self.role, tee=tee, nonce=self.nonce, spki=self.spki)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NonceStatement(_Statement):
    """That a nonce (32 bytes) was seen here, and nothing about any connection."""

    kind: ClassVar = BindingKind.NONCE
    labels: ClassVar = ("role", "nonce")
    role: Role
    nonce: bytes

    def __post_init__(self) -> None:
        """Refuse other lengths."""
        require_nonce(self.nonce)

    def report_data(self, tee: Tee) -> bytes:
        """Make the 64 bytes that a report or quote is to be over."""
        return nonce_report_data(role=self.role, tee=tee, nonce=self.nonce)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UserStatement(_Statement):
    """What a process of this guest has to say, at most 4096 bytes, and its uid (32 bits), which the kernel told."""

    kind: ClassVar = BindingKind.USER
    labels: ClassVar = ("uid", "user_data")
    uid: int
    user_data: bytes

    def __post_init__(self) -> None:
        """Refuse other lengths."""
        require_user(self.uid, self.user_data)

    def report_data(self, tee: Tee) -> bytes:
        """Make the 64 bytes that a report or quote is to be over."""
        return user_report_data(tee=tee, uid=self.uid, user_data=self.user_data)


Statement = ChannelStatement | KeyStatement | NonceStatement | UserStatement
