"""Many CVMs at once: so many together, so many at one host, and no more in memory than are under way."""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from cvmproof.channel.address import read_agent_url
from cvmproof.cvm.agent_url import agent_url
from cvmproof.cvm.examining import Outcome
from cvmproof.errors import EndpointError, Misuse
from cvmproof.prism.cvm import Cvm

CONCURRENCY: Final = 8
PER_HOST: Final = 4
_AHEAD: Final = 8  # CVMs read ahead for each that may be under way, to find some at other hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many CVMs are examined at once, in all and at one host; raises Misuse for less than one."""

    concurrency: int = CONCURRENCY
    per_host: int = PER_HOST

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.per_host < 1:
            raise Misuse(f"concurrency: expected 1 or more, got {self.concurrency} and {self.per_host} for each host")


def examine_all(
    cvms: Iterable[Cvm], examine: Callable[[Cvm], Outcome], limits: Limits
) -> Generator[Outcome, None, None]:
    """Examine CVMs as they are listed, and give each outcome when it is there.

    What goes wrong with the list is raised once everything under way has come to its end.
    """
    with ThreadPoolExecutor(limits.concurrency, thread_name_prefix="cvm") as pool:
        queue = _Queue(iter(cvms), limits)
        running: dict[Future[Outcome], str] = {}
        try:
            while True:
                for host, cvm in queue.take(len(running)):
                    running[pool.submit(examine, cvm)] = host
                if not running:
                    break
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    queue.leave(running.pop(done))
                    yield done.result()
        finally:
            for future in running:
                future.cancel()
    queue.raise_error()


class _Queue:
    """Those that wait, host by host; `take` gives the ones that may start."""

    def __init__(self, cvms: Iterator[Cvm], limits: Limits) -> None:
        self._cvms, self._limits = cvms, limits
        self._waiting: deque[tuple[str, Cvm]] = deque()
        self._at: Counter[str] = Counter()
        self._error: EndpointError | None = None
        self._over = False

    def take(self, running: int) -> Iterator[tuple[str, Cvm]]:
        """Give the next ones, as many as there is room for beside those running."""
        self._read_ahead()
        for _ in range(len(self._waiting)):
            if running >= self._limits.concurrency:
                return
            host, cvm = self._waiting.popleft()
            if self._at[host] < self._limits.per_host:
                self._at[host] += 1
                running += 1
                yield host, cvm
            else:
                self._waiting.append((host, cvm))

    def leave(self, host: str) -> None:
        """Make room at a host."""
        self._at[host] -= 1
        if not self._at[host]:
            del self._at[host]

    def raise_error(self) -> None:
        """Raise what ended the list before its time."""
        if self._error is not None:
            raise self._error

    def _read_ahead(self) -> None:
        while not self._over and len(self._waiting) < _AHEAD * self._limits.concurrency:
            try:
                cvm = next(self._cvms)
            except StopIteration:
                self._over = True
            except EndpointError as error:
                self._over, self._error = True, error
            else:
                self._waiting.append((_host(cvm), cvm))


def _host(cvm: Cvm) -> str:
    """Name the host of a CVM's agent; one that has none, or none that can be read, is no burden to anybody."""
    try:
        return read_agent_url(agent_url(cvm)).host
    except EndpointError:
        return f"none of {cvm.id}"
