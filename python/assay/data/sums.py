"""Sums of two numbers of so many digits, some held out: what the tasks made on the spot are drawn from."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, TypeVar

from assay.data.split import Splits
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.data.config import AdditionConfig, NumberWordsConfig
    from assay.data.task import Task

Config = TypeVar("Config", "AdditionConfig", "NumberWordsConfig")


def draw_sums(
    config: Config, stream: str, make: Callable[[Config, str, tuple[int, int], random.Random], Task]
) -> Splits:
    """Training problems, which may repeat, and distinct held-out ones that occur nowhere among them.

    Args:
        config: how many of which length, and the seed.
        stream: names the random stream, so that two tasks of one seed do not share their problems.
        make: a problem from the config, its name, its two numbers, and the same stream.

    Raises:
        InvalidInputError: There are not twice as many sums of so many digits as problems are held out.
    """
    low, high = 10 ** (config.digits - 1), 10**config.digits - 1
    distinct = (high - low + 1) ** 2
    if 2 * config.held_out > distinct:
        raise InvalidInputError(
            f"data.held_out: {config.held_out} of the {distinct} sums of {config.digits} digits cannot be held out; "
            "lower it, or raise data.digits"
        )
    rng = random.Random(f"{stream}:{config.seed}:{config.digits}")  # noqa: S311 - repeatable by intention
    pairs = ((rng.randint(low, high), rng.randint(low, high)) for _ in itertools.count())
    reserved: dict[tuple[int, int], None] = {}
    for pair in pairs:
        if len(reserved) == config.held_out:
            break
        reserved[pair] = None
    held_out = [make(config, f"held_out:{i}", pair, rng) for i, pair in enumerate(reserved)]
    train: list[Task] = []
    removed = 0
    size = config.size if config.limit is None else min(config.size, config.limit)
    for pair in pairs:
        if len(train) == size:
            break
        if pair in reserved:
            removed += 1
        else:
            train.append(make(config, f"train:{len(train)}", pair, rng))
    return Splits(train, held_out, removed)
