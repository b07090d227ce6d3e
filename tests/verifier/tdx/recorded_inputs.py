"""Inputs made of recorded quotes and Intel's collateral: nobody can sign these again, so most changes are damage.

What dcap-qvl still takes of them: rows as they are, at all times inside their validity, with collateral of other rows,
with the other form of the same signature, and what it does not look at.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from tests.verifier.tdx.differential import Input
from tests.verifier.tdx.json_changes import forms_of
from tests.verifier.tdx.recorded import Row, read, readable
from tests.verifier.tdx.simulated_quotes import BODY, BODY_15, ENCLAVE, HEADER, Field, put, signatures, texts_of

from cvmproof_formats.tdx.certification_data import build_qe_certification, read_pck_chain
from cvmproof_formats.tdx.quote import Quote, build_quote, read_quote
from cvmproof_formats.tdx.signed_json import Signed, read_signed

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_SIGNED = {4: 48 + 584, 5: 54 + 648}
_START_OF_BODY = {4: 48, 5: 54}
_BEHIND = (  # in the signature data, up to the PCK chain
    Field("size of the signature data", 0, 4),
    Field("signature", 4, 64),
    Field("attestation key", 68, 64),
    Field("outer type", 132, 2),
    Field("outer size", 134, 4),
    *(Field(field.name, 138 + field.offset, field.size) for field in ENCLAVE),
    Field("QE signature", 522, 64),
    Field("size of the QE authentication data", 586, 2),
    Field("QE authentication data", 588, 32),
    Field("inner type", 620, 2),
    Field("inner size", 622, 4),
)


@lru_cache(maxsize=256)
def _signed(path: Path, name: str) -> Signed:
    return read_signed(read(path), name)


def input_of_row(recorded: Path, row: Row, field: str = "nothing", change: str = "nothing") -> Input:
    """A row as it is."""
    folder = recorded / "tdx"
    certificates = folder / "collateral" / "certs"
    return Input(
        field=field,
        change=change,
        quote=read(folder / row.quote),
        tcb_info=_signed(folder / row.tcb, "tcbInfo"),
        qe_identity=_signed(folder / row.qe, "enclaveIdentity"),
        root_crl=read(folder / row.root_crl),
        pck_crl=read(folder / row.pck_crl),
        signing_chain=read(folder / row.signing_cert) + read(certificates / "root_2018_2049.pem"),
        pck_crl_chain=read(certificates / "pck_platform_ca.pem") + read(certificates / "root_2018_2049.pem"),
        now=row.at,
    )


@lru_cache
def chosen(recorded: Path) -> tuple[Row, ...]:
    """One row for each version of quote and kind of platform, of those that dcap-qvl gives a status to."""
    found: dict[tuple[int, str], Row] = {}
    for row in readable(recorded):
        if not row.dcap_qvl.startswith("ERR"):
            found.setdefault((read(recorded / "tdx" / row.quote)[0], Path(row.tcb).name[:12]), row)
    return tuple(found.values())


def rows_as_they_are(recorded: Path) -> Iterator[Input]:
    """Every fourth row as it is, and a bit earlier and later."""
    for row in readable(recorded)[::4]:
        for step in (-_DAY, -_SECOND, timedelta(), _SECOND, 30 * _DAY):
            yield input_of_row(recorded, row).but("time", f"{row.quote} {row.tcb} {step}", now=row.at + step)


def damaged_quotes(recorded: Path) -> Iterator[Input]:
    """Bits of every field of the quotes, and of the PCK chain's text."""
    for row in chosen(recorded):
        good = input_of_row(recorded, row)
        version = good.quote[0]
        body = BODY if version == 4 else (*BODY, *BODY_15)
        behind = _SIGNED[version]
        fields = [(field, field.offset) for field in HEADER]
        fields += [(field, _START_OF_BODY[version] + field.offset) for field in body]
        fields += [(field, behind + field.offset) for field in _BEHIND]
        for field, start in fields:
            for bit in range(0, 8 * field.size, max(1, 8 * field.size // 10)):
                yield good.but(field.name, f"{row.quote}, bit {bit}", quote=_flipped(good.quote, 8 * start + bit))
        for at in range(behind + 626, len(good.quote), 61):
            yield good.but("PCK chain, a bit", f"{row.quote}, {at}", quote=_flipped(good.quote, 8 * at + at % 8))


def rebuilt_quotes(recorded: Path) -> Iterator[Input]:
    """What nobody signed: the text of the PCK chain, certificates of others, the other form of each signature."""
    for row in chosen(recorded):
        good = input_of_row(recorded, row)
        found = read_quote(good.quote)
        certificates = read_pck_chain(found.qe.pck_chain)
        for change, text in texts_of(certificates):
            yield good.but("PCK chain, PEM", f"{row.quote}, {change}", quote=_rebuilt(found, pck_chain=text))
        for other in chosen(recorded):
            chain = read_quote(read(recorded / "tdx" / other.quote)).qe.pck_chain
            yield good.but("PCK chain", f"{row.quote}, of {other.quote}", quote=_rebuilt(found, pck_chain=chain))
        for change, value in signatures(found.signature):
            yield good.but("signature", f"{row.quote}, {change}", quote=_rebuilt(found, signature=value))
        for change, value in signatures(found.qe.signature):
            yield good.but("QE signature", f"{row.quote}, {change}", quote=_rebuilt(found, qe_signature=value))
        for kind in (0, 1, 2, 3, 4, 5, 7, 255):
            yield good.but("outer type", f"{row.quote}, {kind}", quote=_rebuilt(found, outer_type=kind))
            yield good.but("inner type", f"{row.quote}, {kind}", quote=_rebuilt(found, inner_type=kind))


def other_ends(recorded: Path) -> Iterator[Input]:
    """Quotes that are cut, and quotes with something behind them."""
    for row in chosen(recorded):
        good = input_of_row(recorded, row)
        for length in (*range(0, len(good.quote), 700), len(good.quote) - 2, len(good.quote) - 1):
            yield good.but("end", f"{row.quote}, cut to {length}", quote=good.quote[:length])
        for extra in (b"\0", b"\0" * 70, b"\n", b"\0x", good.quote):
            yield good.but("end", f"{row.quote}, {extra[:2]!r} behind", quote=good.quote + extra)


def other_json(recorded: Path) -> Iterator[Input]:
    """TCB info and QE identity in other forms and damaged, with the other form of their signature, and of others."""
    for row in chosen(recorded):
        good = input_of_row(recorded, row)
        info, identity = good.tcb_info, good.qe_identity
        for change, body in forms_of(info.body):
            yield good.but("TCB info", f"{row.tcb}, {change}", tcb_info=Signed(body=body, signature=info.signature))
        for change, body in forms_of(identity.body):
            changed = Signed(body=body, signature=identity.signature)
            yield good.but("QE identity", f"{row.qe}, {change}", qe_identity=changed)
        for change, value in signatures(info.signature):
            changed = Signed(body=info.body, signature=value)
            yield good.but("TCB info, signature", f"{row.tcb}, {change}", tcb_info=changed)
        for change, value in signatures(identity.signature):
            changed = Signed(body=identity.body, signature=value)
            yield good.but("QE identity, signature", f"{row.qe}, {change}", qe_identity=changed)
        for at in range(0, len(info.body), 311):
            changed = Signed(body=_flipped(info.body, 8 * at + at % 7), signature=info.signature)
            yield good.but("TCB info, a bit", f"{row.tcb}, {at}", tcb_info=changed)
        yield good.but("TCB info", "the QE identity", tcb_info=identity)
        yield good.but("QE identity", "the TCB info", qe_identity=info)


def of_other_rows(recorded: Path) -> Iterator[Input]:
    """Collateral of other rows: of other kinds of platform, of other numbers, of other times."""
    others = readable(recorded)[::40]
    for row in chosen(recorded):
        good = input_of_row(recorded, row)
        for other in others:
            theirs = input_of_row(recorded, other)
            name = f"{row.quote}, of {other.tcb} {other.at:%Y-%m-%d}"
            yield good.but("TCB info", name, tcb_info=theirs.tcb_info)
            yield good.but("QE identity", name, qe_identity=theirs.qe_identity)
            yield good.but("root CRL", name, root_crl=theirs.root_crl)
            yield good.but("PCK CRL", name, pck_crl=theirs.pck_crl)
            yield good.but("signing chain", name, signing_chain=theirs.signing_chain)
            yield good.but("quote", name, quote=theirs.quote)
            at: datetime = theirs.now
            yield good.but("time", name, now=at)


def damaged_lists(recorded: Path) -> Iterator[Input]:
    """Bits of the revocation lists."""
    for row in chosen(recorded):
        good = input_of_row(recorded, row)
        for at in range(0, len(good.root_crl), 37):
            yield good.but(
                "root CRL, a bit", f"{row.root_crl}, {at}", root_crl=_flipped(good.root_crl, 8 * at + at % 8)
            )
        for at in range(0, len(good.pck_crl), 101):
            yield good.but("PCK CRL, a bit", f"{row.pck_crl}, {at}", pck_crl=_flipped(good.pck_crl, 8 * at + at % 8))


def _flipped(data: bytes, bit: int) -> bytes:
    return put(data, bit // 8, bytes([data[bit // 8] ^ 1 << bit % 8]))


def _rebuilt(
    found: Quote,
    *,
    pck_chain: bytes | None = None,
    signature: bytes | None = None,
    qe_signature: bytes | None = None,
    outer_type: int = 6,
    inner_type: int = 5,
) -> bytes:
    certification = build_qe_certification(
        qe_report=found.qe.signed,
        signature=qe_signature or found.qe.signature,
        authentication_data=found.qe.authentication_data,
        pck_chain=found.qe.pck_chain if pck_chain is None else pck_chain,
        outer_type=outer_type,
        inner_type=inner_type,
    )
    return build_quote(
        signed=found.signed,
        signature=signature or found.signature,
        attestation_key=found.attestation_key,
        certification=certification,
    )


RECORDED = (
    rows_as_they_are,
    damaged_quotes,
    rebuilt_quotes,
    other_ends,
    other_json,
    of_other_rows,
    damaged_lists,
)
