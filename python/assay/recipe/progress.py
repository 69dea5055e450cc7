"""What a person sees while a run goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

# Without a terminal there is no bar to move, so a line is printed at most this often.
_SECONDS_BETWEEN_LINES = 5.0

# Shown when present, in this order: (metric, label, format).
_SHOWN = (
    ("loss", "loss", "{:.3f}"),
    ("reward/mean", "reward", "{:.3f}"),
    ("accuracy", "accuracy", "{:.3f}"),
    ("completion/length_mean", "length", "{:.1f}"),
    ("completion/thinks_ratio", "thinks", "{:.2f}"),
    ("eval/accuracy", "accuracy", "{:.3f}"),
    ("tokens_per_s", "tok/s", "{:,.0f}"),
)


class StageProgress:
    """Progress of one stage: a live bar on a terminal, a line now and then elsewhere.

    Args:
        name: The stage.
        total: Its steps.
        done: Steps done before a resume.
        console: Where to draw; standard error by default, so that standard output stays for results.
    """

    def __init__(self, name: str, total: int, *, done: int = 0, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._name, self._total, self._done = name, total, done
        self._last_line = 0.0
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[shown]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task(self._name, total=self._total, completed=self._done, shown="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, metrics: Mapping[str, object], *, advance: int = 1) -> None:
        """Notes that ``advance`` more steps are done."""
        self._done += advance
        shown = "  ".join(
            f"{label} {form.format(value)}"
            for key, label, form in _SHOWN
            if isinstance(value := metrics.get(key), float)
        )
        if self._console.is_terminal:
            assert self._task is not None
            self._bar.update(self._task, advance=advance, shown=shown)
            return
        now = time.monotonic()
        if now - self._last_line >= _SECONDS_BETWEEN_LINES or self._done == self._total:
            self._last_line = now
            self._console.print(f"{self._name} {self._done}/{self._total}  {shown}", highlight=False)

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, highlight=False)
