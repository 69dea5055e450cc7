"""The addition task: right sums, right thinking, nothing held out is trained on."""

from __future__ import annotations

import re

import pytest

from assay.data import AdditionConfig, load_splits
from assay.data.addition import column_addition
from assay.errors import InvalidInputError


def test_columns_carry():
    assert column_addition(999, 1) == "9+1=10;9+0+1=10;9+0+1=10"
    assert column_addition(123, 456) == "3+6=9;2+5=7;1+4=5"


def test_every_demonstration_is_right_and_half_of_them_think():
    splits = load_splits(AdditionConfig(digits=3, size=600, held_out=100, seed=5))
    assert (len(splits.train), len(splits.held_out)) == (600, 100)
    thinking = 0
    for task in [*splits.train, *splits.held_out]:
        a, b = (int(part) for part in re.fullmatch(r"([1-9]\d\d)\+([1-9]\d\d)=", task.prompt).groups())
        assert task.reference == str(a + b)
        think, answer = re.fullmatch(r"<think>(.*)</think><answer>(\d+)</answer>", task.metadata["completion"]).groups()
        assert answer == task.reference
        if think:
            thinking += 1
            for column in think.split(";"):
                terms, total = column.split("=")
                assert sum(map(int, terms.split("+"))) == int(total)
    assert 0.4 < thinking / 700 < 0.6


def test_held_out_problems_are_distinct_and_never_trained_on():
    splits = load_splits(AdditionConfig(digits=1, size=400, held_out=20))
    held_out = {task.prompt for task in splits.held_out}
    assert len(held_out) == 20
    assert not held_out & {task.prompt for task in splits.train}
    assert splits.removed > 0


def test_the_seed_decides():
    def prompts(seed: int) -> list[object]:
        return [task.prompt for task in load_splits(AdditionConfig(size=5, seed=seed)).train]

    assert prompts(1) == prompts(1) != prompts(2)


def test_too_few_sums_is_an_error():
    with pytest.raises(InvalidInputError, match=r"data\.held_out: 50 of the 81"):
        load_splits(AdditionConfig(digits=1, held_out=50))
