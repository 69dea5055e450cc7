"""`assay bench`: what checks cost on this machine, with every result asserted."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.commands.output import Json, emit_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Callable

# (what, gold, answer, outcome): one row of each sort of answer that datasets hold.
CASES = (
    ("integer", "72", "72", "equal"),
    ("integer, different", "72", "73", "different"),
    ("thousands separator", "1234567", "1,234,567", "equal"),
    ("fraction", r"\frac{3}{4}", "0.75", "equal"),
    ("boxed", r"\boxed{18}", "18", "equal"),
    ("radicals", r"\frac{\sqrt{8}}{2}", r"\sqrt{2}", "equal"),
    ("polynomial", "(x+1)^2", "x^2+2x+1", "equal"),
    ("interval, different", "(1, 2]", "[1, 2]", "different"),
)
BATCH = 10_000


def bench(
    seconds: Annotated[float, typer.Option(min=0.01, max=60.0, help="Time to spend on each line.")] = 0.5,
    *,
    as_json: Json = False,
) -> None:
    """Time assay on this machine.

    The lines are verification, scoring of batches, and group advantages. Every one first checks that the result is right; a wrong one stops the command. Figures are the median call, or the
    best whole batch, in wall time: other work on the machine shows in them.
    """
    lines = [_verify_line(*case, seconds) for case in CASES]
    lines += [_batch_line(seconds, threads) for threads in sorted({1, _cores()})]
    lines.append(_advantage_line(seconds))
    machine = {"machine": platform.machine(), "cores": _cores(), "python": platform.python_version()}
    if as_json:
        emit_json({**machine, "lines": lines})
        return
    print_table(
        ["what", "time", "per second"], [[line["what"], _time(line["s"]), f"{line['per_s']:,.0f}"] for line in lines]
    )
    say(f"\n{machine['machine']}, {machine['cores']} cores usable, Python {machine['python']}")


def _verify_line(what: str, gold: str, answer: str, outcome: str, seconds: float) -> dict[str, Any]:
    from assay.rewards import verify

    _expect(f"verify {what}", str(verify(gold, answer).outcome), outcome)
    times = _times(lambda: verify(gold, answer), seconds)
    return _line(f"verify: {what}", times[len(times) // 2], 1)


def _batch_line(seconds: float, threads: int) -> dict[str, Any]:
    from assay.rewards import Scorer

    scorer = Scorer({"accuracy": 1.0, "format": 0.5}, threads=threads)
    completions = [f"<think>{n} + 1</think><answer>{n + 1 if n % 2 else n}</answer>" for n in range(BATCH)]
    references: list[str | None] = [str(n + 1) for n in range(BATCH)]
    total = float(scorer.score(completions, references).total.sum())
    _expect("score", total, BATCH * 0.5 + BATCH // 2)
    times = _times(lambda: scorer.score(completions, references), seconds)
    return _line(f"score: {BATCH:,} completions, {threads} {'thread' if threads == 1 else 'threads'}", times[0], BATCH)


def _advantage_line(seconds: float) -> dict[str, Any]:
    import numpy as np

    from assay import group_advantages

    rewards = np.tile(np.array([1.0, 0.0, 0.0, 1.0]), BATCH // 4)
    groups = np.repeat(np.arange(BATCH // 4), 4)
    _expect("advantages", bool(abs(float(group_advantages(rewards, groups).sum())) < 1e-3), outcome=True)
    times = _times(lambda: group_advantages(rewards, groups), seconds)
    return _line(f"advantages: {BATCH:,} rewards in groups of 4", times[0], BATCH)


def _expect(what: str, found: object, outcome: object) -> None:
    from assay.errors import AssayError

    if found != outcome:
        raise AssayError(f"bench: {what} gave {found}, not {outcome}: this build is wrong, its speed does not matter")


def _times(work: Callable[[], object], seconds: float) -> list[float]:
    """Wall times of single calls, sorted; at least five."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        started = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - started) * 1e-9)
    return sorted(times)


def _line(what: str, seconds: float, items: int) -> dict[str, Any]:
    return {"what": what, "s": seconds, "items": items, "per_s": items / max(seconds, 1e-9)}


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
