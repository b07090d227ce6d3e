"""What the appraisal needs to know of a technology: its questions, who answers them, and how a case is read."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from cvmproof.appraisal import Pin
from cvmproof.check import Answer, Question
from cvmproof.claims import Claims
from cvmproof.collateral.collateral import Collateral
from cvmproof.high_water import HighWater, Look
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Tee
from cvmproof_formats.evidence import Evidence


class Rules(Protocol):
    """What a policy says about one technology."""

    def constrains(self, name: str) -> bool:
        """Tell whether a rule demands anything."""

    @property
    def constrains_software(self) -> bool:
        """Whether it says which software may run."""


class Case(Protocol):
    """One case, everything read that the questions are about."""

    def ask_under(self, policy: Policy) -> None:
        """Let this policy ask from now on."""

    @property
    def grounds(self) -> tuple[Hashable, ...]:
        """What lasting answers are about, in the order of `Technology.lasting`; equal grounds are answered alike."""

    @property
    def root_pinned_in(self) -> str | None:
        """Name the compiled-in trust set that has the root's key, if one does."""

    @property
    def look(self) -> Look:
        """Say, when asked, how new the collateral is whose signatures hold."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what was noticed and decides nothing."""

    @property
    def claims(self) -> Claims:
        """Say what the evidence says."""

    def ends(self, policies: Sequence[Policy]) -> Iterable[datetime]:
        """Give the moments at which something ends that an acceptance rests on."""


CaseType = TypeVar("CaseType", bound=Case)
ReadCase_co = TypeVar("ReadCase_co", bound=Case, covariant=True)


class ReadCase(Protocol[ReadCase_co]):
    """How a case is read; raises Malformed."""

    def __call__(
        self,
        evidence: Evidence,
        *,
        policy: Policy,
        trust: TrustRoots,
        collateral: Collateral,
        freshness: Expectation,
        now: datetime,
        high_water: HighWater | None,
    ) -> ReadCase_co:
        """Read it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lasting:
    """Answers about a part of a case that is the same in many: a ground, which has neither time nor signature in it."""

    answers: Mapping[str, Callable[[Any], Answer]]
    ask: Callable[[Any, Policy], object]
    """Let a policy ask about a ground: all that its answers look at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Technology(Generic[CaseType]):
    """One technology."""

    tee: Tee
    questions: tuple[Question, ...]
    answers: Mapping[str, Callable[[CaseType], Answer]]
    read_case: ReadCase[CaseType]
    rules: Callable[[Policy], Rules | None]
    lasting: tuple[Lasting, ...] = ()
    """One for each of the grounds of a case."""
    pin: Callable[[Policy], Pin]
    """Which identity a policy names for this technology."""


# The appraisal gives each technology the cases that it read itself.
AnyTechnology = Technology[Any]


_MODULES = {
    Tee.SEV_SNP: ("cvmproof.snp.technology", "SEV_SNP"),
    Tee.TDX: ("cvmproof.tdx.technology", "TDX"),
}


@lru_cache
def technology_of(tee: Tee) -> AnyTechnology:
    """Give a technology; it is loaded when evidence of it is first appraised."""
    module, name = _MODULES[tee]
    found: AnyTechnology = getattr(import_module(module), name)
    return found
