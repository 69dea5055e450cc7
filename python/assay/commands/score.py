"""`assay score`: a file of completions, scored by any spec, in this process or by a server."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from assay.commands.output import Json, emit_json, figure, plain, print_table, progress, say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from assay.scores import Scores

BATCH = 4096


class AnyScorer(Protocol):
    """`assay.Scorer` or `assay.RemoteScorer`."""

    def score(self, completions: Sequence[Any], references: Sequence[str | None]) -> Scores:
        """Scores completions against references."""
        ...


@dataclass(slots=True)
class Totals:
    """Running figures over batches; means are over items that have a value."""

    items: int = 0
    statuses: dict[str, int] = field(default_factory=dict[str, int])
    sums: dict[str, float] = field(default_factory=dict[str, float])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, scores: Scores) -> None:
        """Takes one batch in."""
        self.items += len(scores)
        for status in scores.status:
            self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1
        for name, values in [("total", scores.total), *scores.components.items()]:
            finite = [value for value in values.tolist() if math.isfinite(value)]
            self.sums[name] = self.sums.get(name, 0.0) + math.fsum(finite)
            self.counts[name] = self.counts.get(name, 0) + len(finite)

    def mean(self, name: str) -> float:
        """Mean of the total or of a component; NaN if no item has a value."""
        return self.sums[name] / self.counts[name] if self.counts[name] else math.nan


def score(  # noqa: PLR0913 - one parameter an option
    file: Annotated[Path, typer.Argument(help="JSON Lines, one object a line.", show_default=False)],
    *,
    spec: Annotated[str, typer.Option(help="A reward spec: a TOML file, or a component such as `accuracy`.")],
    completion: Annotated[str, typer.Option(help="The field with what the model wrote.")] = "completion",
    reference: Annotated[
        str, typer.Option(help="The field with the gold answer; null where there is none.")
    ] = "reference",
    output: Annotated[
        Path | None,
        typer.Option(help="Write each row with its scores to this JSON Lines file.", show_default=False),
    ] = None,
    remote: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Score on this server instead of here.", show_default=False),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="A tokenizer.json, for components that count tokens.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a file of completions.

    Prints how many items have each status, and the mean of the total and of each component over the items that have a
    value: an item that could not be judged is counted, never averaged in as 0.
    """
    scorer = _scorer(spec, remote, tokenizer)
    totals = Totals()
    with progress("scoring") as tick, _writer(output) as write:
        for batch in _batches(file, completion, reference):
            scores = scorer.score([row[1] for row in batch], [row[2] for row in batch])
            totals.add(scores)
            for (row, _, _), result in zip(batch, scores.to_list(), strict=True):
                write({**row, "score": result})
            tick(totals.items)
    _print(totals, output, as_json=as_json)


def _scorer(spec: str, remote: str | None, tokenizer: Path | None) -> AnyScorer:
    if remote is None:
        from assay.rewards import Scorer

        return Scorer(spec, tokenizer=tokenizer)
    from assay.errors import InvalidInputError

    if tokenizer is not None:
        raise InvalidInputError("--tokenizer: the server has its own; leave it out with --remote")
    from assay.client import connect

    return connect(remote, spec)


def _batches(path: Path, completion: str, reference: str) -> Iterator[list[tuple[dict[str, Any], Any, str | None]]]:
    from assay.data import read_jsonl
    from assay.errors import InvalidInputError

    rows = (_fields(row, completion, reference, f"{path}:{line}") for line, row in read_jsonl(path))
    empty = True
    while batch := list(islice(rows, BATCH)):
        empty = False
        yield batch
    if empty:
        raise InvalidInputError(f"{path}: no rows; the file needs at least one")


def _fields(row: dict[str, Any], completion: str, reference: str, where: str) -> tuple[dict[str, Any], Any, str | None]:
    from assay.data.rows import as_text, get_field
    from assay.errors import InvalidInputError

    written = get_field(row, completion, where=where, key="--completion")
    if not isinstance(written, (str, list)):
        raise InvalidInputError(
            f"{where}: {completion}: expected text or a list of messages, got {type(written).__name__}"
        )
    gold = as_text(get_field(row, reference, where=where, key="--reference"), where=where, name=reference)
    return row, written, gold


@contextmanager
def _writer(path: Path | None) -> Generator[Callable[[dict[str, Any]], None]]:
    """Yields what takes the rows; the whole file is put in place at the end, an error in between leaves none."""
    if path is None:
        yield lambda _row: None
        return
    from assay._files import atomic_file

    with atomic_file(path) as file:

        def write(row: dict[str, Any]) -> None:
            file.write((json.dumps(plain(row)) + "\n").encode())

        yield write


def _print(totals: Totals, output: Path | None, *, as_json: bool) -> None:
    means = {name: totals.mean(name) for name in totals.sums}
    if as_json:
        emit_json(
            {
                "items": totals.items,
                "status": totals.statuses,
                "mean": means,
                "scored": dict(totals.counts),
                "output": None if output is None else str(output),
            }
        )
        return
    shares = [(name, count, count / totals.items) for name, count in sorted(totals.statuses.items())]
    print_table(["status", "items", "share"], [[name, f"{count:,}", f"{share:.2%}"] for name, count, share in shares])
    say("")
    print_table(
        ["reward", "mean", "items"],
        [[name, figure(mean), f"{totals.counts[name]:,}"] for name, mean in means.items()],
    )
    if output:
        say(f"\n{totals.items:,} rows written to {output}")
