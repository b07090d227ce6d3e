"""A SIMULATED key distribution service: AMD's URLs over real HTTP on this machine, and every way to misbehave.

    with FakeKds(SoftwarePsp(ProductLine.GENOA)) as kds:
        kds.url                                                http://127.0.0.1:40123
        kds.misbehave(status(500), path="/crl", times=2)       the next two requests whose path contains it
        kds.misbehave(slow_body(1.0))                          every request from now on
        kds.requests                                           paths asked for, in order

It serves chains and revocation lists of the authorities of the chips it is given, and each chip's VCEK at whatever TCB
is asked for, as AMD does. AMD 57230, chapter 4. It listens on loopback only, and all it does ends with the context.
"""

import logging
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.evidence import list_issued
from cvmproof_simulator.fake_service import FakeService
from cvmproof_simulator.http_server import Request
from cvmproof_simulator.misbehaviour import Answer
from cvmproof_simulator.psp import SoftwarePsp

_log = logging.getLogger(__name__)

# AMD 57230: the query parameter of each component.
_SPL_PARAMETERS: Final = {
    "fmcSPL": "fmc",
    "blSPL": "boot_loader",
    "teeSPL": "tee",
    "snpSPL": "snp",
    "ucodeSPL": "microcode",
}


class FakeKds(FakeService):
    """The SIMULATED service; `chips` are those it knows, `issued` is thisUpdate of its lists (default: midnight)."""

    def __init__(self, *chips: SoftwarePsp, issued: datetime | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__("KDS", tls=tls)
        self._chips: dict[tuple[ProductLine, bytes], SoftwarePsp] = {}
        self._authorities: dict[ProductLine, AmdCa] = {}
        self._issued = issued or list_issued(datetime.now(UTC))
        for chip in chips:
            self.register(chip)

    def register(self, chip: SoftwarePsp) -> None:
        """Make a chip and its authorities known."""
        self._chips[chip.product, chip.chip_id] = chip
        self._authorities[chip.product] = chip.authorities

    def _right_answer(self, request: Request) -> Answer:
        if request.method != "GET":
            return Answer(status=405, headers=(("Allow", "GET"),))
        try:
            data = self._object(request.target)
        except (LookupError, ValueError, Malformed) as error:
            _log.info("SIMULATED KDS has nothing under %.200r: %s", request.target, error)
            return Answer(status=404, body=b"SIMULATED: no such object\n")
        return Answer(body=data, headers=(("Content-Type", "application/octet-stream"),))

    def _object(self, path: str) -> bytes:
        """Find what a path names; raises LookupError, ValueError or Malformed for one that names nothing."""
        parts = urlsplit(path)
        _, kind_name, version, product_name, what = parts.path.split("/")
        kind, product = KeyKind(kind_name.upper()), ProductLine(product_name)
        if version != "v1":
            raise LookupError(version)
        authorities = self._authorities[product]
        if what == "cert_chain":
            return write_pem(authorities.intermediate(kind)) + write_pem(authorities.ark)
        if what == "crl":
            return authorities.crl(self._issued)
        if kind is not KeyKind.VCEK:
            raise LookupError("VLEKs go to providers only")
        chip = self._chips[product, bytes.fromhex(what).ljust(64, b"\0")]
        return replace(chip, key=kind, tcb=_read_tcb(parts.query, product)).vek()


def _read_tcb(query: str, product: ProductLine) -> Tcb:
    levels = {_SPL_PARAMETERS[name]: int(value) for name, value in parse_qsl(query, strict_parsing=True)}
    tcb = Tcb(
        fmc=levels.pop("fmc", None),
        boot_loader=levels.pop("boot_loader"),
        tee=levels.pop("tee"),
        snp=levels.pop("snp"),
        microcode=levels.pop("microcode"),
    )
    tcb.build(product)
    return tcb
