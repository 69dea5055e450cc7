"""What every evaluation of a run found, in one table: each stage before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Title, key of the row, form.
COLUMNS = (
    ("accuracy", "eval/accuracy", "{:.3f}"),
    ("±", "eval/accuracy_se", "{:.3f}"),
    ("format", "eval/reward/format/mean", "{:.3f}"),
    ("language", "eval/reward/language/mean", "{:.3f}"),
    ("thinks", "eval/thinks_ratio", "{:.3f}"),
    ("tokens", "eval/length_mean", "{:.1f}"),
    ("reward", "eval/reward_mean", "{:.3f}"),
)


def stage_table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry per evaluation, in order: ``stage``, ``after`` (the last stage that trained) and the numbers.

    Args:
        rows: Of ``metrics.jsonl``.
    """
    table: list[dict[str, Any]] = []
    after = None
    for row in rows:
        if row["kind"] == "eval":
            numbers = {title: row.get(key) for title, key, _ in COLUMNS}
            table.append({"stage": row["stage"], "after": after, **numbers})
        elif row["kind"] not in ("alarm", "collect", "export", "preference"):
            after = row["stage"]
    return table


def table_text(table: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Header and cells; columns without any number are left out, a missing number is a dash."""
    shown = [(title, form) for title, _, form in COLUMNS if any(row[title] is not None for row in table)]
    cells = [
        [
            str(row["stage"]),
            str(row["after"] or "nothing"),
            *("-" if row[t] is None else f.format(row[t]) for t, f in shown),
        ]
        for row in table
    ]
    return ["evaluation", "after stage", *(title for title, _ in shown)], cells
