"""TDX: appraisals over the bare P-256 verifications in them, and beside dcap-qvl's `verify` on the same evidence.

What is appraised is a simulated TD, so that it is the same everywhere; where recorded evidence stands beside the
checkout, dcap-qvl is measured on that as well. `python -m benchmarks.tdx` measures this part alone.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Final

import dcap_qvl  # type: ignore[import-untyped]  # it brings no types
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import cvmproof
from benchmarks.figures import show
from benchmarks.material import NOW, REPORT_DATA
from benchmarks.rounds import Figure, paired
from cvmproof import signature
from cvmproof.signature import load_p256_key
from cvmproof.tdx import backing, chain, dates, host, link, marks, profile, quote_answers, root, signed_info, td
from cvmproof.tdx.link import root_key
from cvmproof.tdx.root import known_root, written_root
from cvmproof_formats import x509
from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx import certification_data, header, pck, signed_json, tcb_info
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.p256 import key_spki, read_signature
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tdx.signed_json import Signed, read_signed
from cvmproof_simulator.psp import derive_key
from cvmproof_simulator.tdx.collateral import Collateral as SimulatedCollateral
from cvmproof_simulator.tdx.ecdsa import raw_key
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareTd

RECORDED: Final = Path(__file__).resolve().parents[2] / "shared" / "recorded" / "tdx"
_KIND = len("collateral/tcb/00806F050000")  # of a platform: the start of the name of its TCB info
NEW_QUOTES: Final = 1200  # each with an attestation key of its own: more than are remembered
_POLICY = f'extends = "builtin:recommended"\n[tdx]\nmr_tds = ["{SIMULATED_MRTD.hex()}"]\n'.encode()

# The root is compiled in, its certificate by SHA-256 and its key as it is: each process reads it once.
_COMPILED_IN = (known_root, written_root, root_key)
# What holds anything of evidence, chain, collateral or keys is here; what is left is vocabulary (OIDs) and the policy.
_REMEMBERING = tuple(
    function
    for module in (
        backing,
        certification_data,
        chain,
        dates,
        header,
        host,
        pck,
        link,
        marks,
        profile,
        quote_answers,
        root,
        signature,
        signed_info,
        signed_json,
        tcb_info,
        td,
        x509,
    )
    for function in vars(module).values()
    if hasattr(function, "cache_clear") and function not in _COMPILED_IN
)
# By its name in the package `appraise` is the function; what else the module remembers follows from policies alone.
_lasting = import_module("cvmproof.appraise")._lasting  # noqa: SLF001 - the answers that are remembered by host

Bare = tuple[bytes, bytes, bytes]
"""Key (SubjectPublicKeyInfo), signature (DER) and what was signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A quote, and what it is appraised by: for us, and as dcap-qvl takes it."""

    quote: bytes
    tcb_info: Signed
    qe_identity: Signed
    root_crl: bytes
    pck_crl: bytes
    signing_chain: bytes
    """PEM, TCB signer first."""
    pck_crl_chain: bytes
    """PEM, PCK CA first."""
    root: bytes
    now: datetime
    policy: cvmproof.Policy
    trust: cvmproof.TrustRoots
    freshness: cvmproof.Freshness

    @property
    def collateral(self) -> cvmproof.Collateral:
        """What a store holds between appraisals."""
        return cvmproof.Collateral(
            certificates=read_pem(self.signing_chain),
            intel_crls=(self.root_crl, self.pck_crl),
            tcb_infos=(self.tcb_info,),
            qe_identities=(self.qe_identity,),
        )

    def appraising(self, quotes: Iterator[bytes] | None = None) -> Callable[[], cvmproof.Appraisal]:
        """Give an appraisal of bytes that were never seen as this object, as they come off a wire."""
        collateral, found = self.collateral, quotes or cycle([self.quote])

        def appraise() -> cvmproof.Appraisal:
            return cvmproof.verify(
                cvmproof.read_evidence(bytes(bytearray(next(found)))),
                policies=[self.policy],
                trust=self.trust,
                freshness=self.freshness,
                now=self.now,
                collateral=collateral,
            )

        return appraise

    def others(self) -> Callable[[], object]:
        """Give dcap-qvl's verdict on the same: parsed, verified and rated from the start each time."""
        info, identity, chain_ = self.tcb_info, self.qe_identity, self.signing_chain.decode()
        given = dcap_qvl.QuoteCollateralV3(
            self.pck_crl_chain.decode(),
            self.root_crl,
            self.pck_crl,
            chain_,
            info.body.decode(),
            info.signature,
            chain_,
            identity.body.decode(),
            identity.signature,
        )
        now = int(self.now.timestamp())
        return lambda: dcap_qvl.verify_with_root_ca(self.quote, given, self.root, now)

    def quote_signatures(self) -> tuple[Bare, Bare]:
        """Give the quote's two: the attestation key's, and the PCK key's over the enclave's report."""
        quote = read_quote(self.quote)
        leaf = x509.read_certificate(read_pck_chain(quote.qe.pck_chain)[0])
        return (
            (key_spki(quote.attestation_key), _der(quote.signature), quote.signed),
            (leaf.spki, _der(quote.qe.signature), quote.qe.signed),
        )

    def signatures(self) -> tuple[Bare, ...]:
        """Give all nine: chain, TCB signer, two revocation lists, TCB info, QE identity, and the quote's two."""
        leaf, authority, root = map(x509.read_certificate, read_pck_chain(read_quote(self.quote).qe.pck_chain))
        signer = x509.read_certificate(read_pem(self.signing_chain)[0])
        root_crl, pck_crl = x509.read_crl(self.root_crl), x509.read_crl(self.pck_crl)
        links = ((root, authority), (authority, leaf), (root, signer), (root, root_crl), (authority, pck_crl))
        return (
            *((issuer.spki, subject.signature, subject.tbs) for issuer, subject in links),
            *((signer.spki, _der(one.signature), one.body) for one in (self.tcb_info, self.qe_identity)),
            *self.quote_signatures(),
        )


def simulated() -> Material:
    """Give a simulated TD under a full policy, everything about it up to date."""
    td = SoftwareTd()
    found = SimulatedCollateral.of(td.platform, datetime(2026, 11, 11, tzinfo=UTC))
    return Material(
        quote=td.quote(REPORT_DATA),
        tcb_info=read_signed(found.tcb_info_response, "tcbInfo"),
        qe_identity=read_signed(found.qe_identity_response, "enclaveIdentity"),
        root_crl=found.root_crl,
        pck_crl=found.pck_crl,
        signing_chain=found.signing_chain,
        pck_crl_chain=found.pck_crl_chain,
        root=found.authorities.root,
        now=NOW,
        policy=cvmproof.read_policy(_POLICY, name="benchmark"),
        trust=cvmproof.TrustRoots.simulated(),
        freshness=cvmproof.ExpectedReportData(REPORT_DATA),
    )


def new_quotes() -> list[bytes]:
    """Give quotes of the same TD by a quoting enclave that made itself a new attestation key for each."""
    td = SoftwareTd()
    keys = (derive_key(b"benchmark %d" % number, curve="P-256") for number in range(NEW_QUOTES))
    return [td.quote(REPORT_DATA, signed_by=key, attestation_key=raw_key(key)) for key in keys]


def new_reports() -> list[bytes]:
    """Give quotes by one attestation key, each with a report of the quoting enclave that was not seen before."""
    td = SoftwareTd()
    return [td.quote(REPORT_DATA, authentication_data=number.to_bytes(32, "little")) for number in range(NEW_QUOTES)]


def bare(signatures: tuple[Bare, ...], *, fresh_keys: bool = False) -> Callable[[], None]:
    """Give the bare checks of signatures; with `fresh_keys` every key is loaded anew, as by whom has not seen it."""
    algorithm = signature._ECDSA_SHA256  # noqa: SLF001 - the same object, so that the floor is the same work
    loaded = [(load_p256_key(spki), encoded, message) for spki, encoded, message in signatures]

    def check() -> None:
        for key, encoded, message in loaded:
            key.verify(encoded, message, algorithm)

    def load_and_check() -> None:
        load_p256_key.cache_clear()
        for spki, encoded, message in signatures:
            load_p256_key(spki).verify(encoded, message, algorithm)

    return load_and_check if fresh_keys else check


def forget() -> None:
    """Make the next appraisal a cold one."""
    _lasting.cache_clear()
    for function in _REMEMBERING:
        function.cache_clear()


def measure() -> list[Figure]:
    """Measure all figures; takes half a minute."""
    found = simulated()
    return [*_warm(found), *_cold(found), *_recorded()]


def _warm(found: Material) -> list[Figure]:
    two, others, appraise = bare(found.quote_signatures()), found.others(), found.appraising()
    new_report, new_key = (found.appraising(cycle(quotes)) for quotes in (new_reports(), new_quotes()))
    bare_name, others_name = "warm TDX appraisal over two bare P-256 verifications", "warm TDX appraisal over dcap-qvl"
    return [
        paired(f"{bare_name}: platform seen before", appraise, two, target=1.35, limit=1.35),
        paired(f"{bare_name}: its QE report never seen", new_report, two, target=1.35, limit=1.35),
        _reported(f"{bare_name}: nor its attestation key", new_key, two),
        paired(f"{others_name}: platform seen before", appraise, others, target=0.25, limit=0.25),
        _reported(f"{others_name}: its QE report never seen", new_report, others),
    ]


def _cold(found: Material) -> list[Figure]:
    appraise, nine = found.appraising(), found.signatures()
    what = "cold TDX appraisal over nine bare P-256 verifications"
    return [
        paired(
            f"{what}, keys loaded with them",
            appraise,
            bare(nine, fresh_keys=True),
            target=1.45,
            limit=1.45,
            prepare=forget,
        ),
        _reported(f"{what}, keys loaded before", appraise, bare(nine), prepare=forget),
        _reported("cold TDX appraisal over dcap-qvl", appraise, found.others(), prepare=forget),
    ]


def _recorded() -> list[Figure]:
    """Compare on recorded quotes, where there are any: one of each of several platforms, a policy that takes all."""
    figures = []
    for number, found in enumerate(recorded(), 1):
        appraise, others = found.appraising(), found.others()
        name = f"recorded quote {number} over dcap-qvl"
        figures.append(paired(f"{name}: warm", appraise, others, target=0.25, limit=0.25, rounds=9))
        figures.append(_reported(f"{name}: cold", appraise, others, prepare=forget))
    return figures


def recorded() -> Iterator[Material]:
    """Give recorded quotes that builtin:genuine and dcap-qvl both take, of different platforms."""
    if not (RECORDED / "cases.jsonl").is_file():
        return
    certificates = RECORDED / "collateral" / "certs"
    root, authority = (certificates / f"{name}.pem" for name in ("root_2018_2049", "pck_platform_ca"))
    seen = set()
    for row in map(json.loads, (RECORDED / "cases.jsonl").read_text("utf-8").splitlines()):
        quote = (RECORDED / row["quote"]).read_bytes()
        kind = quote[0], row["tcb"][:_KIND]
        if kind in seen or row["dcap_qvl"].startswith("ERR") or row["pck_ca"] != "platform":
            continue
        seen.add(kind)
        yield Material(
            quote=quote,
            tcb_info=read_signed((RECORDED / row["tcb"]).read_bytes(), "tcbInfo"),
            qe_identity=read_signed((RECORDED / row["qe"]).read_bytes(), "enclaveIdentity"),
            root_crl=(RECORDED / row["root_crl"]).read_bytes(),
            pck_crl=(RECORDED / row["pck_crl"]).read_bytes(),
            signing_chain=(RECORDED / row["signing_cert"]).read_bytes() + root.read_bytes(),
            pck_crl_chain=authority.read_bytes() + root.read_bytes(),
            root=read_pem(root.read_bytes())[0],
            now=datetime.fromtimestamp(row["time"], UTC),
            policy=cvmproof.builtin_policy("genuine"),
            trust=cvmproof.TrustRoots.production(),
            freshness=cvmproof.NoFreshness(),
        )


def _reported(
    name: str,
    contestant: Callable[[], object],
    floor: Callable[[], object],
    *,
    prepare: Callable[[], object] | None = None,
    rounds: int = 15,
) -> Figure:
    found = paired(name, contestant, floor, target=0, limit=0, rounds=rounds, prepare=prepare)
    return replace(found, target=None, limit=None)


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(*read_signature(raw))


if __name__ == "__main__":
    show(measure())
