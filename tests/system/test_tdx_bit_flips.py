"""Flip any bit that a verdict on a TD rested on and the verdict is no longer yes: design section 8.2.

Of simulated and recorded quotes and of all that Intel signs about them, one bit of each byte is flipped, in the next
byte another one; of the other recorded quotes some bits are. `pytest --sweep full` flips every bit, and more of the
others'. A quote has no bit that may flip, though nobody signed the PEM of its certificates: there is one way to write
it. Of the signatures beside TCB info and QE identity, which are hexadecimal digits, letters may be capitals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.system.flips import MAY_FLIP, bits, flipped
from tests.verifier.tdx.differential import its_rules
from tests.verifier.tdx.recorded import Row, read, readable
from tests.verifier.tdx.simulated_input import COLLATERAL, NOW, good_quote

from cvmproof.appraisal import Verdict
from cvmproof.appraise import appraise
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import NoFreshness
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx.signed_json import read_signed

SOME = 397  # one bit in so many, for the other recorded quotes
DIGITS = 128  # of a signature in JSON; two more bytes, "} , stand behind them
NAMES = ("quote", "tcb_info", "qe_identity", "root_crl", "pck_crl", "signer")
UNREADABLE = {Category.MALFORMED, Category.UNSUPPORTED, Category.SIZE_LIMIT}
# What the answer to a flip that can still be read must say, whatever else it says.
FORGED = {Category.SIGNATURE, Category.CHAIN}
# Lists and certificates that can't be read, or are somebody else's, are passed over: then one is missing.
PASSED_OVER = {"root_crl", "pck_crl", "signer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A quote and its collateral, each part as it is handed out; `appraise` gives None for yes."""

    quote: bytes
    tcb_info: bytes
    qe_identity: bytes
    root_crl: bytes
    pck_crl: bytes
    signer: bytes
    appraise: Callable[["Parts"], set[Category] | None]

    def refusal(self) -> set[Category] | None:
        """The categories of the no, None if it was a yes; any error but Malformed goes through and fails the test."""
        try:
            return self.appraise(self)
        except Malformed as error:
            return {error.category}

    def with_part(self, name: str, data: bytes) -> "Parts":
        """The same with another part."""
        changed = {**self.every, name: data}
        return Parts(appraise=self.appraise, **changed)

    @property
    def every(self) -> dict[str, bytes]:
        """All parts by their names."""
        return {name: getattr(self, name) for name in NAMES}


def judged_by(trust: TrustRoots, row: Row | None) -> Callable[[Parts], set[Category] | None]:
    """Appraise parts under the strictest policy that says nothing about software."""
    now = NOW if row is None else row.at

    def judge(parts: Parts) -> set[Category] | None:
        collateral = Collateral(
            certificates=(parts.signer,),
            intel_crls=(parts.root_crl, parts.pck_crl),
            tcb_infos=(read_signed(parts.tcb_info, "tcbInfo"),),
            qe_identities=(read_signed(parts.qe_identity, "enclaveIdentity"),),
        )
        found = appraise(
            read_evidence(parts.quote),
            policies=[its_rules()],
            trust=trust,
            freshness=NoFreshness(),
            now=now,
            collateral=collateral,
        )
        no = {check.category for check in (*found.failed, *found.undecided)}
        return None if found.verdict is Verdict.ACCEPTED else no

    return judge


def simulated(version: int = 4) -> Parts:
    return Parts(
        quote=good_quote(version),
        tcb_info=COLLATERAL.tcb_info_response,
        qe_identity=COLLATERAL.qe_identity_response,
        root_crl=COLLATERAL.root_crl,
        pck_crl=COLLATERAL.pck_crl,
        signer=COLLATERAL.authorities.tcb_signing,
        appraise=judged_by(TrustRoots.simulated(), None),
    )


def real(recorded: Path, row: Row) -> Parts:
    folder = recorded / "tdx"
    return Parts(
        quote=read(folder / row.quote),
        tcb_info=read(folder / row.tcb),
        qe_identity=read(folder / row.qe),
        root_crl=read(folder / row.root_crl),
        pck_crl=read(folder / row.pck_crl),
        signer=read_pem(read(folder / row.signing_cert))[0],
        appraise=judged_by(TrustRoots.production(), row),
    )


def accepted_rows(recorded: Path) -> list[Row]:
    """One row for each quote that is taken, those of version 5 first."""
    rows = {row.quote: row for row in readable(recorded) if row.dcap_qvl == row.status}
    return sorted(rows.values(), key=lambda row: -read(recorded / "tdx" / row.quote)[0])


def accepted_flips(parts: Parts, name: str, chosen: list[int]) -> list[int]:
    """The bits of a part that may flip."""
    data = parts.every[name]
    assert parts.refusal() is None
    fitting = FORGED | UNREADABLE | ({Category.UNAVAILABLE} if name in PASSED_OVER else set())
    accepted = []
    for bit in chosen:
        refusal = parts.with_part(name, flipped(data, bit)).refusal()
        if refusal is None:
            accepted.append(bit)
        else:
            assert refusal & fitting, bit
    return accepted


def allowed(name: str, data: bytes) -> set[int]:
    """The bits that may flip: those listed, and of a letter among the digits of a signature those listed for it."""
    digits = (
        range(len(data.rstrip()) - DIGITS - 2, len(data.rstrip()) - 2) if name in {"tcb_info", "qe_identity"} else ()
    )
    letters = {at * 8 + bit for at in digits if data[at : at + 1].isalpha() for bit in MAY_FLIP["tdx.digit"]}
    return letters | set(MAY_FLIP[f"tdx.{name}"])


each_part = pytest.mark.parametrize("name", NAMES)


@each_part
def test_ac_033_no_bit_of_a_simulated_quote_and_its_collateral_may_flip(name: str, pytestconfig: pytest.Config) -> None:
    parts = simulated()
    data = parts.every[name]
    chosen = list(bits(data, pytestconfig.getoption("--sweep")))
    assert set(accepted_flips(parts, name, chosen)) == allowed(name, data) & set(chosen)


def test_ac_033_no_bit_of_a_simulated_quote_of_version_5_may_flip(pytestconfig: pytest.Config) -> None:
    parts = simulated(5)
    step = 1 if pytestconfig.getoption("--sweep") == "full" else SOME
    assert accepted_flips(parts, "quote", list(range(0, len(parts.quote) * 8, step))) == []


@each_part
def test_ac_033_no_bit_of_a_recorded_quote_and_its_collateral_may_flip(
    recorded: Path, name: str, pytestconfig: pytest.Config
) -> None:
    parts = real(recorded, accepted_rows(recorded)[0])
    data = parts.every[name]
    chosen = list(bits(data, pytestconfig.getoption("--sweep")))
    assert set(accepted_flips(parts, name, chosen)) == allowed(name, data) & set(chosen)


def test_ac_033_no_bit_of_any_recorded_quote_may_flip(recorded: Path, pytestconfig: pytest.Config) -> None:
    for row in accepted_rows(recorded)[1:]:
        parts = real(recorded, row)
        step = SOME // 4 if pytestconfig.getoption("--sweep") == "full" else 8 * SOME
        assert accepted_flips(parts, "quote", list(range(row.at.second, len(parts.quote) * 8, step))) == [], row.quote


def test_a_letter_of_a_signature_is_a_digit_in_either_case() -> None:
    # The twin of what the list allows: such a flip is no other signature.
    parts = simulated()
    found = read_signed(parts.tcb_info, "tcbInfo")
    at = len(parts.tcb_info) - DIGITS - 2
    digits = parts.tcb_info[at:-2]
    assert read_signed(parts.tcb_info[:at] + digits.upper() + b'"}', "tcbInfo") == found


def test_the_lists_of_bits_that_may_flip_are_short() -> None:
    assert {name: found for name, found in MAY_FLIP.items() if found} == {"tdx.digit": [5]}
