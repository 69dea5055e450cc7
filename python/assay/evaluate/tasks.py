"""What `--tasks` names: benchmarks, files and generated tasks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assay.data import Task, load, parse_config, prompt_text
from assay.errors import InvalidInputError
from assay.evaluate.benchmarks import BENCHMARKS, load_benchmark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data.rows import Gold

Answer = Literal["auto", "number", "math", "choice", "text"]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How the rows of a file that is no benchmark are read.

    Attributes:
        prompt_field: the field with the problem.
        reference_field: the field with the gold answer.
        gold: where the answer stands in that field.
        answer: what sort of answer it is.
    """

    prompt_field: str = "prompt"
    reference_field: str = "reference"
    gold: Gold = "as_is"
    answer: Answer = "auto"


@dataclass(frozen=True, slots=True)
class TaskSet:
    """One set of problems.

    Attributes:
        name: what results call it.
        source: where the problems came from.
        bare: the problems as they stand in the source.
        samples: completions of each, unless the caller wants another number.
        answer: what sort of answer the references are.
        instruction: what is asked of the model below a problem; empty for nothing.
    """

    name: str
    source: str
    bare: Sequence[Task]
    samples: int
    answer: Answer
    instruction: str = ""

    def asked(self, *, instruct: bool) -> Sequence[Task]:
        """The problems as they are put, before any template: with the instruction below them or without."""
        if not (instruct and self.instruction):
            return self.bare
        return [replace(task, prompt=f"{prompt_text(task.prompt)}\n{self.instruction}") for task in self.bare]

    def fingerprint(self) -> str:
        """A hash of all prompts and references, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for task in self.bare:
            for text in (prompt_text(task.prompt), task.reference or ""):
                digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()


def load_tasks(
    names: Sequence[str], options: FileOptions | None = None, *, limit: int | None = None, seed: int = 0
) -> list[TaskSet]:
    """The sets of problems that `--tasks` names.

    Args:
        names: each `NAME` of a benchmark (its problems then come from the Hugging Face hub), `NAME=PATH` for a local copy
            of it, the path of a `.jsonl` or `.parquet` file, or `gym:TASK`; several may stand in one, between commas.
        options: how the rows of a file are read.
        limit: the first so many problems of each only.
        seed: of generated problems.

    Raises:
        InvalidInputError: a name is unknown or stands twice, or a file is not as described.
        UnavailableError: the hub cannot be reached, or a library is missing.
    """
    wanted = [name.strip() for entry in names for name in entry.split(",") if name.strip()]
    if not wanted:
        raise InvalidInputError(f"--tasks names nothing; give benchmarks ({', '.join(BENCHMARKS)}) or a .jsonl file")
    # Every name is looked at before the first download.
    for name in wanted:
        _check(name)
    sets = [_load(name, options or FileOptions(), limit, seed) for name in wanted]
    seen: set[str] = set()
    for made in sets:
        if made.name in seen:
            raise InvalidInputError(f"--tasks: {made.name!r} stands there twice; rename one of the files")
        seen.add(made.name)
    return sets


def _check(name: str) -> None:
    benchmark, given, path = name.partition("=")
    if name.startswith("gym:") or benchmark in BENCHMARKS:
        if given and not Path(path).exists():
            raise InvalidInputError(f"--tasks {name}: {path}: no such file (it is taken from {Path.cwd()})")
        return
    if given:
        raise InvalidInputError(f"--tasks {name}: {benchmark!r} is no benchmark; known are {', '.join(BENCHMARKS)}")
    if Path(name).suffix not in {".jsonl", ".parquet"}:
        raise InvalidInputError(
            f"--tasks {name}: neither a benchmark ({', '.join(BENCHMARKS)}) nor a .jsonl or .parquet file nor gym:TASK"
        )


def _load(name: str, options: FileOptions, limit: int | None, seed: int) -> TaskSet:
    benchmark, given, path = name.partition("=")
    if found := BENCHMARKS.get(benchmark):
        tasks = load_benchmark(found, Path(path) if given else None)[:limit]
        source = path if given else found.dataset
        return TaskSet(found.name, source, tasks, found.samples, found.answer, found.instruction)
    table: dict[str, Any] = {"seed": seed}
    if name.startswith("gym:"):
        task = name.removeprefix("gym:")
        table |= {"source": "reasoning_gym", "task": task, "size": limit or 100}
        return TaskSet(task, name, load(parse_config(table, where="--tasks")), 4, options.answer)
    table |= {
        "source": "parquet" if name.endswith(".parquet") else "jsonl",
        "path": name,
        "prompt_field": options.prompt_field,
        "reference_field": options.reference_field,
        "gold": options.gold,
        "limit": limit,
    }
    return TaskSet(Path(name).stem, name, load(parse_config(table, where="--tasks")), 4, options.answer)
