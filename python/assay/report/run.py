"""A run folder as the report reads it: tolerant of a run that was killed, exact about what it left out."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]

# Keys of a metrics row that say where it belongs rather than what was measured.
PLACE = frozenset({"stage", "kind", "step"})


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a recipe, as far as it ran.

    Attributes:
        name: the recipe's name for it.
        kind: `sft`, `grpo`, `eval`, or whatever the rows say.
        rows: its metrics rows, one a step, in step order.
        offset: what to add to its steps so that the stages of a run stand one after the other.
    """

    name: str
    kind: str
    rows: list[Row]
    offset: float


@dataclass(slots=True)
class Run:
    """What a run folder holds.

    Attributes:
        name: the folder's name.
        folder: the folder.
        stages: in the order they first wrote a row.
        recipe: the resolved recipe as text, or `""`.
        summary: `summary.json`, or `None` while the run is not finished.
        alarms: rows of the metrics that warn of something, in the order they were written.
        plan: `plan.json`, as `assay plan RUN` left it, or `None`.
        notes: one sentence for each thing that is missing, cut off or left out.
    """

    name: str
    folder: Path
    stages: list[Stage]
    recipe: str
    summary: Row | None
    alarms: list[Row] = field(default_factory=list[Row])
    plan: Row | None = None
    notes: list[str] = field(default_factory=list[str])


def read_run(folder: Path | str) -> Run:
    """Reads everything of a run folder but its samples.

    Raises:
        InvalidInputError: the folder is not there or holds neither metrics nor samples.
        UnavailableError: a file cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidInputError(f"{folder}: no such run folder; name one that `assay train` wrote")
    metrics = folder / "metrics.jsonl"
    if not metrics.is_file() and not (folder / "samples.jsonl").is_file():
        raise InvalidInputError(
            f"{folder}: neither metrics.jsonl nor samples.jsonl in it; name a folder that `assay train` wrote"
        )
    notes: list[str] = []
    alarms: list[Row] = []
    stages = _stages(metrics, notes, alarms) if metrics.is_file() else []
    if not stages:
        notes.append("no metrics have been written: there are no curves")
    recipe = _settings(folder, notes)
    summary = _summary(folder / "summary.json", notes)
    plan = _object(folder / "plan.json", notes) if (folder / "plan.json").is_file() else None
    return Run(folder.resolve().name, folder, stages, recipe, summary, alarms, plan, notes)


def tolerant_rows(path: Path, notes: list[str]) -> Iterator[tuple[int, int, Row]]:
    """`(first byte, end byte, object)` of each line that is a JSON object; the others are counted into `notes`."""
    broken: list[int] = []
    position, number, ended = 0, 0, True
    try:
        with path.open("rb") as file:
            for line in file:
                number += 1
                start, position = position, position + len(line)
                ended = line.endswith(b"\n")
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    row = None
                if isinstance(row, dict):
                    yield start, position, cast("Row", row)
                else:
                    broken.append(number)
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if broken and broken[-1] == number and not ended:
        broken.pop()
        notes.append(f"{path.name}: the last line is cut off (killed while writing, or still running); it is left out")
    if broken:
        shown = ", ".join(map(str, broken[:5])) + (", .." if len(broken) > 5 else "")
        notes.append(f"{path.name}: {len(broken)} lines are not JSON objects and are left out (line {shown})")


def number(value: object) -> float | None:
    """A finite number as float; anything else, NaN and infinity included, as `None`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def _stages(path: Path, notes: list[str], alarms: list[Row]) -> list[Stage]:
    # A resumed run repeats the steps after its checkpoint; the row written last is the one that counts.
    found: dict[str, dict[float, Row]] = {}
    kinds: dict[str, str] = {}
    repeated = 0
    for _, _, row in tolerant_rows(path, notes):
        if row.get("kind") == "alarm":
            alarms.append(row)
            continue
        name, step = str(row.get("stage", "?")), number(row.get("step"))
        rows = found.setdefault(name, {})
        kinds.setdefault(name, str(row.get("kind", "?")))
        step = float(len(rows)) if step is None else step
        repeated += step in rows
        rows[step] = {**rows.get(step, {}), **row}
    if repeated:
        notes.append(f"{path.name}: {repeated} steps occur twice, as after a resume; the later row is shown")
    stages: list[Stage] = []
    end = -math.inf
    for name, rows in found.items():
        steps = sorted(rows)
        # Stages that count from the start again are put after the one before; those that count on are left alone.
        offset = end - steps[0] + 1 if stages and steps[0] <= end else 0.0
        stages.append(Stage(name, kinds[name], [rows[step] for step in steps], offset))
        end = steps[-1] + offset
    return stages


def _settings(folder: Path, notes: list[str]) -> str:
    """How the run was configured: its recipe, or the settings of an evaluation."""
    for name in ("recipe.toml", "eval.json"):
        try:
            return (folder / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UnavailableError(f"{folder / name}: cannot be read: {error.strerror or error}") from error
    notes.append("recipe.toml is missing: the report cannot show how the run was configured")
    return ""


def _summary(path: Path, notes: list[str]) -> Row | None:
    if not path.exists():
        notes.append("summary.json is missing: the run has not finished")
        return None
    return _object(path, notes)


def _object(path: Path, notes: list[str]) -> Row | None:
    """A JSON object; what is none is left out, with a note."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        notes.append(f"{path.name} is not JSON; it is left out")
        return None
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not isinstance(value, dict):
        notes.append(f"{path.name} is not an object; it is left out")
        return None
    return cast("Row", value)
