"""One recipe at several sizes: what ``[scale.NAME]`` changes, and which stages it runs."""

from __future__ import annotations

from typing import Any, cast

from assay.data.strict import suggestion
from assay.errors import InvalidSpecError

# What a recipe is without a scale: as it is written.
AS_WRITTEN = "full"
# A table with another one of these is another thing altogether, so nothing of the old one stays.
_TAGS = ("kind", "source")


def apply_scale(table: dict[str, Any], scale: str | None, *, where: str) -> None:
    """Takes ``[scale]`` out of a parsed recipe and makes the changes of one of its tables.

    A table changes the keys it names and leaves the others; one with another ``kind`` or ``source`` takes the place of
    the old one. ``stages`` lists the stages to run in their order. ``stage.NAME`` changes the stage of that name.

    Args:
        table: The parsed recipe; changed in place.
        scale: The table to use; ``None`` and ``full`` leave the recipe as it is written, unless there is a
            ``[scale.full]``.
        where: The file, for errors.

    Raises:
        InvalidSpecError: There is no such scale, or it names a stage that is not there.
    """
    scales = _table(table.pop("scale", {}), f"{where}: scale")
    name = scale or AS_WRITTEN
    if name not in scales:
        if name == AS_WRITTEN:
            return
        known = sorted({*scales, AS_WRITTEN})
        raise InvalidSpecError(f"{where}: there is no scale {name!r}{suggestion(name, known)}")
    changes = dict(_table(scales[name], f"{where}: scale.{name}"))
    order = changes.pop("stages", None)
    per_stage = _table(changes.pop("stage", {}), f"{where}: scale.{name}.stage")
    stages = {str(stage.get("name", stage.get("kind", ""))): stage for stage in table.get("stage", [])}
    for key, change in per_stage.items():
        if key not in stages:
            raise InvalidSpecError(f"{where}: scale.{name}.stage: no stage {key!r}{suggestion(key, list(stages))}")
        merge(stages[key], _table(change, f"{where}: scale.{name}.stage.{key}"))
    merge(table, changes)
    if order is None:
        return
    if not isinstance(order, list):
        raise InvalidSpecError(f"{where}: scale.{name}.stages: give the names of the stages, in order")
    chosen: list[Any] = []
    for key in map(str, cast("list[Any]", order)):
        if key not in stages:
            raise InvalidSpecError(f"{where}: scale.{name}.stages: no stage {key!r}{suggestion(key, list(stages))}")
        chosen.append(stages[key])
    table["stage"] = chosen


def merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    """Puts ``changes`` into ``target``, table by table; lists and values are replaced."""
    for key, change in changes.items():
        old = target.get(key)
        if isinstance(old, dict) and isinstance(change, dict):
            before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", change)
            if not any(tag in after and after[tag] != before.get(tag) for tag in _TAGS):
                merge(before, after)
                continue
        target[key] = change


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidSpecError(f"{where}: a table is expected here")
    return cast("dict[str, Any]", value)
