"""Counters for operators, in Prometheus's text format; they say how much happened, never to whom or with what."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

_HELP: Final = {
    "cvmproof_agent_connections_total": ("counter", "Connections by what became of them."),
    "cvmproof_agent_connections": ("gauge", "Connections that are open."),
    "cvmproof_agent_evidence_total": ("counter", "Evidence handed out, by the kind of binding."),
    "cvmproof_agent_refusals_total": ("counter", "Requests for evidence refused, by category."),
    "cvmproof_agent_requests_shed_total": ("counter", "Requests that the device could not have answered in time."),
    "cvmproof_agent_device_errors_total": ("counter", "Device calls that failed."),
    "cvmproof_agent_device_seconds": ("summary", "Time that the device took."),
}


class Metrics:
    """Counts from any thread; names are the ones declared above."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._gauges: dict[str, Callable[[], int]] = {}

    def count(self, name: str, **labels: str) -> None:
        """Count one more."""
        spelled = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        with self._lock:
            self._values[f"{name}{{{spelled}}}" if spelled else name] += 1

    def observe(self, name: str, seconds: float) -> None:
        """Count a duration."""
        with self._lock:
            self._values[f"{name}_count"] += 1
            self._seconds[f"{name}_sum"] = self._seconds.get(f"{name}_sum", 0.0) + seconds

    def gauge(self, name: str, read: Callable[[], int]) -> None:
        """Ask for a value whenever somebody looks."""
        self._gauges[name] = read

    def render(self) -> str:
        """Everything, as text."""
        with self._lock:
            values = {**self._values, **self._seconds, **{name: read() for name, read in self._gauges.items()}}
        lines = []
        for name, (kind, help_) in _HELP.items():
            lines += [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]
            lines += [f"{key} {value:.12g}" for key, value in sorted(values.items()) if _is_of(key, name)]
        return "\n".join(lines) + "\n"


def _is_of(key: str, name: str) -> bool:
    return key.partition("{")[0] in (name, f"{name}_count", f"{name}_sum")
