"""Where the time and the memory of a step go."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class Timer:
    """Wall time of the phases of one step."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._started = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Measures a block."""
        started = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - started

    def total(self) -> float:
        """Seconds since the timer was made."""
        return time.perf_counter() - self._started

    def metrics(self) -> dict[str, float]:
        """``timing_s/PHASE`` for every phase."""
        return {f"timing_s/{name}": seconds for name, seconds in self._seconds.items()}


def peak_memory_bytes() -> int:
    """The most memory this process has held at any time (resident set)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes everywhere but there
