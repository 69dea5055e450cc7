"""Column addition with demonstrations: the task of the demo, made on the spot.

Every problem comes with one demonstration of either kind: it thinks, column by column from the right with carries, or
it answers directly. A model trained on a mix of both can do either, and is far more often right when it thinks; which
to do is then what reinforcement learning can find out.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from assay.data.split import Splits
from assay.data.task import Task
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assay.data.config import AdditionConfig


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
    distinct = (9 * 10 ** (config.digits - 1)) ** 2
    if 2 * config.held_out > distinct:
        raise InvalidInputError(
            f"data.held_out: {config.held_out} of the {distinct} sums of {config.digits} digits cannot be held out; "
            "lower it, or raise data.digits"
        )
    rng = random.Random(f"addition:{config.seed}:{config.digits}")  # noqa: S311 - repeatable by intention
    low, high = 10 ** (config.digits - 1), 10**config.digits - 1

    def pairs() -> Iterator[tuple[int, int]]:
        while True:
            yield rng.randint(low, high), rng.randint(low, high)

    reserved: dict[tuple[int, int], None] = {}
    for pair in pairs():
        if len(reserved) == config.held_out:
            break
        reserved[pair] = None
    held_out = [_task(config, f"held_out:{i}", pair, rng) for i, pair in enumerate(reserved)]
    train: list[Task] = []
    removed = 0
    size = config.size if config.limit is None else min(config.size, config.limit)
    for pair in pairs():
        if len(train) == size:
            break
        if pair in reserved:
            removed += 1
        else:
            train.append(_task(config, f"train:{len(train)}", pair, rng))
    return Splits(train, held_out, removed)


def _task(config: AdditionConfig, name: str, pair: tuple[int, int], rng: random.Random) -> Task:
    a, b = pair
    thinking = column_addition(a, b) if rng.random() < config.think_share else ""
    completion = f"<think>{thinking}</think><answer>{a + b}</answer>"
    identity = f"addition:{config.seed}:{name}"
    return Task(f"{a}+{b}=", str(a + b), identity, "addition", {"completion": completion})
