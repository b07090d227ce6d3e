"""The ioctls of /dev/sev-guest: Linux include/uapi/linux/sev-guest.h, with the messages of AMD 56860 in them."""

import ctypes
from typing import Final

from cvmproof_agent.devices.node import iowr, sized
from cvmproof_formats.errors import DeviceError

MESSAGE_VERSION: Final = 1
NO_FIRMWARE_CALL: Final = 0xFF  # what the driver sets fw_error to before it asks
VMM_INVALID_LENGTH: Final = 1  # SNP_GUEST_VMM_ERR_INVALID_LEN
VMM_BUSY: Final = 2  # SNP_GUEST_VMM_ERR_BUSY
PAGE_SIZE: Final = 4096  # bytes; certs_len is a multiple of it

REPORT_DATA_SIZE: Final = 64  # bytes, SNP_REPORT_USER_DATA_SIZE
RESPONSE_SIZE: Final = 4000  # bytes
KEY_SIZE: Final = 32  # bytes, AMD 56860 MSG_KEY_RSP
_CONTENT: Final = 0x20  # where report or key start in MSG_REPORT_RSP and MSG_KEY_RSP
# AMD 56860, MSG_REPORT_RSP and MSG_KEY_RSP: STATUS.
_STATUS: Final = {0x16: "invalid parameters: is the VMPL that was asked for below the kernel's?", 0x27: "invalid key"}


@sized(32)
class GuestRequest(ctypes.Structure):
    """The argument of each; the last two words are exitinfo2, firmware's first."""

    _fields_ = (
        ("msg_version", ctypes.c_uint8),
        ("req_data", ctypes.c_uint64),
        ("resp_data", ctypes.c_uint64),
        ("fw_error", ctypes.c_uint32),
        ("vmm_error", ctypes.c_uint32),
    )


@sized(96)
class ReportRequest(ctypes.Structure):
    """What a report is asked for with."""

    _fields_ = (
        ("user_data", ctypes.c_uint8 * REPORT_DATA_SIZE),
        ("vmpl", ctypes.c_uint32),
        ("rsvd", ctypes.c_uint8 * 28),
    )


@sized(112)
class ExtendedReportRequest(ctypes.Structure):
    """The same, and where the host's certificates go."""

    _fields_ = (
        ("data", ReportRequest),
        ("certs_address", ctypes.c_uint64),
        ("certs_len", ctypes.c_uint32),
    )


@sized(RESPONSE_SIZE)
class ReportResponse(ctypes.Structure):
    """MSG_REPORT_RSP, with room behind it."""

    _fields_ = (("data", ctypes.c_uint8 * RESPONSE_SIZE),)


@sized(32)
class DerivedKeyRequest(ctypes.Structure):
    """What a key is derived from."""

    _fields_ = (
        ("root_key_select", ctypes.c_uint32),
        ("rsvd", ctypes.c_uint32),
        ("guest_field_select", ctypes.c_uint64),
        ("vmpl", ctypes.c_uint32),
        ("guest_svn", ctypes.c_uint32),
        ("tcb_version", ctypes.c_uint64),
    )


@sized(64)
class DerivedKeyResponse(ctypes.Structure):
    """MSG_KEY_RSP."""

    _fields_ = (("data", ctypes.c_uint8 * 64),)


GET_REPORT: Final = iowr("S", 0, ctypes.sizeof(GuestRequest))
GET_DERIVED_KEY: Final = iowr("S", 1, ctypes.sizeof(GuestRequest))
GET_EXTENDED_REPORT: Final = iowr("S", 2, ctypes.sizeof(GuestRequest))


def report_in(response: bytes, *, path: str, size: int) -> bytes:
    """Take the report of `size` bytes out of a MSG_REPORT_RSP; raises DeviceError where firmware gave none."""
    require_status(response, path=path)
    found = int.from_bytes(response[4:8], "little")
    if found != size or len(response) < _CONTENT + size:
        raise DeviceError(f"{path}: expected a report of {size} bytes, got one of {found} in {len(response)}")
    return response[_CONTENT : _CONTENT + size]


def key_in(response: bytearray, *, path: str) -> bytes:
    """Take the key out of a MSG_KEY_RSP, 32 bytes; raises DeviceError where firmware gave none."""
    require_status(response, path=path)
    return bytes(response[_CONTENT : _CONTENT + KEY_SIZE])


def require_status(response: bytes | bytearray, *, path: str) -> None:
    """Refuse a response whose STATUS is not success; raises DeviceError."""
    status = int.from_bytes(response[:4], "little")
    if status or len(response) < _CONTENT:
        raise DeviceError(f"{path}: firmware answered with status {status:#x}: {_STATUS.get(status, 'unknown')}")
