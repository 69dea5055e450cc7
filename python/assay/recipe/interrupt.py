"""Ctrl-C that lets the step in hand finish."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Self

from assay.learner.ranks import one_of_several

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class Interrupt:
    """While entered, the first SIGINT or SIGTERM sets ``requested``; the second interrupts at once.

    A step that is cut in the middle could leave weights and optimizer of two different steps; one that is allowed to
    finish leaves a run that can be checkpointed. Outside the main thread signals are left alone.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType] - it is what signal() returned

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        # torchrun passes on what the terminal has sent already, so there the second signal says nothing new.
        if self.requested and not one_of_several():
            raise KeyboardInterrupt
        self.requested = True
