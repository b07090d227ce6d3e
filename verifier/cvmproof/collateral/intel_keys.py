"""What Intel's collateral is called: in the store, at Intel's provisioning service (PCS), and at a caching one (PCCS).

Names are built from enums, integers and hex of checked lengths, as AMD's are. URLs and headers follow PCS API 4; a PCCS
has the same, and one more for the root's revocation list.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import ClassVar, Final

from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import MAXIMUM_PEM
from cvmproof_formats.tdx.authority import (
    MAXIMUM_RESPONSE,
    PLATFORM_NAME,
    PROCESSOR_NAME,
    ROOT_NAME,
    TCB_SIGNING_NAME,
    Ca,
)
from cvmproof_formats.x509 import MAXIMUM_CRL

FMSPC_SIZE: Final = 6  # bytes
HIGHEST_NUMBER: Final = 0xFFFFFFFF
_FOLDER = PurePosixPath("intel")
_SGX, _TDX = "/sgx/certification/v4", "/tdx/certification/v4"


class Authority(StrEnum):
    """Who signs in Intel's hierarchy, by the name of its files here."""

    ROOT = "root"
    PLATFORM = "platform"
    PROCESSOR = "processor"
    TCB_SIGNING = "tcb_signing"


AUTHORITY_NAMES: Final = {
    ROOT_NAME: Authority.ROOT,
    PLATFORM_NAME: Authority.PLATFORM,
    PROCESSOR_NAME: Authority.PROCESSOR,
    TCB_SIGNING_NAME: Authority.TCB_SIGNING,
}
"""By the common name of their certificates."""


class Update(StrEnum):
    """Which state of Intel's knowledge is asked for, as the parameter `update` has it: `early` runs months ahead."""

    STANDARD = "standard"
    EARLY = "early"


Issue = Update | int
"""A channel, or one tcbEvaluationDataNumber."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntelCertificatesKey:
    """The certificates of one authority: all issues that may still be wanted, as TCB signing has had two at a time."""

    authority: Authority
    size_limit: ClassVar[int] = MAXIMUM_PEM  # bytes

    def __post_init__(self) -> None:
        _expect(self.authority, Authority, "authority")

    @property
    def path(self) -> PurePosixPath:
        """Where they lie under a trust set's folder (PEM)."""
        return _FOLDER / f"{self.authority}.pem"

    @property
    def url_path(self) -> str:
        """Raise Malformed: Intel sends them with what they signed, and under no address of their own."""
        raise Malformed(f"{self}: expected something they signed, which they come with; nobody serves them alone")

    @property
    def chain(self) -> "IntelCertificatesKey":
        """Itself: the root key above it is compiled in."""
        return self

    def __str__(self) -> str:
        return f"Intel {_SPELLED[self.authority]} certificates"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntelCrlKey:
    """The revocation list of the root or of a PCK CA.

    Raises Malformed for another authority: the signer of TCB info issues none.
    """

    authority: Authority
    size_limit: ClassVar[int] = MAXIMUM_CRL  # bytes
    chain_header: ClassVar[str] = "SGX-PCK-CRL-Issuer-Chain"

    def __post_init__(self) -> None:
        _expect(self.authority, Authority, "authority")
        if self.authority is Authority.TCB_SIGNING:
            raise Malformed(f"revocation list: expected the root's or a PCK CA's, got {self.authority}")

    @classmethod
    def of_ca(cls, ca: Ca) -> "IntelCrlKey":
        """Name the list of a PCK CA."""
        _expect(ca, Ca, "PCK CA")
        return cls(authority=Authority(ca.value))

    @property
    def path(self) -> PurePosixPath:
        """Where the list lies under a trust set's folder (DER)."""
        return _FOLDER / f"{self.authority}.crl"

    @property
    def url_path(self) -> str:
        """Path and query; the root's, at a PCCS only: Intel has it on another host."""
        if self.authority is Authority.ROOT:
            return f"{_SGX}/rootcacrl"
        return f"{_SGX}/pckcrl?ca={self.authority}&encoding=der"

    @property
    def chain(self) -> IntelCertificatesKey:
        """The certificates that it is verified under; the root's, under the key that is compiled in."""
        return IntelCertificatesKey(authority=self.authority)

    def __str__(self) -> str:
        return f"Intel {_SPELLED[self.authority]} revocation list"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbInfoKey:
    """TCB info of one kind of platform: `fmspc` is 6 bytes.

    Raises Malformed for another length, or a number out of range.
    """

    fmspc: bytes
    issue: Issue = Update.STANDARD
    size_limit: ClassVar[int] = MAXIMUM_RESPONSE  # bytes
    chain_header: ClassVar[str] = "TCB-Info-Issuer-Chain"

    def __post_init__(self) -> None:
        if not isinstance(self.fmspc, bytes) or len(self.fmspc) != FMSPC_SIZE:
            got = f"{len(self.fmspc)} bytes" if isinstance(self.fmspc, bytes) else type(self.fmspc).__name__
            raise Malformed(f"FMSPC: expected {FMSPC_SIZE} bytes, got {got}")
        _expect_issue(self.issue)

    @property
    def path(self) -> PurePosixPath:
        """Where it lies under a trust set's folder: the response, whole."""
        return _FOLDER / "tcb" / self.fmspc.hex() / f"{self.issue}.json"

    @property
    def url_path(self) -> str:
        """Path and query."""
        return f"{_TDX}/tcb?fmspc={self.fmspc.hex().upper()}&{_parameter(self.issue)}"

    @property
    def chain(self) -> IntelCertificatesKey:
        """The certificates that it is verified under."""
        return IntelCertificatesKey(authority=Authority.TCB_SIGNING)

    def __str__(self) -> str:
        return f"TCB info of FMSPC {self.fmspc.hex().upper()}, {_words(self.issue)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QeIdentityKey:
    """The identity of the quoting enclave for TDs.

    Raises Malformed for a number out of range.
    """

    issue: Issue = Update.STANDARD
    size_limit: ClassVar[int] = MAXIMUM_RESPONSE  # bytes
    chain_header: ClassVar[str] = "SGX-Enclave-Identity-Issuer-Chain"

    def __post_init__(self) -> None:
        _expect_issue(self.issue)

    @property
    def path(self) -> PurePosixPath:
        """Where it lies under a trust set's folder: the response, whole."""
        return _FOLDER / "qe" / f"{self.issue}.json"

    @property
    def url_path(self) -> str:
        """Path and query."""
        return f"{_TDX}/qe/identity?{_parameter(self.issue)}"

    @property
    def chain(self) -> IntelCertificatesKey:
        """The certificates that it is verified under."""
        return IntelCertificatesKey(authority=Authority.TCB_SIGNING)

    def __str__(self) -> str:
        return f"TD QE identity, {_words(self.issue)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationNumbersKey:
    """Which TCB evaluation data numbers there are."""

    size_limit: ClassVar[int] = MAXIMUM_RESPONSE  # bytes
    chain_header: ClassVar[str] = "TCB-Evaluation-Data-Numbers-Issuer-Chain"

    @property
    def path(self) -> PurePosixPath:
        """Where they lie under a trust set's folder: the response, whole."""
        return _FOLDER / "evaluation_numbers.json"

    @property
    def url_path(self) -> str:
        """Path."""
        return f"{_TDX}/tcbevaluationdatanumbers"

    @property
    def chain(self) -> IntelCertificatesKey:
        """The certificates that they are verified under."""
        return IntelCertificatesKey(authority=Authority.TCB_SIGNING)

    def __str__(self) -> str:
        return "TCB evaluation data numbers"


SignedKey = TcbInfoKey | QeIdentityKey | EvaluationNumbersKey
"""JSON that the TCB signer signs."""
IntelKey = IntelCertificatesKey | IntelCrlKey | SignedKey


def wanted_for_platform(*, fmspc: bytes, ca: Ca, issue: Issue = Update.STANDARD) -> tuple[IntelKey, ...]:
    """Name what a quote's appraisal rests on beside its own certificates; raises Malformed as TcbInfoKey does."""
    return (
        IntelCertificatesKey(authority=Authority.TCB_SIGNING),
        IntelCrlKey(authority=Authority.ROOT),
        IntelCrlKey.of_ca(ca),
        TcbInfoKey(fmspc=fmspc, issue=issue),
        QeIdentityKey(issue=issue),
    )


def read_intel_path(parts: tuple[str, ...]) -> IntelKey | None:
    """Read a path's parts behind the trust set's folder; raises ValueError or Malformed for some that are none."""
    match parts:
        case ("intel", "evaluation_numbers.json"):
            return EvaluationNumbersKey()
        case ("intel", name) if name.endswith(".pem"):
            return IntelCertificatesKey(authority=Authority(name.removesuffix(".pem")))
        case ("intel", name) if name.endswith(".crl"):
            return IntelCrlKey(authority=Authority(name.removesuffix(".crl")))
        case ("intel", "tcb", fmspc, name):
            return TcbInfoKey(fmspc=bytes.fromhex(fmspc), issue=read_issue(name.removesuffix(".json")))
        case ("intel", "qe", name):
            return QeIdentityKey(issue=read_issue(name.removesuffix(".json")))
    return None


def read_issue(text: str) -> Issue:
    """Read "standard", "early" or a number; raises ValueError."""
    return int(text) if text.isascii() and text.isdigit() else Update(text)


_SPELLED = {
    Authority.ROOT: "root",
    Authority.PLATFORM: "PCK Platform CA",
    Authority.PROCESSOR: "PCK Processor CA",
    Authority.TCB_SIGNING: "TCB signing",
}


def _parameter(issue: Issue) -> str:
    return f"update={issue}" if isinstance(issue, Update) else f"tcbEvaluationDataNumber={issue:d}"


def _words(issue: Issue) -> str:
    return str(issue) if isinstance(issue, Update) else f"evaluation number {issue}"


def _expect(value: object, kind: type[StrEnum], what: str) -> None:
    if not isinstance(value, kind):
        raise Malformed(f"{what}: expected one of {[one.value for one in kind]}, got {type(value).__name__}")


def _expect_issue(issue: Issue) -> None:
    if isinstance(issue, Update):
        return
    if type(issue) is not int or not 0 <= issue <= HIGHEST_NUMBER:
        raise Malformed(f"evaluation number: expected 0 to {HIGHEST_NUMBER}, got {str(issue)[:20]!r}")
