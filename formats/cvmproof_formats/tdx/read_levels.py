"""Lists of levels as they were read: each level has its rank at once, and is made when somebody looks at it.

A quote is rated by one level of a list. The others have been read to the last character by then and compared by their
ranks, and what they say of themselves interests nobody.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

Rank = TypeVar("Rank")
Level = TypeVar("Level")


class ReadLevels(Sequence[Level], Generic[Rank, Level]):
    """Levels in the file's order, equal to any other sequence of the same levels."""

    __slots__ = ("_make", "_texts", "ranks")

    def __init__(
        self,
        ranks: Sequence[Rank],
        texts: Sequence[tuple[str, ...]],
        make: Callable[[Rank, tuple[str, ...]], Level],
    ) -> None:
        """Take what each level demands, what it is read from, and what makes a level of both and never refuses."""
        self.ranks, self._texts, self._make = ranks, texts, make

    def __len__(self) -> int:
        return len(self.ranks)

    @overload
    def __getitem__(self, index: int) -> Level: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Level, ...]: ...
    def __getitem__(self, index: int | slice) -> Level | tuple[Level, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        return self._make(self.ranks[index], self._texts[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def ranks_of(levels: Sequence[Level], rank_of: Callable[[Level], Rank]) -> Sequence[Rank]:
    """Give the rank of each level; of levels that were read with their ranks, none is looked at."""
    return levels.ranks if isinstance(levels, ReadLevels) else [rank_of(level) for level in levels]
