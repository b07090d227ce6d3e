"""The certificate table that a host hands to its guest beside a report.

Follows AMD/GHCB 56421, SNP extended guest request: 24-byte entries (GUID, offset, length), an all-zero entry at the
end, the contents behind them. The host wrote it, so nothing in it is trusted: it only supplies certificates that must
chain.
"""

from dataclasses import dataclass

from cvmproof_formats.errors import Category, Malformed

ENTRY_SIZE = 24  # bytes: GUID in RFC 4122 order, u32 offset, u32 length, little-endian
ENTRY_LIMIT = 32  # AMD defines five GUIDs, clouds a few more

# GUIDs in the lower-case text form of RFC 4122 (the uuid module would double what this one costs to import).
VCEK = "63da758d-e664-4564-adc5-f4b93be8accd"
VLEK = "a8074bc2-a25a-483e-aae6-39c045a0b8a1"
ASK = "4ab7b379-bbac-4fe4-a02f-05aef327c782"
ARK = "c0b406a4-a803-4952-9743-3fb6014cd0ae"
CRL = "92f81bc3-5811-4d3d-97ff-d19f88dc67ea"

CERTIFICATES = (VCEK, VLEK, ASK, ARK)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry:
    """One blob of the table; `data` is what the host says it is, DER or PEM."""

    guid: str
    data: bytes


def read_certificate_table(table: bytes) -> tuple[TableEntry, ...]:
    """Read a table; bytes that no entry covers must be zero.

    Raises Malformed for an entry that leaves the table, overlaps another or the header, or repeats a GUID, and
    Malformed (SIZE_LIMIT) for more than 32 entries.
    """
    header = _read_header(table)
    end_of_header = ENTRY_SIZE * (len(header) + 1)
    covered = bytearray(table[end_of_header:])
    entries = []
    for guid, offset, length in header:
        if offset < end_of_header or offset + length > len(table):
            raise Malformed(f"certificate table: {guid} at {offset}+{length}: outside {end_of_header}..{len(table)}")
        entries.append(TableEntry(guid=guid, data=table[offset : offset + length]))
        covered[offset - end_of_header : offset - end_of_header + length] = bytes(length)
    _refuse_overlap(header)
    if covered.strip(b"\0"):
        raise Malformed("certificate table: expected zero bytes outside its entries")
    return tuple(entries)


def build_certificate_table(entries: tuple[TableEntry, ...]) -> bytes:
    """Write a table, contents in the order given."""
    offset = ENTRY_SIZE * (len(entries) + 1)
    header = b""
    for entry in entries:
        header += (
            bytes.fromhex(entry.guid.replace("-", ""))
            + offset.to_bytes(4, "little")
            + len(entry.data).to_bytes(4, "little")
        )
        offset += len(entry.data)
    return header + bytes(ENTRY_SIZE) + b"".join(entry.data for entry in entries)


def _read_header(table: bytes) -> list[tuple[str, int, int]]:
    header: list[tuple[str, int, int]] = []
    for start in range(0, len(table) - ENTRY_SIZE + 1, ENTRY_SIZE):
        entry = table[start : start + ENTRY_SIZE]
        if not entry.strip(b"\0"):
            return header
        if len(header) == ENTRY_LIMIT:
            raise Malformed(f"certificate table: expected at most {ENTRY_LIMIT} entries", category=Category.SIZE_LIMIT)
        guid = _spell_guid(entry[:16])
        if guid in (known for known, _, _ in header):
            raise Malformed(f"certificate table: {guid} stands in it twice")
        header.append((guid, int.from_bytes(entry[16:20], "little"), int.from_bytes(entry[20:], "little")))
    raise Malformed("certificate table: expected an all-zero entry at its end, got none")


def _refuse_overlap(header: list[tuple[str, int, int]]) -> None:
    end = 0
    for guid, offset, length in sorted(header, key=lambda item: item[1]):
        if offset < end:
            raise Malformed(f"certificate table: {guid} at {offset} overlaps the entry before it")
        end = offset + length


def _spell_guid(data: bytes) -> str:
    digits = data.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
