"""What a run took beside what its plan said (`plan.json`, which `assay plan RUN` leaves in its folder)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from assay.report.run import Row, Run, number
from assay.report.tables import stage_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence


def cost_table(runs: Sequence[Run]) -> list[Row]:
    """One row a stage of the runs that have a plan, and their sums.

    The plan of the steps that were made stands beside what they took; device hours and dollars of both are those seconds on
    the plan's devices at the plan's price.
    """
    table: list[Row] = []
    for run in runs:
        if run.plan is None:
            continue
        hardware = _mapping(run.plan.get("hardware"))
        count, price = number(hardware.get("count")) or 1.0, number(hardware.get("price"))
        own = [row for stage in run.stages if (row := _row(run, stage.name, len(stage.rows), count, price))]
        if len(own) > 1:
            own.append(_sum(run, own))
        table += own
    return table


def hardware_of(run: Run) -> str:
    """What the plan was made for, as `NAME x COUNT`."""
    hardware = _mapping((run.plan or {}).get("hardware"))
    return f"{hardware.get('count', '?')} x {hardware.get('name', '?')}"


def _row(run: Run, stage: str, rows: int, count: float, price: float | None) -> Row | None:
    entries = (run.plan or {}).get("stages")
    planned = next(
        (
            cast("Row", entry)
            for entry in cast("list[object]", entries if isinstance(entries, list) else [])
            if isinstance(entry, dict) and cast("Row", entry).get("name") == stage
        ),
        None,
    )
    step = number((planned or {}).get("step_seconds"))
    if planned is None or step is None:
        return None
    seconds = step * (rows if planned.get("kind") != "generate" else 1)
    wall = stage_seconds(run, stage, "seconds")
    made: Row = {
        "run": run.name,
        "stage": stage,
        "planned": seconds,
        "seconds": wall,
        "CPU seconds": stage_seconds(run, stage, "cpu_seconds"),
        "bottleneck": str(planned.get("bottleneck", "")),
    }
    for name, value in (("planned", seconds), ("measured", wall)):
        hours = None if value is None else value * count / 3600
        made[f"{name} hours"] = hours
        made[f"{name} dollars"] = None if hours is None or price is None else hours * price
    return made


def _sum(run: Run, rows: Sequence[Row]) -> Row:
    made: Row = {"run": run.name, "stage": "all", "bottleneck": ""}
    for key in rows[0]:
        if key not in made:
            values = [number(row[key]) for row in rows]
            made[key] = None if None in values else sum(value for value in values if value is not None)
    return made


def _mapping(value: object) -> Row:
    return cast("Row", value) if isinstance(value, dict) else {}
