"""Micro-batches: every row once, budgets kept, little padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.learner.batch import TrainSequence, plan_micro_batches, split_groups


def sequences_of(groups: list[tuple[int, list[int]]]) -> list[TrainSequence]:
    return [
        TrainSequence(i, np.ones(prompt, dtype=np.uint32), np.ones(length, dtype=np.uint32), None, 1.0)
        for i, (prompt, lengths) in enumerate(groups)
        for length in lengths
    ]


GROUPS = st.lists(
    st.tuples(st.integers(1, 12), st.lists(st.integers(1, 40), min_size=1, max_size=6)), min_size=1, max_size=8
)


@given(GROUPS, st.integers(1, 200), st.booleans())
def test_every_row_is_planned_once_and_budgets_hold(groups, token_budget: int, share_prompts: bool):
    sequences = sequences_of(groups)
    batches = plan_micro_batches(
        sequences, range(len(sequences)), token_budget=token_budget, layout="shared" if share_prompts else "padded"
    )
    planned = sorted(row for blocks in batches for block in blocks for row in block.rows)
    assert planned == list(range(len(sequences)))
    for blocks in batches:
        rows = [row for block in blocks for row in block.rows]
        assert all(
            sequences[row].group_id == sequences[block.rows[0]].group_id for block in blocks for row in block.rows
        )
        used = sum(
            len(block.rows) * max(len(sequences[row].token_ids) for row in block.rows)
            + len(block.prompt_ids) * (1 if share_prompts else len(block.rows))
            for block in blocks
        )
        assert used <= token_budget or len(rows) == 1


@pytest.mark.parametrize("share_prompts", [True, False])
def test_short_completions_are_not_padded_to_long_ones(share_prompts: bool):
    sequences = sequences_of([(8, [30, 9, 31, 9, 9]), (8, [9, 30, 9, 31, 31])])
    batches = plan_micro_batches(
        sequences, range(10), token_budget=10_000, layout="shared" if share_prompts else "padded"
    )
    lengths = [{len(sequences[row].token_ids) for block in blocks for row in block.rows} for blocks in batches]
    assert lengths == [{30, 31}, {9}]


def test_a_group_of_like_lengths_stays_together():
    sequences = sequences_of([(50, [20, 18, 19]), (50, [20, 5, 4])])
    (blocks,) = plan_micro_batches(sequences, range(6), token_budget=10_000, layout="shared")
    # Splitting the second group would cost its prompt of 50 tokens again, which is more than the padding.
    assert [sorted(block.rows) for block in blocks] == [[0, 1, 2], [3, 4, 5]]


@given(GROUPS, st.integers(1, 200))
def test_packed_batches_hold_every_row_once_and_no_padding(groups, token_budget: int):
    sequences = sequences_of(groups)
    batches = plan_micro_batches(sequences, range(len(sequences)), token_budget=token_budget, layout="packed")
    rows = [[row for block in blocks for row in block.rows] for blocks in batches]
    assert sorted(row for batch in rows for row in batch) == list(range(len(sequences)))
    for batch in rows:
        used = sum(len(sequences[row].prompt_ids) + len(sequences[row].token_ids) for row in batch)
        assert used <= token_budget or len(batch) == 1


def test_mini_batches_keep_groups_whole():
    sequences = sequences_of([(1, [1, 1]), (1, [1]), (1, [1, 1, 1])])
    assert split_groups(sequences, 2) == [[0, 1], [2, 3, 4, 5]]
    assert split_groups(sequences, 1) == [[0, 1, 2, 3, 4, 5]]
    assert [row for part in split_groups(sequences, 5) for row in part] == [0, 1, 2, 3, 4, 5]
