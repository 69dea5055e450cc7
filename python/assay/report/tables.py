"""The tables of a report: what each stage did, before against after, and how items were scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from assay.report.run import Row, Run, Stage, number
from assay.report.series import ends

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a stage is judged by, with the name a reader knows; the first that a stage measured stands for the rest.
COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("reward", ("reward/mean", "eval/reward_mean")),
    ("accuracy", ("accuracy", "eval/accuracy")),
    ("length", ("completion/length_mean", "eval/length_mean")),
    ("thinks", ("completion/thinks_ratio", "eval/thinks_ratio")),
    ("loss", ("loss",)),
)


def stage_table(runs: Sequence[Run]) -> list[Row]:
    """One row a stage: its steps, seconds, and each of `COLUMNS` as `[first, last]` (means over a tenth of the rows)."""
    table: list[Row] = []
    for run in runs:
        for stage in run.stages:
            row: Row = {
                "run": run.name,
                "stage": stage.name,
                "kind": stage.kind,
                "steps": len(stage.rows),
                "seconds": _seconds(run, stage, "seconds"),
                "CPU seconds": _seconds(run, stage, "cpu_seconds"),
            }
            for title, names in COLUMNS:
                row[title] = next((list(pair) for name in names if (pair := ends(stage, name))), None)
            table.append(row)
    return table


def before_after(runs: Sequence[Run]) -> list[Row]:
    """One row for each metric that `summary.json` gives both before and after, per run."""
    table: list[Row] = []
    for run in runs:
        before, after = (_section(run, key) for key in ("before", "after"))
        names = [name for name in before if name in after and not name.endswith("_se")]
        for name in sorted(names, key=lambda name: name != "eval/accuracy"):
            first, last = number(before[name]), number(after[name])
            if first is None and last is None:
                continue
            table.append(
                {
                    "run": run.name,
                    "metric": name,
                    "before": first,
                    "after": last,
                    "before_error": number(before.get(f"{name}_se")),
                    "after_error": number(after.get(f"{name}_se")),
                }
            )
    return table


def status_table(runs: Sequence[Run], sampled: Sequence[Row]) -> list[Row]:
    """How many items got each status, per stage: from the metrics, or from the samples where metrics do not say."""
    table: list[Row] = []
    for run, samples in zip(runs, sampled, strict=True):
        counted = {stage.name: _statuses(stage) for stage in run.stages}
        for name in dict.fromkeys([*counted, *samples]):
            counts = counted.get(name) or cast("Row", samples.get(name, {}))
            if counts:
                source = "metrics" if counted.get(name) else "samples"
                table.append({"run": run.name, "stage": name, "source": source, "counts": counts})
    return table


def _statuses(stage: Stage) -> Row:
    totals: dict[str, float] = {}
    for row in stage.rows:
        for name, value in row.items():
            kind, found, status = name.rpartition("status/")
            count = number(value)
            if found and kind in {"", "eval/"} and count is not None:
                totals[status] = totals.get(status, 0.0) + count
    return cast("Row", totals)


def _section(run: Run, key: str) -> Row:
    found = (run.summary or {}).get(key)
    return cast("Row", found) if isinstance(found, dict) else {}


def _seconds(run: Run, stage: Stage, key: str) -> float | None:
    """The summary's figure, or while there is none the sum of the steps' timings (wall time only)."""
    stages = (run.summary or {}).get("stages")
    for entry in cast("list[object]", stages) if isinstance(stages, list) else []:
        if isinstance(entry, dict) and cast("Row", entry).get("name") == stage.name:
            return number(cast("Row", entry).get(key))
    if key != "seconds":
        return None
    parts = [
        value
        for row in stage.rows
        for name in row
        if name.startswith("timing_s/") and (value := number(row[name])) is not None
    ]
    return sum(parts) if parts else None
