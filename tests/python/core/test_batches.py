"""Packing, balancing and sampling batches against slow twins."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay

LENGTHS = st.lists(st.integers(0, 40), max_size=40)


def best_fit_decreasing(lengths: list[int], capacity: int) -> list[list[int]]:
    """Into the fullest bin with room; of equally full ones, into that which got something last."""
    bins: list[list[int]] = []
    filled: list[int] = []
    for time, index in enumerate(sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))):
        used = [sum(lengths[member] for member in members) for members in bins]
        open_bins = [place for place, sum_ in enumerate(used) if sum_ + lengths[index] <= capacity]
        if open_bins:
            place = max(open_bins, key=lambda place: (used[place], filled[place]))
            bins[place].append(index)
            filled[place] = time
        else:
            bins.append([index])
            filled.append(time)
    return bins


def karmarkar_karp(lengths: list[int], parts: int, *, equal_size: bool) -> list[int]:
    """The sums of the parts, from the definition."""
    ordered = sorted(lengths, reverse=True)
    step = parts if equal_size else 1
    chunks = [ordered[start : start + step] for start in range(0, len(ordered), step)]
    states = [(order, chunk + [0] * (parts - len(chunk))) for order, chunk in enumerate(chunks)]
    made = len(states)
    while len(states) > 1:
        states.sort(key=lambda state: (state[1][-1] - state[1][0], state[0]))
        (_, first), (_, second) = states.pop(0), states.pop(0)
        merged = [a + b for a, b in zip(first, reversed(second), strict=True)]
        states.append((made, sorted(merged, reverse=True)))
        made += 1
    return states[0][1] if states else [0] * parts


def longest_first(lengths: list[int], parts: int) -> list[int]:
    sums = [0] * parts
    for length in sorted(lengths, reverse=True):
        sums[sums.index(min(sums))] += length
    return sorted(sums, reverse=True)


def sums(lengths: list[int], split: list[np.ndarray]) -> list[int]:
    return [sum(lengths[index] for index in part) for part in split]


@given(lengths=LENGTHS, capacity=st.integers(40, 90))
def test_pack(lengths: list[int], capacity: int) -> None:
    got = assay.pack(lengths, capacity)
    assert [indices.tolist() for indices in got] == best_fit_decreasing(lengths, capacity)


@given(lengths=LENGTHS, most=st.integers(1, 4))
def test_pack_by_number(lengths: list[int], most: int) -> None:
    got = assay.pack(lengths, 10**9, max_items=most)
    assert sorted(index for indices in got for index in indices.tolist()) == list(range(len(lengths)))
    assert len(got) == -(-len(lengths) // most)


@pytest.mark.parametrize("equal_size", [False, True])
@given(lengths=LENGTHS, parts=st.integers(1, 9))
def test_karmarkar_karp(lengths: list[int], parts: int, equal_size: bool) -> None:
    got = assay.balance(lengths, parts, equal_size=equal_size)
    ours, twin = sums(lengths, got), karmarkar_karp(lengths, parts, equal_size=equal_size)
    assert ours == twin or (equal_size and max(ours) < max(twin))
    assert Counter(index for part in got for index in part.tolist()) == Counter(range(len(lengths)))
    sizes = [len(part) for part in got]
    assert not equal_size or max(sizes) - min(sizes) <= 1


@given(lengths=LENGTHS, parts=st.integers(1, 9))
def test_longest_processing_time(lengths: list[int], parts: int) -> None:
    assert sums(lengths, assay.balance(lengths, parts, method="lpt")) == longest_first(lengths, parts)
    even = [len(part) for part in assay.balance(lengths, parts, method="lpt", equal_size=True)]
    assert sum(even) == len(lengths)
    assert max(even) - min(even) <= 1


def test_balance_is_near_the_mean_on_rollout_lengths() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(6.5, 1.0, 8192), 16, 16384).astype(np.int64)
    for equal_size in (False, True):
        heaviest = lengths[assay.balance(lengths, 64, equal_size=equal_size)[0]].sum()
        assert heaviest <= 1.001 * lengths.sum() / 64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: assay.pack([9], 8), assay.InvalidInputError, r"lengths\[0\] is 9 but capacity is 8"),
        (lambda: assay.pack([-1], 8), assay.InvalidInputError, r"lengths\[0\] is -1"),
        (lambda: assay.pack([1], 0), assay.InvalidInputError, "capacity is 0"),
        (lambda: assay.pack([1], -4), assay.InvalidInputError, "capacity is -4"),
        (lambda: assay.pack([1.5], 8), assay.InvalidInputError, "lengths must hold integers"),
        (lambda: assay.pack([[1]], 8), assay.InvalidInputError, "lengths has 2 dimensions"),
        (lambda: assay.balance([1], 0), assay.InvalidInputError, "parts is 0"),
        (lambda: assay.balance([1], 2**40), assay.LimitError, "at most 1048576"),
        (lambda: assay.balance([2**62, 2**62], 2), assay.InvalidInputError, "sum to more than"),
        (lambda: assay.balance([1], 2, method="ltp"), assay.InvalidInputError, "did you mean `lpt`"),  # type: ignore[arg-type]
    ],
)
def test_bad_input_names_the_argument(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]


def batcher(lengths: list[int], **limits: int) -> assay.SamplingBatcher:
    return assay.SamplingBatcher(lengths, **limits)  # type: ignore[arg-type]


@given(
    lengths=st.lists(st.integers(0, 20), max_size=8),
    group_size=st.integers(1, 4),
    budget=st.integers(30, 80),
    most=st.integers(1, 6),
    order=st.randoms(use_true_random=False),
)
def test_sampling_batches(lengths: list[int], group_size: int, budget: int, most: int, order: object) -> None:
    batches = batcher(lengths, group_size=group_size, max_new_tokens=10, token_budget=budget, max_sequences=most)
    left = list(product(range(len(lengths)), range(group_size)))
    running: set[tuple[int, int]] = set()
    finished: Counter[int] = Counter()
    started: set[int] = set()
    while left or running:
        fresh = batches.admit()
        assert fresh == left[: len(fresh)]
        del left[: len(fresh)]
        running.update(fresh)
        started.update(prompt for prompt, _ in fresh)
        held = sum(lengths[prompt] for prompt in started if finished[prompt] < group_size) + 10 * len(running)
        assert batches.reserved_tokens == held <= budget
        assert 0 < batches.running == len(running) <= most
        if left and len(running) < most:  # nothing more fits
            prompt, sample = left[0]
            assert held + 10 + (lengths[prompt] if sample == 0 else 0) > budget
        prompt, sample = order.choice(sorted(running))  # type: ignore[attr-defined]
        batches.finish(prompt, sample)
        running.remove((prompt, sample))
        finished[prompt] += 1
    assert batches.remaining == batches.running == batches.reserved_tokens == 0
    assert batches.admit() == []


def test_sampling_batches_refuse_what_cannot_be() -> None:
    with pytest.raises(assay.InvalidInputError, match=r"prompt_lengths\[1\] is 9"):
        batcher([1, 9], group_size=1, max_new_tokens=4, token_budget=10)
    with pytest.raises(assay.InvalidInputError, match="group_size is 0"):
        batcher([1], group_size=0, max_new_tokens=4, token_budget=10)
    with pytest.raises(assay.InvalidInputError, match="must be a contiguous numpy array of int64"):
        assay.SamplingBatcher([1.5], group_size=1, max_new_tokens=1, token_budget=9)  # type: ignore[list-item]
    with pytest.raises(assay.InvalidInputError, match="sample 0 of prompt 0 is not running"):
        batcher([1], group_size=1, max_new_tokens=4, token_budget=10).finish(0, 0)
