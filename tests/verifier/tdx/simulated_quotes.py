"""Inputs whose quote is another one: each field changed, and signed again by whoever signs it."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.verifier.tdx.differential import Input
from tests.verifier.tdx.simulated_input import PLATFORM, REPORT_DATA, TD, good_input, good_quote

from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.certification_data import build_qe_certification
from cvmproof_formats.tdx.quote import build_quote, read_quote
from cvmproof_simulator.psp import derive_key
from cvmproof_simulator.tdx.ecdsa import raw_key, sign_raw
from cvmproof_simulator.tdx.quoting_enclave import QE_AUTHENTICATION_DATA, qe_report

STRANGER = derive_key(b"a stranger's", curve="P-256")
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the group, SEC 2 section 2.4.2


@dataclass(frozen=True, slots=True)
class Field:
    """A field of something that is signed: where it stands."""

    name: str
    offset: int
    size: int


HEADER = (
    Field("header, version", 0, 2),
    Field("header, attestation key type", 2, 2),
    Field("header, TEE type", 4, 4),
    Field("header, reserved", 8, 4),
    Field("header, QE vendor id", 12, 16),
    Field("header, user data", 28, 20),
)
BODY = (
    Field("TEE_TCB_SVN", 0, 16),
    Field("MRSEAM", 16, 48),
    Field("MRSIGNERSEAM", 64, 48),
    Field("SEAMATTRIBUTES", 112, 8),
    Field("TDATTRIBUTES", 120, 8),
    Field("XFAM", 128, 8),
    Field("MRTD", 136, 48),
    Field("MRCONFIGID", 184, 48),
    Field("MROWNER", 232, 48),
    Field("MROWNERCONFIG", 280, 48),
    Field("RTMR0", 328, 48),
    Field("RTMR1", 376, 48),
    Field("RTMR2", 424, 48),
    Field("RTMR3", 472, 48),
    Field("REPORTDATA", 520, 64),
)
BODY_15 = (Field("TEE_TCB_SVN2", 584, 16), Field("MRSERVICETD", 600, 48))
ENCLAVE = (
    Field("QE, CPUSVN", 0, 16),
    Field("QE, MISCSELECT", 16, 4),
    Field("QE, reserved1", 20, 28),
    Field("QE, ATTRIBUTES", 48, 16),
    Field("QE, MRENCLAVE", 64, 32),
    Field("QE, reserved2", 96, 32),
    Field("QE, MRSIGNER", 128, 32),
    Field("QE, reserved3", 160, 96),
    Field("QE, ISVPRODID", 256, 2),
    Field("QE, ISVSVN", 258, 2),
    Field("QE, reserved4", 260, 60),
    Field("QE, REPORTDATA", 320, 64),
)
# Fields in which each bit means something of its own; of the others some are flipped.
_BY_BIT = {"TDATTRIBUTES", "XFAM", "SEAMATTRIBUTES", "QE, ATTRIBUTES", "QE, MISCSELECT"}
_START_OF_BODY = {4: 48, 5: 54}


def values(field: Field, now: bytes) -> Iterator[tuple[str, bytes]]:
    """Other values of a field: zeros, ones, numbers nearby, and flipped bits."""
    number, top = int.from_bytes(now, "little"), (1 << 8 * field.size) - 1
    yield "zero", bytes(field.size)
    yield "ones", b"\xff" * field.size
    for step in (-2, -1, 1, 2, 3):
        yield f"{step:+}", (number + step & top).to_bytes(field.size, "little")
    count = 8 * field.size
    bits = range(count) if field.name in _BY_BIT else sorted({count * i // 7 for i in range(7)} | {count - 1})
    for bit in bits:
        yield f"bit {bit}", (number ^ 1 << bit).to_bytes(field.size, "little")


def put(data: bytes, offset: int, value: bytes) -> bytes:
    """The same with other bytes from there on."""
    return data[:offset] + value + data[offset + len(value) :]


def signed_again(version: int, signed: bytes) -> bytes:
    """A quote of these bytes, signed by the attestation key; the rest as in a good one."""
    data = good_quote(version)
    found = read_quote(data)
    certification = data[len(found.signed) + 4 + 128 :]
    return build_quote(
        signed=signed,
        signature=sign_raw(PLATFORM.attestation_key, signed),
        attestation_key=found.attestation_key,
        certification=certification,
    )


def other_headers_and_bodies() -> Iterator[Input]:
    """Every field of header and body, in both versions, signed."""
    for version, start in _START_OF_BODY.items():
        signed = read_quote(good_quote(version)).signed
        body = BODY if version == 4 else (*BODY, *BODY_15)
        placed = [(field, field.offset) for field in HEADER] + [(field, start + field.offset) for field in body]
        for field, offset in placed:
            for change, value in values(field, signed[offset : offset + field.size]):
                changed = put(signed, offset, value)
                yield good_input(version).but(field.name, f"v{version}, {change}", quote=signed_again(version, changed))


def other_body_types() -> Iterator[Input]:
    """What version 5 says about its body, true and false."""
    for kind in (0, 1, 2, 3, 4, 5, 6, 255, 256, 0x0103, 65535):
        quote = TD.quote(REPORT_DATA, version=5, body_type=kind)
        yield good_input(5).but("body type", f"{kind}", quote=quote)
    for size in (0, 1, 384, 583, 584, 585, 647, 649, 885, 0xFFFF, 0xFFFFFFFF, 0x00010288):
        quote = TD.quote(REPORT_DATA, version=5, body_size=size)
        yield good_input(5).but("body size", f"{size}", quote=quote)
    yield good_input(5).but("body size", "648", quote=good_quote(5))


def other_quoting_enclaves() -> Iterator[Input]:
    """Every field of the quoting enclave's report, signed by the platform's key."""
    key = raw_key(PLATFORM.attestation_key)
    report = qe_report(PLATFORM, key).build()
    for field in ENCLAVE:
        for change, value in values(field, report[field.offset : field.offset + field.size]):
            changed = put(report, field.offset, value)
            certification = build_qe_certification(
                qe_report=changed,
                signature=sign_raw(PLATFORM.pck_key, changed),
                authentication_data=QE_AUTHENTICATION_DATA,
                pck_chain=PLATFORM.pck_chain(),
            )
            yield good_input().but(field.name, change, quote=TD.quote(REPORT_DATA, certification=certification))


def signatures(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Other signatures than a good one, and the one that is as good: (r, n - s)."""
    r, s = (int.from_bytes(good[at : at + 32], "big") for at in (0, 32))
    pairs = {
        "as it is": (r, s),
        "n - s": (r, _ORDER - s),
        "r zero": (0, s),
        "s zero": (r, 0),
        "both zero": (0, 0),
        "r the order": (_ORDER, s),
        "s the order": (r, _ORDER),
        "r one": (1, s),
        "swapped": (s, r),
        "r and n": (min(r + _ORDER, (1 << 256) - 1), s),
    }
    yield from ((name, b"".join(part.to_bytes(32, "big") for part in pair)) for name, pair in pairs.items())
    yield "little-endian", good[31::-1] + good[:31:-1]
    yield "first bit", put(good, 0, bytes([good[0] ^ 0x80]))
    yield "last bit", put(good, 63, bytes([good[63] ^ 1]))


def other_signatures() -> Iterator[Input]:
    """Other signatures, and other signers."""
    found = read_quote(good_quote(4))
    for change, value in signatures(found.signature):
        yield good_input().but("signature", change, quote=TD.quote(REPORT_DATA, signature=value))
    for change, value in signatures(found.qe.signature):
        yield good_input().but("QE signature", change, quote=TD.quote(REPORT_DATA, qe_signature=value))
    for name, key in (("a stranger", STRANGER), ("the PCK key", PLATFORM.pck_key)):
        yield good_input().but("signature", f"by {name}", quote=TD.quote(REPORT_DATA, signed_by=key))
    for name, key in (("a stranger", STRANGER), ("the attestation key", PLATFORM.attestation_key)):
        yield good_input().but("QE signature", f"by {name}", quote=TD.quote(REPORT_DATA, qe_signed_by=key))
    own = raw_key(PLATFORM.attestation_key)
    keys = {"zero": bytes(64), "ones": b"\xff" * 64, "a stranger's": raw_key(STRANGER), "swapped": own[32:] + own[:32]}
    keys |= {f"bit {bit}": put(own, bit // 8, bytes([own[bit // 8] ^ 1 << bit % 8])) for bit in range(0, 512, 73)}
    for change, key_bytes in keys.items():
        yield good_input().but("attestation key", change, quote=TD.quote(REPORT_DATA, attestation_key=key_bytes))
    yield good_input().but("attestation key", "its own", quote=TD.quote(REPORT_DATA, attestation_key=own))
    # A key that the enclave does vouch for, and that signs.
    other = TD.quote(REPORT_DATA, attestation_key=raw_key(STRANGER), signed_by=STRANGER)
    yield good_input().but("attestation key", "a stranger's who signs", quote=other)


def other_certification_data() -> Iterator[Input]:
    """Other kinds of certification data, other lengths."""
    for kind in (0, 1, 2, 3, 4, 5, 6, 7, 8, 255, 256, 65535):
        yield good_input().but("outer type", f"{kind}", quote=TD.quote(REPORT_DATA, outer_type=kind))
        yield good_input().but("inner type", f"{kind}", quote=TD.quote(REPORT_DATA, inner_type=kind))
    for data in (b"", b"\0", bytes(31), bytes(33), bytes(64), bytes(1000)):
        quote = TD.quote(REPORT_DATA, authentication_data=data)
        yield good_input().but("QE authentication data", f"{len(data)} bytes", quote=quote)
    for value in (bytes(32), b"\xff" * 32, QE_AUTHENTICATION_DATA, QE_AUTHENTICATION_DATA[::-1], b"text" * 8):
        quote = TD.quote(REPORT_DATA, authentication_data=value)
        yield good_input().but("QE authentication data", value.hex(), quote=quote)
    for version in (4, 5):
        yield from _other_lengths(version)


def _other_lengths(version: int) -> Iterator[Input]:
    data = good_quote(version)
    start = len(read_quote(data).signed)
    lengths = {
        "size of the signature data": (start, 4),
        "outer size": (start + 4 + 130, 4),
        "size of the QE authentication data": (start + 4 + 134 + 448, 2),
        "inner size": (start + 4 + 134 + 450 + 32 + 2, 4),
    }
    for name, (offset, size) in lengths.items():
        now = int.from_bytes(data[offset : offset + size], "little")
        for length in (
            0,
            1,
            now - 2,
            now - 1,
            now,
            now + 1,
            now + 2,
            2 * now,
            (1 << 8 * size - 1),
            (1 << 8 * size) - 1,
        ):
            changed = put(data, offset, (length % (1 << 8 * size)).to_bytes(size, "little"))
            yield good_input(version).but(name, f"v{version}, {length} for {now}", quote=changed)
        # Two more bytes, and every length around them says so.
    for extra in (b"\0", b"\n", b"\0\0", b"x"):
        grown = data + extra
        for name in ("size of the signature data", "outer size", "inner size"):
            offset, size = lengths[name]
            number = int.from_bytes(grown[offset : offset + size], "little") + len(extra)
            grown = put(grown, offset, number.to_bytes(size, "little"))
            yield good_input(version).but(name, f"v{version}, {extra!r} more inside", quote=grown)


def other_ends() -> Iterator[Input]:
    """Quotes that are cut, and quotes with something behind them."""
    for version in (4, 5):
        data = good_quote(version)
        for length in (*range(0, len(data), 331), len(data) - 2, len(data) - 1):
            yield good_input(version).but("end", f"v{version}, cut to {length}", quote=data[:length])
        for extra in (b"\0", b"\0" * 100, b"\n", b"x", b"\0x", data, b"\0" * 3065, b"-----", b"\xff" * 4):
            yield good_input(version).but(
                "end", f"v{version}, {len(extra)} bytes behind: {extra[:3]!r}", quote=data + extra
            )


def other_texts() -> Iterator[Input]:
    """The PCK chain in other forms of PEM, and other certificates in it."""
    for change, text in texts_of(PLATFORM.certificates()):
        yield good_input().but("PCK chain, PEM", change, quote=TD.quote(REPORT_DATA, pck_chain=text))
    leaf, authority, root = PLATFORM.certificates()
    other = replace(PLATFORM, secret=b"another machine").certificates()
    chains = {
        "as it is": (leaf, authority, root),
        "without root": (leaf, authority),
        "the leaf alone": (leaf,),
        "root first": (root, authority, leaf),
        "root and CA swapped": (leaf, root, authority),
        "CA first": (authority, leaf, root),
        "the leaf twice": (leaf, leaf, authority, root),
        "the root twice": (leaf, authority, root, root),
        "the CA twice": (leaf, authority, authority, root),
        "another leaf": (other[0], authority, root),
        "another leaf too": (leaf, other[0], authority, root),
        "the Processor CA": (leaf, PLATFORM.authorities.processor, root),
        "the Processor CA too": (leaf, authority, PLATFORM.authorities.processor, root),
        "the TCB signer too": (leaf, authority, PLATFORM.authorities.tcb_signing, root),
        "no CA": (leaf, root),
    }
    for change, certificates in chains.items():
        text = b"".join(map(write_pem, certificates)) + b"\0"
        yield good_input().but("PCK chain", change, quote=TD.quote(REPORT_DATA, pck_chain=text))


def texts_of(certificates: tuple[bytes, ...]) -> Iterator[tuple[str, bytes]]:
    """Certificates in other forms of PEM."""
    text = b"".join(map(write_pem, certificates))
    yield "no zero byte behind", text
    yield "two zero bytes behind", text + b"\0\0"
    yield "a new line behind", text + b"\n\0"
    yield "a new line in front", b"\n" + text
    yield "no new line at the end", text[:-1]
    yield "carriage returns", text.replace(b"\n", b"\r\n")
    yield "text in front", b"text\n" + text
    yield "text between", text.replace(b"-----END CERTIFICATE-----\n", b"-----END CERTIFICATE-----\ntext\n")
    yield "an empty line between", text.replace(b"-----END CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n\n")
    yield "a space at an end of line", text.replace(b"\n", b" \n", 2)
    yield "a tab in front of a line", text.replace(b"\nM", b"\n\tM", 1)
    yield "a header line", text.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\nProc-Type: 4\n\n", 1)
    yield "another label", text.replace(b"CERTIFICATE", b"X509 CERTIFICATE", 2)
    yield "an older label", text.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE", 2)
    yield "small letters", text.replace(b"CERTIFICATE", b"certificate", 2)
    yield "a key between", text + write_pem(b"\x30\x00", "PRIVATE KEY")
    yield "certificates in DER", b"".join(certificates)
    yield "a zero byte inside", text.replace(b"\n", b"\0", 1)
    yield "lines of 76", b"".join(_wrapped(der, 76) for der in certificates)
    yield "one line each", b"".join(_wrapped(der, 1 << 16) for der in certificates)
    yield "bytes behind a certificate", b"".join(write_pem(der + b"\0") for der in certificates)
    yield "empty", b""
    first = base64.b64encode(certificates[0])
    if first.endswith(b"="):
        yield "no padding", text.replace(b"=\n", b"\n", 1)
    yield "more padding", text.replace(b"\n-----END", b"=\n-----END", 1)
    for at in (0, 100, 500, 1000, 1500):
        yield f"a space at {at}", text[:at] + b" " + text[at:]


def _wrapped(der: bytes, columns: int) -> bytes:
    text = base64.b64encode(der)
    lines = [text[i : i + columns] for i in range(0, len(text), columns)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


QUOTES = (
    other_headers_and_bodies,
    other_body_types,
    other_quoting_enclaves,
    other_signatures,
    other_certification_data,
    other_ends,
    other_texts,
)
