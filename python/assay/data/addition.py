"""Column addition with demonstrations: the task of the demo, made on the spot.

Every problem comes with one demonstration of either kind: it thinks, column by column from the right with carries, or
it answers directly. A model trained on a mix of both can do either, and is far more often right when it thinks; which
to do is then what reinforcement learning can find out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.data.sums import draw_sums
from assay.data.task import Task

if TYPE_CHECKING:
    import random

    from assay.data.config import AdditionConfig
    from assay.data.split import Splits


def column_addition(a: int, b: int) -> str:
    """The thinking of a demonstration: each column from the right, with the carry.

    >>> column_addition(367, 451)
    '7+1=8;6+5=11;3+4+1=8'
    """
    columns: list[str] = []
    carry = 0
    while a or b or not columns:
        digits = (a % 10, b % 10)
        total = sum(digits) + carry
        columns.append(f"{digits[0]}+{digits[1]}{'+1' if carry else ''}={total}")
        a, b, carry = a // 10, b // 10, total // 10
    return ";".join(columns)


def load_addition(config: AdditionConfig) -> Splits:
    """Training problems, and held-out ones that occur nowhere among them.

    The demonstration is in ``metadata["completion"]``. A problem depends on the seed and its place alone.

    Raises:
        InvalidInputError: There are not twice as many sums of so many digits as problems are held out.
    """
    return draw_sums(config, "addition", _task)


def _task(config: AdditionConfig, name: str, pair: tuple[int, int], rng: random.Random) -> Task:
    a, b = pair
    thinking = column_addition(a, b) if rng.random() < config.think_share else ""
    completion = f"<think>{thinking}</think><answer>{a + b}</answer>"
    identity = f"addition:{config.seed}:{name}"
    return Task(f"{a}+{b}=", str(a + b), identity, "addition", {"completion": completion})
