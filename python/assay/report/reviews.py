"""What a reviewer thought of samples: one JSON object a mark, in `reviews.jsonl` of the run.

A row has `stage`, `step`, `group_id` and `index`, which name the sample; `mark`: `accept`, `reject` or `note`; and `note`, a text.
Of several marks of one sample the last counts. The stage `collect` takes such a file as its `reviews`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay._files import AppendLog
from assay.errors import InvalidInputError, UnavailableError
from assay.report.run import Row, tolerant_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = "reviews.jsonl"
MARKS = ("accept", "reject", "note")
_LONGEST_NOTE = 10_000


def read_reviews(folder: Path, notes: list[str]) -> list[Row]:
    """The marks in a run's folder, in order; none if nobody has reviewed it. Rows of another form are left out, with a note."""
    path = folder / NAME
    if not path.is_file():
        return []
    found: list[Row] = []
    odd = 0
    for _, _, row in tolerant_rows(path, notes):
        try:
            found.append(checked(row))
        except InvalidInputError:
            odd += 1
    if odd:
        notes.append(f"{NAME}: {odd} rows are not marks and are left out")
    return found


def checked(row: Any) -> Row:
    """A row of the documented form and nothing else in it.

    Raises:
        InvalidInputError: it has another form; the message says which field.
    """
    if not isinstance(row, dict):
        raise InvalidInputError("a review is a JSON object")
    kinds: dict[str, Any] = {"stage": str, "step": (int, float), "group_id": (int, str), "index": int, "mark": str}
    for name, kind in kinds.items():
        value: object = row.get(name)  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InvalidInputError(f"a review needs the field {name}")
    if row["mark"] not in MARKS:
        raise InvalidInputError(f"mark is one of {', '.join(MARKS)}")
    note = row.get("note", "")  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(note, str) or len(note) > _LONGEST_NOTE:
        raise InvalidInputError(f"note is a text of at most {_LONGEST_NOTE:,} characters")
    return {**{name: row[name] for name in kinds}, "note": note}


def add_reviews(folder: Path, rows: Sequence[Row]) -> None:
    """Appends marks to a run's file; they are on the disk when this returns.

    Raises:
        UnavailableError: the file cannot be written; none of them is there.
    """
    path = folder / NAME
    try:
        log = AppendLog(path)
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        log.append(rows)
        log.flush()
    finally:
        log.close()
