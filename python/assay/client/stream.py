"""Parts of a batch as they are finished."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeAlias

from assay._inputs import scores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from assay import _native
    from assay.scores import Scores

Start: TypeAlias = "Callable[[], _native.PartStream]"
"""Starts scoring a batch."""


def stream(start: Start) -> Iterator[tuple[range, Scores]]:
    """The parts, each with its scores, in the order in which they are finished. Leaving it gives up what is on its way."""
    parts = start()
    try:
        while (part := parts.next()) is not None:
            first, end, found = part
            yield range(first, end), scores(found)
    finally:
        parts.close()


async def astream(start: Start) -> AsyncIterator[tuple[range, Scores]]:
    """`stream` for asyncio."""
    loop = asyncio.get_running_loop()
    finished = asyncio.Event()

    def wake() -> None:
        # The loop may be closed by the time a part ends that was given up; then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finished.set)

    parts = start()
    try:
        while True:
            finished.clear()
            parts.start_next(wake)
            await finished.wait()
            part = parts.result()
            if part is None:
                return
            first, end, found = part
            yield range(first, end), scores(found)
    finally:
        parts.close()
