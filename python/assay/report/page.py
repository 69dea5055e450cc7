"""One self-contained HTML file: its data as JSON, its scripts and styles inline, no request to anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

from assay.report.cost import cost_table, hardware_of
from assay.report.decisions import decision_table
from assay.report.reviews import read_reviews
from assay.report.series import Chart, charts
from assay.report.tables import COLUMNS, alarm_table, before_after, evaluation_table, stage_table, status_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.report.run import Row, Run

SCRIPTS = ("charts.js", "review.js", "traces.js", "compare.js", "tables.js", "page.js")


def page_data(runs: Sequence[Run], groups: Sequence[Sequence[Row]], statuses: Sequence[Row]) -> Row:
    """What the page shows, JSON-ready.

    Args:
        runs: the runs, in the order of the command line.
        groups: the sample groups of each run.
        statuses: the status counts of each run's samples.
    """
    names = [run.name for run in runs]
    table = before_after(runs)
    many = len(runs) > 1
    shown: Row = {
        "title": f"assay report: {', '.join(names)}",
        "subtitle": _subtitle(runs),
        "descriptions": [f"{run.name}: {text}" if many else text for run in runs if (text := _description(run))],
        "runs": names,
        "before_after": table,
        "stages": stage_table(runs),
        "columns": [title for title, _ in COLUMNS],
        "evaluations": evaluation_table(runs),
        "alarms": alarm_table(runs),
        "costs": cost_table(runs),
        "hardware": [hardware_of(run) for run in runs if run.plan is not None],
        "decisions": decision_table(runs),
        "reviews": [
            {**row, "run": position} for position, run in enumerate(runs) for row in read_reviews(run.folder, run.notes)
        ],
        "statuses": status_table(runs, statuses),
        "charts": [
            {
                "group": chart.group,
                "name": chart.name,
                "joined": chart.joined,
                "curves": [
                    {
                        "run": curve.run,
                        "x": _rounded(curve.x),
                        "y": _rounded(curve.y),
                        "error": _rounded(curve.error),
                    }
                    for curve in chart.curves
                ],
            }
            for chart in charts(runs)
            if not _is_in_table(chart, table)
        ],
        "boundaries": _boundaries(runs),
        "groups": [{**group, "run": position} for position, members in enumerate(groups) for group in members],
        "recipes": [{"run": name, "text": run.recipe} for name, run in zip(names, runs, strict=True) if run.recipe],
    }
    # Last, because reading the rest adds to them.
    shown["notes"] = [
        f"{name}: {note}" if many else note for name, run in zip(names, runs, strict=True) for note in run.notes
    ]
    return shown


def page(data: Row, *, token: str | None = None) -> str:
    """The HTML file that shows `data`.

    With `token`, the page of `assay report --serve`: it may talk to the server it came from, and to nothing else, and
    sends the token with every mark.

    Model text can hold anything, so it is kept from acting twice: no character of it can end the JSON block it is
    stored in, and the page's own policy lets only the scripts and styles whose hashes it names run, and nothing load.
    """
    assets = resources.files("assay.report") / "assets"
    style = "\n" + (assets / "report.css").read_text(encoding="utf-8") + "\n"
    script = "\n".join((assets / name).read_text(encoding="utf-8") for name in SCRIPTS)
    template = (assets / "page.html").read_text(encoding="utf-8")
    values = {
        "{connect}": "" if token is None else "connect-src 'self'; ",
        "{script_hash}": _hash(script),
        "{style_hash}": _hash(style),
        "{title}": html.escape(str(data["title"])),
        "{style}": style,
        "{script}": script,
        "{data}": embed({**data, "token": token}),
    }
    for place, value in values.items():
        before, _, after = template.partition(place)
        template = before + value + after
    return template


def embed(value: Any) -> str:
    """JSON that may stand inside a `<script>` element whatever its strings hold."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # Half of a surrogate pair, which a model can emit, has no UTF-8.
    return "".join(c if not "\ud800" <= c <= "\udfff" else f"\\u{ord(c):04x}" for c in text)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _rounded(values: list[float]) -> list[float | None]:
    """Six digits are more than a chart shows; what is not finite becomes a gap."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]


def _is_in_table(chart: Chart, table: list[Row]) -> bool:
    """Whether a chart has two points a run at most and the table of before and after gives them as numbers."""
    points = [0] * (1 + max(curve.run for curve in chart.curves))
    for curve in chart.curves:
        points[curve.run] += len(curve.x)
    return max(points) <= 2 and any(row["metric"] == chart.name for row in table)


def _boundaries(runs: Sequence[Run]) -> list[Row]:
    """Where the stages with more than one row begin, in the run with most stages."""
    run = max(runs, key=lambda run: len(run.stages))
    return [
        {"stage": stage.name, "x": (stage.rows[0].get("step") or 0) + stage.offset}
        for stage in run.stages
        if len(stage.rows) > 1
    ]


def _description(run: Run) -> str:
    """What the recipe says the run shows."""
    try:
        found = tomllib.loads(run.recipe).get("description")
    except tomllib.TOMLDecodeError:
        return ""
    return found if isinstance(found, str) else ""


def _subtitle(runs: Sequence[Run]) -> str:
    steps = sum(len(stage.rows) for run in runs for stage in run.stages)
    finished = sum(run.summary is not None for run in runs)
    state = (
        "finished" if finished == len(runs) else f"{finished} of {len(runs)} finished" if finished else "not finished"
    )
    return f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}, {state}; {steps:,} rows of metrics"
