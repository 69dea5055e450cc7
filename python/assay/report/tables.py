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
                "seconds": stage_seconds(run, stage.name, "seconds", stage.rows),
                "CPU seconds": stage_seconds(run, stage.name, "cpu_seconds"),
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


def evaluation_table(runs: Sequence[Run]) -> list[Row]:
    """One row for each evaluation of each run: accuracy with its error, the largest pass@k and cons@k, length, thinking."""
    table: list[Row] = []
    for run in runs:
        for stage in run.stages:
            if stage.kind != "eval" or not stage.rows:
                continue
            row = stage.rows[-1]
            made: Row = {"run": run.name, "stage": stage.name}
            for title, name in (
                ("n", "eval/n"),
                ("accuracy", "eval/accuracy"),
                ("clean", "eval/accuracy_clean"),
                ("length", "eval/length_mean"),
                ("thinks", "eval/thinks_ratio"),
                ("cut off", "eval/clipped_ratio"),
                ("unjudged", "eval/unjudged"),
            ):
                made[title], made[f"{title}_error"] = number(row.get(name)), number(row.get(f"{name}_se"))
            for kind in ("pass", "cons"):
                ks = [int(name.rpartition("@")[2]) for name in row if _is_at_k(name, kind)]
                made[f"{kind}_k"] = k = max(ks, default=None)
                made[kind] = number(row.get(f"eval/{kind}@{k}"))
                made[f"{kind}_error"] = number(row.get(f"eval/{kind}@{k}_se"))
            table.append(made)
    return table


def _is_at_k(name: str, kind: str) -> bool:
    head, at, k = name.rpartition("@")
    return bool(at) and head == f"eval/{kind}" and k.isascii() and k.isdigit()


def alarm_table(runs: Sequence[Run]) -> list[Row]:
    """Every alarm: run, stage, step, its name, and what it says, with the figures it gives."""
    table: list[Row] = []
    for run in runs:
        for row in run.alarms:
            known = {"stage", "kind", "step", "alarm", "text", "time_s"}
            figures = {key: value for key in row if key not in known and (value := number(row[key])) is not None}
            table.append(
                {
                    "run": run.name,
                    "stage": str(row.get("stage", "?")),
                    "step": number(row.get("step")),
                    "alarm": str(row.get("alarm") or "alarm"),
                    "message": str(row.get("text") or ""),
                    "figures": figures,
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


def stage_seconds(run: Run, name: str, key: str, rows: Sequence[Row] = ()) -> float | None:
    """The summary's figure, or while there is none the sum of the timings of `rows` (wall time only)."""
    stages = (run.summary or {}).get("stages")
    for entry in cast("list[object]", stages) if isinstance(stages, list) else []:
        if isinstance(entry, dict) and cast("Row", entry).get("name") == name:
            return number(cast("Row", entry).get(key))
    parts = [
        value
        for row in rows
        for metric in row
        if metric.startswith("timing_s/") and (value := number(row[metric])) is not None
    ]
    return sum(parts) if parts else None
