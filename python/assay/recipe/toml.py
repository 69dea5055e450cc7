"""Recipes as text: reading, overriding on the command line, writing back."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from assay.data.strict import check, suggestion
from assay.errors import InvalidInputError, InvalidSpecError
from assay.recipe.paths import with_absolute_paths
from assay.recipe.scale import apply_scale
from assay.recipe.schema import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence


def load_recipe(path: Path | str, overrides: Sequence[str] = (), *, scale: str | None = None) -> Recipe:
    """Reads, overrides and checks a recipe.

    Args:
        path: The TOML file.
        overrides: ``key=value`` each, such as ``seed=3`` or ``stage.NAME.steps=10``; the value is TOML, or a plain
            text.
        scale: The ``[scale.NAME]`` table to apply before them; the recipe as it is written by default.

    Returns:
        The recipe with every default filled in and every path made absolute.

    Raises:
        InvalidInputError: The file cannot be read.
        InvalidSpecError: It is not TOML, or says something a recipe cannot say; the message names the key.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot read the recipe: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: cannot read the recipe: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidSpecError(f"{path}: not valid TOML: {error}") from error
    apply_scale(table, scale, where=str(path))
    for override in overrides:
        apply_override(table, override)
    recipe: Recipe = check(Recipe, table, where=str(path))
    return with_absolute_paths(recipe, path.parent.resolve())


def apply_override(table: dict[str, Any], override: str) -> None:
    """Sets one ``key=value`` in a parsed recipe; stages are addressed by their name.

    Raises:
        InvalidSpecError: There is no ``=``, no such stage, or the path leads through a value.
    """
    key, equals, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise InvalidSpecError(f"--set {override}: write key=value, such as stage.grpo.steps=10")
    target: Any = table
    for position, part in enumerate(parts[:-1]):
        if isinstance(target, list):
            target = _named(cast("list[Any]", target), part, override)
        elif isinstance(target, dict):
            target = cast("dict[str, Any]", target).setdefault(part, {})
        if not isinstance(target, dict | list):
            raise InvalidSpecError(f"--set {override}: {'.'.join(parts[: position + 1])} is a value, not a table")
    if isinstance(target, list):
        raise InvalidSpecError(f"--set {override}: name the stage, then the key, such as stage.grpo.steps=10")
    target[parts[-1]] = _value(text.strip())


def _named(stages: list[Any], name: str, override: str) -> dict[str, Any]:
    names = [str(stage.get("name", stage.get("kind", ""))) for stage in stages if isinstance(stage, dict)]
    for stage, found in zip(stages, names, strict=False):
        if found == name:
            return stage
    raise InvalidSpecError(f"--set {override}: there is no {name!r} here{suggestion(name, names)}")


def _value(text: str) -> Any:
    """A TOML value if the text is one, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as TOML with every key written out; ``load_recipe`` gives the same recipe back."""
    lines: list[str] = []
    _write_table(recipe.model_dump(mode="json", exclude_none=True), "", lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _write_table(table: dict[str, Any], path: str, lines: list[str]) -> None:
    """Plain values first, as TOML wants, then tables, then arrays of tables."""
    nested = {key: value for key, value in table.items() if isinstance(value, dict) or _is_tables(value)}
    lines += [f"{_key(key)} = {_inline(value)}" for key, value in table.items() if key not in nested]
    for key, value in nested.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        for header, entry in [(f"[[{name}]]", e) for e in value] if isinstance(value, list) else [(f"[{name}]", value)]:
            lines += ["", header]
            _write_table(cast("dict[str, Any]", entry), name, lines)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "")
    return key if bare.isascii() and bare.isalnum() else _inline(key)


def _inline(value: Any) -> str:
    if isinstance(value, str):
        # A JSON string is a TOML basic string, except that TOML also wants DEL escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in cast("list[Any]", value)) + "]"
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {_inline(item)}" for key, item in cast("dict[str, Any]", value).items())
        return "{" + ", ".join(pairs) + "}"
    return str(value)
