"""Timing and tables shared by the benchmarks. CPU seconds of this process, so that other load on the machine counts less."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Timed:
    """The best of several runs, in CPU and wall seconds, with what the last run returned."""

    cpu: float
    wall: float


def best_of(runs: int, work: Callable[[], Result]) -> tuple[Timed, Result]:
    """Time `work` `runs` times and keep the smallest CPU and wall times."""
    cpu, wall = float("inf"), float("inf")
    gc.collect()
    for _ in range(runs):
        started_cpu, started = time.process_time(), time.perf_counter()
        result = work()
        cpu = min(cpu, time.process_time() - started_cpu)
        wall = min(wall, time.perf_counter() - started)
    return Timed(cpu, wall), result


def latencies(calls: Sequence[Callable[[], object]], rounds: int = 1) -> list[float]:
    """The CPU time of each call in seconds, the least of some rounds over all of them, sorted, without what the clock takes.

    Wall time would charge the slower side for other programs: a call of milliseconds is interrupted, one of microseconds is not. In
    a single round a call of microseconds is mostly one of cold caches.
    """

    def nothing() -> None:
        return

    def timed(work: Callable[[], object]) -> float:
        started = time.thread_time_ns()
        work()
        return (time.thread_time_ns() - started) * 1e-9

    clock = percentile(sorted(timed(nothing) for _ in range(1_000)), 0.5)
    best = [min(times) for times in zip(*([timed(call) for call in calls] for _ in range(rounds)), strict=True)]
    return sorted(max(seconds - clock, 0.0) for seconds in best)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def seconds(value: float) -> str:
    """A duration with three significant digits and a fitting unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table under a heading."""
    lines = [f"### {title}", "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
