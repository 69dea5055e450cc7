"""Results as they are finished."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from typing import TYPE_CHECKING, TypeAlias

from assay._inputs import scores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from assay import _native
    from assay.scores import Scores

Start: TypeAlias = "Callable[[range, Callable[[], object]], _native.Call]"
"""Starts scoring some rows of a batch; the function is called, on another thread, when they are finished."""


class _Window:
    """Parts of a batch, so many of them at a time on their way."""

    def __init__(self, parts: Sequence[range], start: Start, window: int) -> None:
        self._waiting = list(reversed(parts))
        self._start = start
        self._window = window
        self.running: dict[range, _native.Call] = {}

    def fill(self, done: Callable[[range], object]) -> None:
        while self._waiting and len(self.running) < self._window:
            rows = self._waiting.pop()
            self.running[rows] = self._start(rows, lambda rows=rows: done(rows))

    def take(self, rows: range) -> tuple[range, Scores]:
        return rows, scores(self.running.pop(rows).result())

    def cancel(self) -> None:
        for call in self.running.values():
            call.cancel()


def stream(parts: Sequence[range], start: Start, window: int) -> Iterator[tuple[range, Scores]]:
    """The parts, each with its scores, in the order in which they are finished. Leaving it gives up what is on its way."""
    finished: queue.SimpleQueue[range] = queue.SimpleQueue()
    running = _Window(parts, start, window)
    try:
        running.fill(finished.put)
        while running.running:
            # With a timeout the main thread still hears Ctrl-C.
            with contextlib.suppress(queue.Empty):
                part = running.take(finished.get(timeout=0.5))
                running.fill(finished.put)
                yield part
    finally:
        running.cancel()


async def astream(parts: Sequence[range], start: Start, window: int) -> AsyncIterator[tuple[range, Scores]]:
    """`stream` for asyncio."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Queue[range] = asyncio.Queue()

    def done(rows: range) -> None:
        # The loop may be closed by the time a cancelled call ends; then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finished.put_nowait, rows)

    running = _Window(parts, start, window)
    try:
        running.fill(done)
        while running.running:
            part = running.take(await finished.get())
            running.fill(done)
            yield part
    finally:
        running.cancel()
