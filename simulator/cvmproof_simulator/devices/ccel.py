"""The ACPI table and the memory behind it in which firmware leaves its event log; ACPI 6.5 section 5.2.34 (CCEL)."""

import struct
from typing import Final

_HEADER = struct.Struct("<4sIBB6s8sI4sI")
_CCEL = struct.Struct("<BBHQQ")
_REVISION: Final = 1
_TDX: Final = 2
ADDRESS: Final = 0x7F000000
"""Where the log is said to lie."""
TABLE_SIZE: Final = _HEADER.size + _CCEL.size
_CHECKSUM_AT: Final = 9


def build_ccel(log_size: int) -> bytes:
    """The table of 56 bytes for a log area of so many bytes."""
    header = _HEADER.pack(b"CCEL", TABLE_SIZE, _REVISION, 0, b"CVMSIM", b"SIMULATE", 1, b"CVMP", 1)
    table = bytearray(header + _CCEL.pack(_TDX, 0, 0, log_size, ADDRESS))
    table[_CHECKSUM_AT] = -sum(table) & 0xFF
    return bytes(table)
