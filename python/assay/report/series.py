"""Metrics rows as curves: which ones there are, how they are grouped, and how a long one is thinned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.report.run import PLACE, Row, Run, Stage, number

if TYPE_CHECKING:
    from collections.abc import Sequence

# More points than a chart has pixels show nothing more.
MAX_POINTS = 1000

# Headings in the order a reader asks: is it learning, is it right, how does it write, is training healthy, how fast.
# An entry that ends in `/`, `_` or `@` stands for every name that begins so.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Reward", ("reward/", "eval/reward_")),
    ("Accuracy", ("accuracy", "eval/accuracy", "eval/accuracy_", "eval/pass@", "eval/cons@")),
    ("Completions", ("completion/", "eval/")),
    ("Emergence", ("emergence/", "eval/emergence/")),
    ("Collected", ("collect/",)),
    (
        "Optimisation",
        (
            "loss",
            "grad_norm",
            "lr",
            "entropy",
            "kl",
            "clip_ratio/",
            "frac_zero_variance",
            "frac_",
            "sft/",
            "train/",
            "sampling/",
        ),
    ),
    ("Status of scored items", ("status/", "eval/status/")),
    ("Staleness and queue", ("staleness/", "queue/", "idle_s/")),
    ("Time and memory", ("timing_s/", "tokens_per_s", "time_s", "peak_memory_bytes")),
)
OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of one run in one stage.

    Attributes:
        run: position of the run in the report.
        stage: name of the stage.
        x: steps, stages one after the other.
        y: values; `nan` where the row has none or none that is finite.
        error: standard errors of the values, or empty.
    """

    run: int
    stage: str
    x: list[float]
    y: list[float]
    error: list[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """All curves of one metric.

    Attributes:
        group: the heading it stands under.
        name: the metric.
        curves: one a run and stage.
        joined: whether steps run on from stage to stage; false where each run has the metric in one stage only, whose
            own steps then make runs comparable.
    """

    group: str
    name: str
    curves: list[Curve]
    joined: bool


def charts(runs: Sequence[Run]) -> list[Chart]:
    """A chart for every numeric metric of the runs, in the order of `GROUPS`, then by name."""
    places: dict[str, list[tuple[int, Stage]]] = {}
    for position, run in enumerate(runs):
        for stage in run.stages:
            for name in _names(stage.rows):
                places.setdefault(name, []).append((position, stage))
    headings = [heading for heading, _ in GROUPS] + [OTHER]
    found: list[Chart] = []
    for name, where in places.items():
        joined = len({position for position, _ in where}) < len(where)
        curves = [_curve(position, stage, name, joined=joined) for position, stage in where]
        curves = [curve for curve in curves if any(map(math.isfinite, curve.y))]
        if curves:
            found.append(Chart(group_of(name), name, curves, joined))
    return sorted(found, key=lambda chart: _rank(chart, headings))


def _rank(chart: Chart, headings: list[str]) -> tuple[int, bool, int, str]:
    """Training before evaluation, totals before parts, then by name."""
    return headings.index(chart.group), chart.name.startswith("eval/"), chart.name.count("/"), chart.name


def group_of(name: str) -> str:
    """The heading a metric stands under; the longest matching prefix wins."""
    matches = [
        (len(prefix), heading)
        for heading, prefixes in GROUPS
        for prefix in prefixes
        if name == prefix or (prefix.endswith(("/", "_", "@")) and name.startswith(prefix))
    ]
    return max(matches)[1] if matches else OTHER


def ends(stage: Stage, name: str, *, share: float = 0.1) -> tuple[float, float] | None:
    """The mean of a metric over the first and the last tenth of a stage's rows (at least one row each)."""
    values = [value for row in stage.rows if (value := number(row.get(name))) is not None]
    if not values:
        return None
    width = max(1, int(len(values) * share))
    return sum(values[:width]) / width, sum(values[-width:]) / width


def _names(rows: list[Row]) -> list[str]:
    names = {name for row in rows for name in row if name not in PLACE}
    # A standard error is drawn on its metric, not beside it.
    return sorted(name for name in names if not (name.endswith("_se") and name.removesuffix("_se") in names))


def _curve(position: int, stage: Stage, name: str, *, joined: bool) -> Curve:
    rows = [row for row in stage.rows if name in row]
    offset = stage.offset if joined else 0.0
    x = [(number(row.get("step")) or 0.0) + offset for row in rows]
    y = [_value(row.get(name)) for row in rows]
    error = [_value(row.get(f"{name}_se")) for row in rows]
    if not any(map(math.isfinite, error)):
        error = []
    return Curve(position, stage.name, *_thin(x, y, error))


def _value(value: object) -> float:
    found = number(value)
    return math.nan if found is None else found


def _thin(x: list[float], y: list[float], error: list[float]) -> tuple[list[float], list[float], list[float]]:
    """Means over neighbouring rows, if there are more than `MAX_POINTS`."""
    width = -(-len(x) // MAX_POINTS)
    if width <= 1:
        return x, y, error
    starts = range(0, len(x), width)
    return (
        [x[start : start + width][-1] for start in starts],
        [_mean(y[start : start + width]) for start in starts],
        [_mean(error[start : start + width]) for start in starts] if error else [],
    )


def _mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
