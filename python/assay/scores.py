"""What scoring a batch gives: one `Scores`, in process or over the network."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


class Status(StrEnum):
    """What became of one item. Only `scored` carries a number."""

    SCORED = "scored"
    """Every component with a weight has a value."""
    UNDECIDED = "undecided"
    """The answer could be neither confirmed nor refuted."""
    LIMIT = "limit"
    """The completion or its answer is larger than assay reads."""
    INVALID_REFERENCE = "invalid_reference"
    """The reference is missing or cannot be read: the dataset is at fault, not the completion."""
    UNAVAILABLE = "unavailable"
    """A machine that was needed did not answer."""


_Cell = TypeVar("_Cell")
_Column: TypeAlias = "Sequence[_Cell] | Callable[[], Sequence[_Cell]]"


class Scores:
    """The scores of a batch of `n` completions, in their order.

    `total` is float64[n]: the weighted sum of the components, NaN for every item whose status is not `scored`.
    `components` maps each component's name to float64[n], NaN where it has no value.
    `status`, `reasons` and `answers` are lists of length n; a reason is one sentence, or None; an answer is the part of
    the completion that was judged, or None.

    >>> import assay
    >>> scores = assay.Scorer("accuracy").score(["It is 4.", "It is 5."], ["4", None])
    >>> scores.total
    array([ 1., nan])
    >>> [str(status) for status in scores.status]
    ['scored', 'invalid_reference']
    """

    __slots__ = ("_answers", "_reasons", "_status", "_statuses", "components", "total")

    total: NDArray[np.float64]
    components: dict[str, NDArray[np.float64]]

    def __init__(
        self,
        total: NDArray[np.float64],
        components: Mapping[str, NDArray[np.float64]],
        status: _Column[str],
        reasons: _Column[str | None],
        answers: _Column[str | None],
    ) -> None:
        """Columns of one length, as documented on the class; a function makes its column when it is first asked for."""
        self.total = total
        self.components = dict(components)
        self._status: _Column[str] = status
        self._statuses: list[Status] | None = None  # looked at once: whoever asks for one asks for all of them in turn
        self._reasons: _Column[str | None] = reasons
        self._answers: _Column[str | None] = answers

    @property
    def status(self) -> list[Status]:
        """One `Status` per item."""
        if self._statuses is None:
            values = _made(self._status)
            if not all(isinstance(value, Status) for value in values):
                values = [Status(value) for value in values]
            self._statuses = cast("list[Status]", values)
        return self._statuses

    @property
    def reasons(self) -> list[str | None]:
        """Why an item has no number, or why its answer is worth nothing; None where there is nothing to say."""
        self._reasons = made = _made(self._reasons)
        return made

    @property
    def answers(self) -> list[str | None]:
        """The answer that the first accuracy component judged; None without one."""
        self._answers = made = _made(self._answers)
        return made

    def __len__(self) -> int:
        """Number of items."""
        return len(self.total)

    def to_list(self) -> list[dict[str, Any]]:
        """One dictionary per item, ready for JSON: `total`, `components`, `status`, `reason`, `answer`; NaN is None."""
        columns = {name: _optional(values) for name, values in self.components.items()}
        return [
            {
                "total": total,
                "components": {name: values[index] for name, values in columns.items()},
                "status": str(self.status[index]),
                "reason": self.reasons[index],
                "answer": self.answers[index],
            }
            for index, total in enumerate(_optional(self.total))
        ]

    def __reduce__(self) -> tuple[type[Scores], tuple[Any, ...]]:
        """Pickles as plain columns."""
        return Scores, (self.total, self.components, self.status, self.reasons, self.answers)

    def __repr__(self) -> str:
        """Size, components and how many items have a number."""
        scored = sum(status is Status.SCORED for status in self.status)
        return f"Scores({len(self)} items, {scored} scored, components={list(self.components)})"


def _made(column: _Column[_Cell]) -> list[_Cell]:
    made = column() if callable(column) else column
    return made if isinstance(made, list) else list(made)


def _optional(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]
