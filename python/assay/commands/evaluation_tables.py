"""The tables of `assay eval`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.output import print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data import Task
    from assay.data.overlap import Overlap
    from assay.evaluate import Estimate, Evaluation
    from assay.evaluate.folder import TaskSettings

SHOWN = 20


def percent(value: float) -> str:
    """A share as per cent with one decimal, as the papers print it; a dash for none."""
    return "-" if not math.isfinite(value) else f"{100 * value:.1f}"


def print_evaluations(model: str, evaluations: Sequence[tuple[TaskSettings, Evaluation]]) -> None:
    """Every measure of every task, then the published results on the same benchmarks."""
    rows: list[list[str]] = []
    for task, made in evaluations:
        lines: list[tuple[str, Estimate]] = [("pass@1", made.accuracy)]
        if made.clean is not None:
            lines.append(("pass@1 clean", made.clean))
        lines += [
            (f"{name}@{k}", estimate)
            for name, table in (("pass", made.pass_at), ("cons", made.cons_at))
            for k, estimate in table.items()
            if (name, k) != ("pass", 1)
        ]
        for position, (name, (value, error, problems)) in enumerate(lines):
            first = task.name if position == 0 else ""
            rows.append([first, name, percent(value), percent(error), str(problems)])
    print_table(["task", "measure", "per cent", "standard error", "problems"], rows)
    say("")
    for task, made in evaluations:
        say(
            f"{task.name}: {len(made.samples)} samples of {made.problems} problems; mean length {made.length_mean:.0f} tokens, "
            f"{percent(made.clipped_ratio)} % cut off, {percent(made.thinks_ratio)} % think, {made.unjudged} could not be judged"
        )
    _print_published(model, evaluations)


def _print_published(model: str, evaluations: Sequence[tuple[TaskSettings, Evaluation]]) -> None:
    from assay.evaluate import published

    entries = published([task.name for task, _ in evaluations])
    if not entries:
        return
    wanted = list(dict.fromkeys(key for entry in entries for key in entry.figures))
    order = {task.name: position for position, (task, _) in enumerate(evaluations)}
    wanted.sort(key=lambda key: (order[key[0]], key[1] != "pass@1"))
    measured: dict[tuple[str, str], float] = {}
    for task, made in evaluations:
        measured[task.name, "pass@1"] = made.accuracy.value
        for k, estimate in made.cons_at.items():
            measured[task.name, f"cons@{k}"] = estimate.value
    rows = [[f"{Path(model).name} (here)", *(percent(measured.get(key, math.nan)) for key in wanted), ""]]
    rows += [
        [entry.model, *(percent(entry.figures.get(key, math.nan)) for key in wanted), entry.source] for entry in entries
    ]
    say("")
    print_table(["published, per cent", *(" ".join(key) for key in wanted), "source"], rows)


def print_overlap(found: Sequence[tuple[str, Sequence[Task], Sequence[Overlap]]], ngram: int) -> None:
    """How many problems of each task stand in the training data, and the first of them."""
    print_table(
        ["task", "problems", f"share {ngram} words in a row", "stand there in full"],
        [
            [name, str(len(tasks)), str(len(overlaps)), str(sum(overlap.share == 1.0 for overlap in overlaps))]
            for name, tasks, overlaps in found
        ],
    )
    for name, tasks, overlaps in found:
        for overlap in overlaps[:SHOWN]:
            say(f"  {name} {tasks[overlap.problem].id}: {overlap.share:.0%} of it, first in {overlap.where}")
        if len(overlaps) > SHOWN:
            say(f"  .. and {len(overlaps) - SHOWN} more (--json has all)")
