"""Reading JSON Lines so that every complaint names the file, the line, the field and the remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator


class WrittenFloat(float):
    """A float that remembers how the file wrote it: `0.10` claims two decimals, `0.1` one."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        """The number `text` spells."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def read_jsonl(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file, in order; blank lines are passed over.

    Args:
        path: a UTF-8 file with one JSON object a line.

    Yields:
        `(line, row)`; `line` counts from 1. Non-integer numbers are `WrittenFloat`.

    Raises:
        InvalidInputError: no such file, or a line that is not a UTF-8 JSON object (named `file:line`).
        UnavailableError: the file cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise InvalidInputError(f"{path}: no such file; check the path (it is taken from {Path.cwd()})")
    if path.is_dir():
        raise InvalidInputError(f"{path}: is a folder; name a .jsonl file inside it")
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, parse_line(line, where=f"{path}:{number}", first=number == 1)
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror or error}") from error


def parse_line(line: bytes, *, where: str, first: bool = False) -> dict[str, Any]:
    """One line as an object; see `read_jsonl` for the errors."""
    try:
        text = line.rstrip(b"\r\n").decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{where}: not UTF-8 (byte {error.start + 1} of the line); save the file as UTF-8"
        ) from None
    try:
        row = json.loads(text, parse_float=WrittenFloat)
    except json.JSONDecodeError as error:
        raise InvalidInputError(
            f"{where}: not JSON at column {error.colno} ({error.msg.lower()}); each line must be one JSON object"
        ) from None
    except RecursionError:
        raise InvalidInputError(f"{where}: nested too deeply; flatten the object") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise InvalidInputError(f"{where}: an integer has too many digits; write it as a string") from None
    if not isinstance(row, dict):
        raise InvalidInputError(f"{where}: a JSON {_name(row)} where an object {{...}} is expected")
    return cast("dict[str, Any]", row)


def _name(value: object) -> str:
    if value is None:
        return "null"
    return {"list": "array", "str": "string", "bool": "boolean"}.get(type(value).__name__, "number")
