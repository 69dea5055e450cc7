"""`load`: any source, as tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assay.data.addition import load_addition
from assay.data.columnar import read_hub, read_parquet
from assay.data.config import (
    AdditionConfig,
    Files,
    GreetingsConfig,
    HuggingFaceConfig,
    NumberWordsConfig,
    ParquetConfig,
    ReasoningGymConfig,
    Source,
    Table,
    parse_config,
)
from assay.data.greetings import load_greetings
from assay.data.gym import load_gym
from assay.data.jsonl import read_jsonl
from assay.data.number_words import load_number_words
from assay.data.rows import make_task
from assay.data.split import Splits, carve, without_overlap
from assay.errors import InvalidInputError, InvalidSpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from assay.data.task import Task

Split = Literal["train", "held_out"]


def load(config: Source | dict[str, Any], split: Split = "train", *, base: Path | str = ".") -> Sequence[Task]:
    """The tasks of one split; see `load_splits`."""
    splits = load_splits(config, base=base)
    return splits.train if split == "train" else splits.held_out


def load_splits(config: Source | dict[str, Any], *, base: Path | str = ".") -> Splits:
    """Reads a source and separates its training from its held-out tasks.

    Args:
        config: one of the models in `assay.data.config`, or the same as a mapping.
        base: the folder that relative paths start from.

    Returns:
        Both sets. No normalised prompt occurs in both, nor twice in the held-out one.

    Raises:
        InvalidSpecError: the configuration is not valid.
        InvalidInputError: a file, row or field is not as described; the message names it.
        UnavailableError: a library is missing, or the hub or a file cannot be reached.
    """
    if isinstance(config, dict):
        config = parse_config(config)
    base = Path(base)
    if isinstance(config, ReasoningGymConfig):
        return load_gym(config)
    if isinstance(config, AdditionConfig):
        return load_addition(config)
    if isinstance(config, NumberWordsConfig):
        return load_number_words(config)
    if isinstance(config, GreetingsConfig):
        return load_greetings(config)
    if not isinstance(config, Table):
        raise InvalidSpecError(f"data.source: nothing loads a {type(config).__name__}")
    train, held_out, name = _read(config, base)
    if not train:
        raise InvalidInputError(f"{name}: no rows; the file needs at least one")
    if held_out is None:
        splits = _set_aside(config, train, name)
    else:
        train = train[: config.limit]
        splits = Splits(train, *without_overlap(train, held_out[: config.held_out or None]))
    return splits


def _set_aside(config: Source, tasks: list[Task], name: str) -> Splits:
    splits = carve(tasks, config.held_out, seed=config.seed) if config.held_out else Splits(tasks, [], 0)
    if not splits.train:
        raise InvalidInputError(
            f"{name}: held_out = {config.held_out} leaves no training row of {len(tasks)}; lower it"
        )
    return Splits(splits.train[: config.limit], splits.held_out, splits.removed)


def _read(config: Table, base: Path) -> tuple[list[Task], list[Task] | None, str]:
    """Training rows, held-out rows if they have a source of their own, and the source's name."""
    if isinstance(config, HuggingFaceConfig):
        train = _hub(config, config.split, base)
        return train, _hub(config, config.held_out_split, base) if config.held_out_split else None, config.name
    if not isinstance(config, Files):
        raise InvalidSpecError(f"data.source: nothing loads a {type(config).__name__}")
    held_out = _file(config, base / config.held_out_path) if config.held_out_path else None
    return _file(config, base / config.path), held_out, str(base / config.path)


def _file(config: Files, path: Path) -> list[Task]:
    rows = read_parquet(path) if isinstance(config, ParquetConfig) else read_jsonl(path)
    return _tasks(config, rows, str(path))


def _hub(config: HuggingFaceConfig, split: str, base: Path) -> list[Task]:
    return _tasks(config, read_hub(config, split, base), f"{config.name}/{split}")


def _tasks(config: Table, rows: Iterable[tuple[int, dict[str, Any]]], source: str) -> list[Task]:
    return [
        make_task(
            row,
            prompt=config.prompt_field,
            reference=config.reference_field,
            gold=config.gold,
            where=f"{source}:{number}",
            source=source,
        )
        for number, row in rows
    ]
