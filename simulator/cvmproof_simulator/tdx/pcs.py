"""A SIMULATED provisioning service: Intel's PCS API 4 over real HTTP on this machine, or a PCCS, right or misbehaving.

    with FakePcs(Collateral.of(platform, issued)) as pcs:
        pcs.url                                            http://127.0.0.1:40123
        pcs.register(newer, early=True)                    what update=early gets; standard goes on getting the other
        pcs.misbehave(status(503), path="/tcb", times=2)   the next two requests whose path contains it
    with FakePcs(collateral, caching=True) as pccs:        a caching service of a data center

What Intel serves from two hosts is here on one: the root's list is /IntelSGXRootCA.der, and in PEM /IntelSGXRootCA.crl.
A caching service has it under /sgx/certification/v4/rootcacrl, gives lists in hexadecimal unless they are asked for in
DER, calls that PEM, and does not know evaluation numbers: it overlooks the parameter. Refusals of Intel's have no body,
and those of a caching service a line of text. PCS API 4, and Intel's PCCS; it listens on loopback only.
"""

import json
import logging
import re
import secrets
import ssl
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, quote

from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_simulator.fake_service import FakeService
from cvmproof_simulator.http_server import LOOPBACK, Request
from cvmproof_simulator.misbehaviour import Answer
from cvmproof_simulator.tdx.collateral import (
    Collateral,
    evaluation_numbers_response,
    simulated_evaluation_numbers,
)

_log = logging.getLogger(__name__)

TCB_INFO_CHAIN: Final = "TCB-Info-Issuer-Chain"
QE_IDENTITY_CHAIN: Final = "SGX-Enclave-Identity-Issuer-Chain"
PCK_CRL_CHAIN: Final = "SGX-PCK-CRL-Issuer-Chain"
NUMBERS_CHAIN: Final = "TCB-Evaluation-Data-Numbers-Issuer-Chain"

_SGX, _TDX = "/sgx/certification/v4", "/tdx/certification/v4"
_FMSPC = re.compile(r"[0-9a-fA-F]{12}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_UPDATES = ("standard", "early")
_CRL_LABEL = "X509 CRL"
_ENCODINGS: Final[Mapping[str, Callable[[bytes], tuple[str, bytes]]]] = {
    "der": lambda crl: ("application/pkix-crl", crl),
    "pem": lambda crl: ("application/x-pem-file", write_pem(crl, _CRL_LABEL)),
    "hex": lambda crl: ("application/x-pem-file", crl.hex().encode("ascii")),
}
_JSON = "application/json"

_BAD, _MISSING, _GONE, _NOT_ALLOWED = 400, 404, 410, 405
_REFUSALS = {_BAD: b"Invalid request parameters.", _MISSING: b"No cache data for this platform."}

Query = Mapping[str, str]


class _RefusedError(Exception):
    """What the service answers instead."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class FakePcs(FakeService):
    """The SIMULATED service; `collateral` is what it knows, `caching` makes it a PCCS."""

    def __init__(
        self,
        *collateral: Collateral,
        caching: bool = False,
        warning: str | None = None,
        tls: ssl.SSLContext | None = None,
        listen: tuple[str, int] = LOOPBACK,
    ) -> None:
        """Bind; `warning` is the text of a Warning header, by which Intel announces that an API ends."""
        super().__init__("PCCS" if caching else "PCS", tls=tls, listen=listen)
        self._known: dict[tuple[bytes, int], Collateral] = {}
        self._early: frozenset[int] = frozenset()
        self._caching = caching
        self._warning = warning
        for found in collateral:
            self.register(found)

    def register(self, collateral: Collateral, *, early: bool = False) -> None:
        """Make collateral known, by its FMSPC and number; `early`: that number is not yet the standard one.

        Known again without `early`, a number becomes the standard one.
        """
        number = collateral.tcb_info.evaluation_number
        # New ones, as a request may be looking at the old ones.
        self._early = self._early | {number} if early else self._early - {number}
        self._known = {**self._known, (collateral.tcb_info.fmspc, number): collateral}

    def _right_answer(self, request: Request) -> Answer:
        if request.method != "GET":
            return Answer(status=_NOT_ALLOWED, headers=(("Allow", "GET"),))
        try:
            return self._with_headers(self._found(request))
        except _RefusedError as refused:
            _log.info("%s refuses %.200r: %s", self._name, request.target, refused)
            body = _REFUSALS.get(refused.status, b"SIMULATED: not found") if self._caching else b""
            return self._with_headers(Answer(status=refused.status, body=body))

    def _with_headers(self, answer: Answer) -> Answer:
        warning = () if self._warning is None else (("Warning", self._warning),)
        headers = (*answer.headers, ("Request-ID", secrets.token_hex(16)), *warning)
        return Answer(status=answer.status, headers=headers, body=answer.body)

    def _found(self, request: Request) -> Answer:
        answers: dict[str, Callable[[Query], Answer]] = {
            f"{_TDX}/tcb": self._tcb_info,
            f"{_TDX}/qe/identity": self._qe_identity,
            f"{_SGX}/pckcrl": self._pck_crl,
        }
        if self._caching:
            answers[f"{_SGX}/rootcacrl"] = self._root_crl_in_hex
        else:
            answers[f"{_TDX}/tcbevaluationdatanumbers"] = self._numbers
            answers[f"{_SGX}/fmspcs"] = self._fmspcs
            answers["/IntelSGXRootCA.der"] = self._root_crl
            answers["/IntelSGXRootCA.crl"] = self._root_crl_in_pem
        if request.path not in answers:
            raise _RefusedError(_MISSING, "no such resource")
        return answers[request.path](_read_query(request.query))

    def _tcb_info(self, query: Query) -> Answer:
        fmspc = query.get("fmspc", "")
        if not _FMSPC.fullmatch(fmspc):
            raise _RefusedError(_BAD, "fmspc: expected 12 hexadecimal digits")
        wanted = bytes.fromhex(fmspc)
        chosen = self._chosen({number: found for (kind, number), found in self._known.items() if kind == wanted}, query)
        return _signed(chosen.tcb_info_response, TCB_INFO_CHAIN, chosen)

    def _qe_identity(self, query: Query) -> Answer:
        chosen = self._chosen({number: found for (_, number), found in self._known.items()}, query)
        return _signed(chosen.qe_identity_response, QE_IDENTITY_CHAIN, chosen)

    def _numbers(self, _: Query) -> Answer:
        newest = self._chosen({number: found for (_, number), found in self._known.items()}, {"update": "early"})
        found = simulated_evaluation_numbers(newest.tcb_info.issue_date, (number for _, number in self._known))
        return _signed(evaluation_numbers_response(newest.authorities, found), NUMBERS_CHAIN, newest)

    def _fmspcs(self, _: Query) -> Answer:
        kinds = sorted({fmspc.hex().upper() for fmspc, _ in self._known})
        body = json.dumps([{"fmspc": fmspc, "platform": "E5"} for fmspc in kinds]).encode()
        return Answer(headers=(("Content-Type", _JSON),), body=body)

    def _pck_crl(self, query: Query) -> Answer:
        ca, encoding = query.get("ca", ""), query.get("encoding", "pem")
        if not self._caching and encoding not in {"der", "pem"}:
            raise _RefusedError(_BAD, "encoding: expected der or pem")
        if self._caching:
            ca, encoding = ca.lower(), "der" if encoding.lower() == "der" else "hex"
        if ca not in set(Ca):
            raise _RefusedError(_BAD, "ca: expected processor or platform")
        known = self._newest()
        found = next((one for one in known if one.ca == ca), None)
        # Intel has both authorities, whatever machines a test is about.
        crl = known[0].authorities.pck_crl(Ca(ca), known[0].pck_crl_issued) if found is None else found.pck_crl
        chain = known[0].authorities.pck_chain(Ca(ca)) if found is None else found.pck_crl_chain
        return _list(crl, encoding, (PCK_CRL_CHAIN, chain))

    def _root_crl(self, _: Query) -> Answer:
        return _list(self._newest()[0].root_crl, "der")

    def _root_crl_in_pem(self, _: Query) -> Answer:
        return _list(self._newest()[0].root_crl, "pem")

    def _root_crl_in_hex(self, _: Query) -> Answer:
        return _list(self._newest()[0].root_crl, "hex")

    def _newest(self) -> tuple[Collateral, ...]:
        """What is known, the highest numbers first."""
        if not self._known:
            raise _RefusedError(_MISSING, "nothing is known")
        order = sorted(self._known, key=lambda key: key[1], reverse=True)
        return tuple(self._known[key] for key in order)

    def _chosen(self, numbers: Mapping[int, Collateral], query: Query) -> Collateral:
        """What a query asks for by `update` or by number."""
        update, number = query.get("update", "standard"), query.get("tcbEvaluationDataNumber")
        if self._caching:
            number = None
        if number is not None and "update" in query:
            raise _RefusedError(_BAD, "update and tcbEvaluationDataNumber exclude each other")
        if update not in _UPDATES or (number is not None and not _NUMBER.fullmatch(number)):
            raise _RefusedError(_BAD, "expected update=early, update=standard, or a number")
        if number is not None:
            return self._numbered(numbers, int(number))
        wanted = [known for known in numbers if update == "early" or known not in self._early]
        if not wanted:
            raise _RefusedError(_MISSING, "not known")
        return numbers[max(wanted)]

    def _numbered(self, numbers: Mapping[int, Collateral], number: int) -> Collateral:
        if number in numbers:
            return numbers[number]
        if numbers and number < min(numbers):
            raise _RefusedError(_GONE, f"evaluation number {number} is no longer supported")
        raise _RefusedError(_MISSING, f"evaluation number {number} is not known")


def issuer_chain(pem: bytes) -> str:
    """A chain as it stands in a header: percent-encoded, with %0A, %2B and %3D."""
    return quote(pem, safe="")


def _read_query(text: str) -> Query:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []
    except ValueError as error:
        raise _RefusedError(_BAD, f"query: {error}") from error
    query = dict(pairs)
    if len(query) != len(pairs):
        raise _RefusedError(_BAD, "query: a parameter stands there twice")
    return query


def _signed(body: bytes, header: str, collateral: Collateral) -> Answer:
    chain = (header, issuer_chain(collateral.signing_chain))
    return Answer(headers=(("Content-Type", _JSON), chain), body=body)


def _list(crl: bytes, encoding: str, chain: tuple[str, bytes] | None = None) -> Answer:
    content_type, body = _ENCODINGS[encoding](crl)
    issuer = () if chain is None else ((chain[0], issuer_chain(chain[1])),)
    return Answer(headers=(("Content-Type", content_type), *issuer), body=body)
