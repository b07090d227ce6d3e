"""A moving line on a terminal while something is fetched; the only place that uses rich."""

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


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
