"""What commands print: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
"""The option `--json`, the same for every command."""


def emit_json(value: object) -> None:
    """One line of JSON on stdout; numbers that JSON cannot hold become null."""
    typer.echo(json.dumps(plain(value), ensure_ascii=True))


def plain(value: Any) -> Any:
    """`value` with NaN and infinity as `None`, ready for JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def say(text: str) -> None:
    """One line on stdout. What a terminal or file cannot encode is escaped, never an error."""
    stream = sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: the first column left, the others right; folded where a terminal is too narrow, whole in a file."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for position, title in enumerate(header):
        table.add_column(title, justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        # As Text, so that brackets in a name are not taken for markup.
        table.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = max(console.width, console.measure(table, options=console.options.update_width(10_000)).maximum)
    console.print(table)


def need(*modules: str, extra: str) -> None:
    """Says what to install if a module is missing, before minutes of other work.

    Raises:
        UnavailableError: naming the module and the extra it comes with.
    """
    from importlib.util import find_spec

    from assay.errors import UnavailableError

    for module in modules:
        if find_spec(module) is None:
            raise UnavailableError(f"{module} is not installed; run: pip install 'assay[{extra}]'")


def quiet_libraries() -> None:
    """Keeps transformers from drawing its own bars and notices over ours; its warnings stay."""
    import transformers

    transformers.utils.logging.disable_progress_bar()


def figure(value: float) -> str:
    """A number for reading: four significant digits, a dash for none."""
    return "-" if not math.isfinite(value) else f"{value:.4g}"


@contextmanager
def progress(what: str, total: int | None = None) -> Generator[Callable[[int], None]]:
    """A progress bar on stderr, if that is a terminal; yields the function that takes the count so far."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, completed=count)
