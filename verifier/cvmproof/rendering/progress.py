"""A moving line or a bar on a terminal while something takes time; the only place that uses rich."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Spinner:
    """One moving line on standard error, gone when it is closed."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("fetching", total=None)
        self._progress.start()

    def show(self, text: str) -> None:
        """Say what is happening."""
        self._progress.update(self._task, description=text)

    def close(self) -> None:
        """Take the line away."""
        self._progress.stop()


class Bar:
    """How many of how many are done, on standard error, gone when it is closed."""

    def __init__(self, text: str) -> None:
        """Take what is being done."""
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(text, total=None)
        self._progress.start()

    def show(self, done: int, total: int) -> None:
        """Say how far it is; `total` may grow."""
        self._progress.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()
