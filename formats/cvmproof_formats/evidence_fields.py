"""What evidence consists of, apart from how it is spelled in a file: an agent that serves it needs no more."""

from cvmproof_formats.binding import BindingKind, Role, Tee
from cvmproof_formats.record import record

# Limits of what is read at all, design section 8.5.
REPORT_LIMIT = 64 * 1024  # bytes: report or quote with its certificates
EVENT_LOG_LIMIT = 4 * 1024 * 1024  # bytes
CERTIFICATE_COUNT_LIMIT = 32


@record
class Evidence:
    """One report or quote with what came beside it; `binding` is None for a raw report, which carries no label."""

    tee: Tee
    report: bytes
    certificates: tuple[bytes, ...] = ()
    ignored_crls: int = 0
    binding: BindingKind | None = None
    role: Role | None = None
    nonce: bytes | None = None
    spki: bytes | None = None
    uid: int | None = None
    user_data: bytes | None = None
    event_log: bytes | None = None
