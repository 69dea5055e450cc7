"""Configuration models in which a misspelt key is an error with a suggestion, never silence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from assay.errors import InvalidSpecError


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
        raise InvalidSpecError(explain(error, kind, value, where=where)) from None


def explain(error: ValidationError, kind: Any, value: object, *, where: str) -> str:
    """The first problem of a pydantic error in one line, with the number of further ones."""
    problems = error.errors(include_url=False, include_context=True)
    # An unknown key is the usual cause of the missing one reported beside it, so it is told first.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    location = first["loc"]
    tags = _union_tags(kind)
    shown = [str(part) for position, part in enumerate(location) if not (position == 0 and part in tags)]
    field = ".".join(shown)
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    prefix = f"{where}: {field}: " if field else f"{where}: "
    return prefix + _message(dict(first), _model_for(kind, value), shown) + rest


def _message(problem: Mapping[str, Any], model: type[BaseModel] | None, shown: list[str]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        names = _field_names(model, shown[:-1])
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


def _unwrap(kind: Any) -> tuple[Any, ...]:
    """The models inside `Annotated[A | B, ...]`, or the one model itself."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_args(kind) or (kind,)


def _union_tags(kind: Any) -> set[str]:
    return {_tag(model) for model in _unwrap(kind) if len(_unwrap(kind)) > 1}


def _tag(model: Any) -> str:
    fields = getattr(model, "model_fields", {})
    return str(fields["source"].default) if "source" in fields else ""


def _model_for(kind: Any, value: object) -> type[BaseModel] | None:
    models = [model for model in _unwrap(kind) if isinstance(model, type) and issubclass(model, BaseModel)]
    if len(models) == 1:
        return models[0]
    tag = cast("Mapping[str, object]", value).get("source") if isinstance(value, Mapping) else None
    return next((model for model in models if _tag(model) == tag), None)


def _field_names(model: type[BaseModel] | None, path: list[str]) -> list[str]:
    """The keys valid at `path` below `model`; empty where the path leaves the models."""
    for part in path:
        field = model.model_fields.get(part) if model else None
        nested = [m for m in _unwrap(field.annotation) if isinstance(m, type)] if field else []
        model = next((m for m in nested if issubclass(m, BaseModel)), None)
    return list(model.model_fields) if model else []
