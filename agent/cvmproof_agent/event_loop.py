"""The one thread in which connections live: accepts until told to stop, then drains."""

import asyncio
import threading
from collections.abc import Sequence

from cvmproof_agent.connections import Connections


class EventLoop:
    """Runs from the start on; `stop` and `join` end it."""

    def __init__(self, every: Sequence[Connections], *, drain_seconds: float) -> None:
        """Take what accepts, and how long open connections are given at the end."""
        self._every, self._drain_seconds = every, drain_seconds
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="connections")
        self._thread.start()

    def responds(self, seconds: float) -> bool:
        """Whether it takes a turn within so many seconds; for watchdogs."""
        turn = threading.Event()
        self._loop.call_soon_threadsafe(turn.set)
        return turn.wait(seconds)

    def stop(self) -> None:
        """Accept no more, and let open connections end."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        accepting = [asyncio.ensure_future(connections.accept()) for connections in self._every]
        await self._stopping.wait()
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        await asyncio.gather(*(connections.drain(self._drain_seconds) for connections in self._every))
