"""From the fields of a row to a `Task`, whatever file or library the row came from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, cast

from assay.data.jsonl import WrittenFloat
from assay.data.task import Message, Prompt, Task
from assay.errors import InvalidInputError

Gold = Literal["as_is", "hashes", "boxed"]
"""Where the gold answer stands in the reference field: all of it, after `####` (GSM8K), in the last `\\boxed` (MATH)."""


def get_field(row: Mapping[str, Any], name: str, *, where: str, key: str) -> Any:
    """`row[name]`, or an error that names the row, the field, the fields there are and the option to change."""
    if name in row:
        return row[name]
    near = difflib.get_close_matches(name, row, n=1)
    guess = f" (did you mean {near[0]!r}?)" if near else ""
    present = ", ".join(list(row)[:12]) or "none"
    raise InvalidInputError(f"{where}: no field {name!r}{guess}; fields here: {present}; set {key} to the right one")


def as_text(value: object, *, where: str, name: str) -> str | None:
    """A string or number as it was written; `None` stays `None`.

    Raises:
        InvalidInputError: for any other type.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, WrittenFloat):
        return value.text
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise InvalidInputError(f"{where}: {name}: expected text or a number, got {type(value).__name__}")


def as_prompt(value: object, *, where: str, name: str) -> Prompt:
    """A non-empty text or a list of `{"role", "content"}` messages."""
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, str):
        raise InvalidInputError(f"{where}: {name}: the prompt is empty; remove the row or fill it in")
    messages = cast("list[object]", value) if isinstance(value, list) else []
    if not messages:
        raise InvalidInputError(f"{where}: {name}: expected text or a list of messages, got {type(value).__name__}")
    return [_message(message, where=f"{where}: {name}[{position}]") for position, message in enumerate(messages)]


def _message(value: object, *, where: str) -> Message:
    if isinstance(value, Mapping):
        turn = cast("Mapping[str, object]", value)
        role, content = turn.get("role"), turn.get("content")
        if isinstance(role, str) and isinstance(content, str):
            return Message(role=role, content=content)
    raise InvalidInputError(f'{where}: a message must be {{"role": text, "content": text}}')


def gold_answer(reference: str, gold: Gold, *, where: str, name: str) -> str:
    r"""The gold answer inside the reference field.

    `hashes`: what follows the last `####`, as GSM8K writes it (github.com/openai/grade-school-math).
    `boxed`: the contents of the last balanced `\boxed{...}`, as the solutions of MATH write it.

    Raises:
        InvalidInputError: the marker is not there.
    """
    if gold == "as_is":
        return reference.strip()
    if gold == "hashes":
        _, mark, tail = reference.rpartition("####")
        answer = tail.strip() if mark else ""
    else:
        answer = _last_boxed(reference)
    if not answer:
        mark = "####" if gold == "hashes" else "\\boxed{...}"
        raise InvalidInputError(
            f'{where}: {name}: no answer after {mark}; set gold = "as_is" if the field is the bare answer'
        )
    return answer


def _last_boxed(text: str) -> str:
    start = text.rfind("\\boxed{")
    if start < 0:
        return ""
    depth = 0
    begin = start + len("\\boxed{")
    for position in range(begin - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin:position].strip()
    return ""


def make_task(
    row: Mapping[str, Any], *, prompt: str, reference: str | None, gold: Gold, where: str, source: str
) -> Task:
    """A `Task` out of one row.

    Args:
        row: the fields as read.
        prompt: name of the field that holds the prompt.
        reference: name of the field that holds the reference; `None` for a dataset without references.
        gold: where the answer stands in the reference field.
        where: `file:line`, for errors and for rows without an `id` field.
        source: what `Task.source` says.

    Raises:
        InvalidInputError: a field is missing or of the wrong type.
    """
    question = as_prompt(get_field(row, prompt, where=where, key="prompt_field"), where=where, name=prompt)
    answer: str | None = None
    if reference is not None:
        value = get_field(row, reference, where=where, key="reference_field")
        answer = as_text(value, where=where, name=reference)
        answer = None if answer is None else gold_answer(answer, gold, where=where, name=reference)
    identity = row.get("id")
    rest = {name: value for name, value in row.items() if name not in {prompt, reference, "id"}}
    return Task(question, answer, where if identity is None else str(identity), source, rest)
