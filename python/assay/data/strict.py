"""Configuration models in which a misspelt key is an error with a suggestion, never silence."""

from __future__ import annotations

import difflib
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from assay.errors import InvalidSpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class StrictModel(BaseModel):
    """A configuration table: unknown keys are refused, types are not coerced, values do not change later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def check(kind: Any, value: object, *, where: str) -> Any:
    """Validates `value` as `kind` (a model or an annotated union of models).

    Args:
        kind: a `StrictModel` class, or anything a pydantic `TypeAdapter` takes.
        value: the parsed TOML or JSON value.
        where: what the reader of an error should open, for instance `recipe.toml: data`.

    Returns:
        An instance of `kind`.

    Raises:
        InvalidSpecError: naming `where`, the field and, for a misspelt name, the nearest valid one.
    """
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise InvalidSpecError(explain(error, kind, where=where)) from None


def explain(error: ValidationError, kind: Any, *, where: str) -> str:
    """The first problem of a pydantic error in one line, with the number of further ones."""
    problems = error.errors(include_url=False, include_context=True)
    # An unknown key is the usual cause of the missing one reported beside it, so it is told first.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    shown, names = _locate(kind, first["loc"])
    field = ".".join(shown)
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    prefix = f"{where}: {field}: " if field else f"{where}: "
    return prefix + _message(dict(first), shown, names) + rest


def _message(problem: Mapping[str, Any], shown: list[str], names: list[str]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        return f"unknown key{suggestion(shown[-1], names)}"
    if kind == "missing":
        return "this key is required"
    context = problem.get("ctx", {})
    if kind in {"union_tag_invalid", "literal_error"}:
        expected = str(context.get("expected_tags", context.get("expected", "")))
        given = str(context.get("tag", problem.get("input")))
        names = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
        return f"{given!r} is not one of {', '.join(names)}{suggestion(given, names)}"
    if kind == "union_tag_not_found":
        return f"the key {str(context.get('discriminator', '')).strip(chr(39))} is required"
    text = str(problem["msg"]).removeprefix("Value error, ")
    text = text[:1].lower() + text[1:]
    if kind == "value_error":
        return text
    return f"{text}, got {_short(problem.get('input'))}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def suggestion(name: str, names: list[str]) -> str:
    """`; did you mean 'x'?` for the nearest of `names`, or the names themselves if none is near."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known keys: {', '.join(sorted(names))}" if names and name not in names else ""


def _locate(kind: Any, location: Sequence[str | int]) -> tuple[list[str], list[str]]:
    """Where an error stands as its reader wrote it, and the keys that are valid there.

    pydantic puts the tag of a union's member between the keys; the file has no such level.
    """
    shown: list[str] = []
    names: list[str] = []
    choices = _choices(kind)
    for part in location:
        tagged = [model for model in choices if part in _tags(model)]
        if tagged and len(choices) > 1:
            choices = tagged
            continue
        shown.append(str(part))
        inside = [get_args(choice)[-1] for choice in choices if get_origin(choice) in {list, tuple, dict}]
        if inside:
            choices, names = _choices(inside[0]), []
            continue
        models = [model for model in choices if _is_model(model)]
        names = list(dict.fromkeys(name for model in models for name in model.model_fields))
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        choices = _choices(fields[0].annotation) if fields else []
    return shown, names


def _choices(kind: Any) -> list[Any]:
    """The members of a union, without `Annotated` and `None`; the one type otherwise."""
    if get_origin(kind) is Annotated:
        return _choices(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        return [choice for member in get_args(kind) for choice in _choices(member)]
    return [] if kind is type(None) else [kind]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _tags(kind: Any) -> set[str]:
    """What a member of a tagged union is called: its one-valued literals."""
    if not _is_model(kind):
        return set()
    values = [
        get_args(field.annotation) for field in kind.model_fields.values() if get_origin(field.annotation) is Literal
    ]
    return {str(value[0]) for value in values if len(value) == 1}
