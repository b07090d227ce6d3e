"""Going through a list that changes meanwhile: no CVM twice, none left out that was there all the time, and an end.

Each page begins with the last record of the page before. Where it does not, records were added or removed in between
and others have moved; then the list is gone through again. `total` alone ends nothing: pages are asked for until one is
empty, or one is short and `total` agrees that it was the last.
"""

from dataclasses import dataclass, field

from cvmproof.prism.cvm import Cvm, CvmPage
from cvmproof_formats.errors import Category, EndpointError

MOST_PAGES = 1_000  # 100,000 CVMs at 100 a page, and a bound on a service that always has another
_ROUNDS = 3  # times through the list, for one that changes all the time
_NOTHING_NEW = 2  # pages in a row without a record that is new in this round: a service that does not page


@dataclass(slots=True, kw_only=True)
class _Round:
    """Once through the list: what was in it, which record the next page begins with, whether records have moved."""

    names: set[str] = field(default_factory=set)
    expected: str | None = None
    changed: bool = False
    barren: int = 0


class Paging:
    """Which page comes next, and which records of it are new; asking is the caller's."""

    def __init__(self, page_size: int) -> None:
        """Take how many records to ask for at once."""
        self._size = page_size
        self._offset: int | None = 0
        self._known: set[str] = set()
        self._pages, self._rounds = 0, 1
        self._round = _Round()

    @property
    def offset(self) -> int | None:
        """Where the next page begins; None when there is none."""
        return self._offset

    def take(self, page: CvmPage) -> tuple[Cvm, ...]:
        """Take a page and give its records that were not there before.

        Raises EndpointError (SIZE_LIMIT) when 1,000 pages are not the end.
        """
        self._pages += 1
        new = []
        for cvm in page.cvms:
            if cvm.id not in self._known:
                self._known.add(cvm.id)
                new.append(cvm)
        self._go_on(page, [cvm.id for cvm in page.cvms])
        if self._offset is not None and self._pages >= MOST_PAGES:
            message = f"list CVMs: expected at most {MOST_PAGES} pages, and there are more"
            raise EndpointError(message, category=Category.SIZE_LIMIT, hint="ask for fewer with a filter")
        return tuple(new)

    def _go_on(self, page: CvmPage, names: list[str]) -> None:
        now, offset = self._round, self._offset or 0
        now.changed |= now.expected is not None and names[:1] != [now.expected]
        now.barren = 0 if set(names) - now.names else now.barren + 1
        now.names.update(names)
        short_and_last = len(names) < self._size and offset + len(names) >= page.total
        if not names or names == [now.expected] or short_and_last or now.barren >= _NOTHING_NEW:
            self._end_round()
        elif len(names) > 1:
            self._offset, now.expected = offset + len(names) - 1, names[-1]
        else:
            self._offset, now.expected = offset + 1, None

    def _end_round(self) -> None:
        again = self._round.changed and self._rounds < _ROUNDS
        self._offset = 0 if again else None
        self._rounds += 1
        self._round = _Round()
