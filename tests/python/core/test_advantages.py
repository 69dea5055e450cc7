"""Group advantages against their definitions, written out in plain Python."""

import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay

KINDS = ["grpo", "dr_grpo", "rloo", "reinforce_pp", "gdpo"]
# Sixteenths, so that equal rewards are equal and sums are exact.
REWARD = st.integers(-64, 64).map(lambda value: value / 16) | st.just(math.nan)
IDS = st.sampled_from([-(2**63), -1, 0, 5, 2**63 - 1])
BATCH = st.lists(st.tuples(REWARD, IDS), max_size=24)
EPSILON = 1e-6


def normalised(values: Sequence[float], *, by_std: bool = True) -> list[float]:
    """`(value - mean) / (std + epsilon)`; NaN for NaN; 0 without spread."""
    known = [value for value in values if not math.isnan(value)]
    if len(known) < 2 or len(set(known)) == 1:
        return [math.nan if math.isnan(value) else 0.0 for value in values]
    mean = statistics.fmean(known)
    scale = statistics.stdev(known) + EPSILON if by_std else 1.0
    return [(value - mean) / scale for value in values]


def by_group(rewards: Sequence[float], ids: Sequence[int], *, by_std: bool = True) -> list[float]:
    result = [math.nan] * len(rewards)
    for group in set(ids):
        members = [index for index, other in enumerate(ids) if other == group]
        for index, value in zip(members, normalised([rewards[i] for i in members], by_std=by_std), strict=True):
            result[index] = value
    return result


def leave_one_out(rewards: Sequence[float], ids: Sequence[int]) -> list[float]:
    result = []
    for index, reward in enumerate(rewards):
        others = [
            other
            for place, other in enumerate(rewards)
            if place != index and ids[place] == ids[index] and not math.isnan(other)
        ]
        result.append(reward - statistics.fmean(others) if others and not math.isnan(reward) else 0.0)
    return result


def gdpo(columns: Sequence[Sequence[float]], weights: Sequence[float], ids: Sequence[int]) -> list[float]:
    missing = [any(math.isnan(value) for value in row) for row in zip(*columns, strict=True)]
    total = [math.nan if gone else 0.0 for gone in missing]
    for weight, column in zip(weights, columns, strict=True):
        present = [math.nan if gone else value for gone, value in zip(missing, column, strict=True)]
        total = [sum_ + weight * value for sum_, value in zip(total, by_group(present, ids), strict=True)]
    return normalised(total)


def expected(kind: str, rewards: list[float], ids: list[int]) -> list[float]:
    match kind:
        case "grpo":
            result = by_group(rewards, ids)
        case "dr_grpo":
            result = by_group(rewards, ids, by_std=False)
        case "rloo":
            result = leave_one_out(rewards, ids)
        case "reinforce_pp":
            result = normalised(rewards)
        case _:
            result = gdpo([rewards], [1.0], ids)
    return [0.0 if math.isnan(value) else value for value in result]


@pytest.mark.parametrize("kind", KINDS)
@given(batch=BATCH)
def test_definitions(kind: str, batch: list[tuple[float, int]]) -> None:
    rewards, ids = [reward for reward, _ in batch], [group for _, group in batch]
    got = assay.group_advantages(rewards, ids, kind=kind)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected(kind, rewards, ids), rtol=1e-5, atol=1e-5)


@given(
    batch=st.lists(st.tuples(REWARD, REWARD, IDS), max_size=24), weights=st.tuples(st.just(1.0), st.floats(0.25, 4.0))
)
def test_gdpo_of_two_components(batch: list[tuple[float, float, int]], weights: tuple[float, float]) -> None:
    first, second, ids = ([row[column] for row in batch] for column in range(3))
    rewards = {"first": np.array(first, dtype=float), "second": np.array(second, dtype=float)}
    got = assay.group_advantages(rewards, ids, kind="gdpo", weights=weights)
    wanted = [0.0 if math.isnan(value) else value for value in gdpo([first, second], weights, ids)]
    # Whitening divides by the spread of sums that may nearly cancel.
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@given(batch=BATCH, seed=st.integers(0, 99))
def test_order_does_not_matter(kind: str, batch: list[tuple[float, int]], seed: int) -> None:
    rewards = np.array([reward for reward, _ in batch], dtype=float)
    ids = np.array([group for _, group in batch], dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(batch))
    straight = assay.group_advantages(rewards, ids, kind=kind)
    np.testing.assert_allclose(
        assay.group_advantages(rewards[order], ids[order], kind=kind), straight[order], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("epsilon", [0.0, 1e-6])
def test_no_signal_is_exactly_zero(kind: str, epsilon: float) -> None:
    for rewards in ([0.1] * 7, [0.3, 0.1 + 0.2], [5.0], [math.nan, math.nan], [1.0, math.nan], [1e-200, 0.0]):
        got = assay.group_advantages(rewards, [4] * len(rewards), kind=kind, epsilon=epsilon)
        assert got.tolist() == [0.0] * len(rewards)


def test_what_is_accepted() -> None:
    wanted = assay.group_advantages(np.array([1.0, 0.0]), np.array([1, 1]))
    for rewards in ([1, 0], (True, False), np.array([1, 0], dtype=np.float32), [1.0, 0.0, None][:2]):
        assert assay.group_advantages(rewards, [1, 1]).tolist() == wanted.tolist()
    strided = np.array([1.0, 9.0, 0.0, 9.0])[::2]
    assert assay.group_advantages(strided, np.array([1, 0, 1, 0], dtype=np.int32)[::2]).tolist() == wanted.tolist()
    matrix = np.array([[1.0, 0.0], [0.0, 0.5]])
    named = assay.group_advantages(
        {"a": matrix[:, 0], "b": matrix[:, 1]}, [1, 1], kind="gdpo", weights={"b": 1, "a": 2}
    )
    assert assay.group_advantages(matrix, [1, 1], kind="gdpo", weights=[2, 1]).tolist() == named.tolist()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1.0], [1, 2]), {}, "rewards has 1 entries but group_ids has 2"),
        (([[1.0]], [1]), {}, "rewards has 2 dimensions, expected 1"),
        ((["a"], [1]), {}, "rewards is not an array of numbers"),
        (([math.inf], [1]), {}, r"rewards\[0\] is inf"),
        (([1.0], [1.5]), {}, "group_ids must hold integers"),
        (([1.0], [2**63]), {}, "group_ids must hold integers that fit int64"),
        (([1.0], [1]), {"kind": "gpro"}, "did you mean `grpo`"),
        (([1.0], [1]), {"epsilon": -1.0}, "epsilon is -1"),
        (({"a": [1.0], "b": [1.0]}, [1]), {}, 'use kind "gdpo"'),
        (({"a": [1.0]}, [1]), {"kind": "gdpo", "weights": {"b": 1.0}}, "weights name"),
        (({"a": [1.0]}, [1]), {"kind": "gdpo", "weights": [1.0, 2.0]}, "weights has 2 entries for 1"),
        (({"a": [1.0]}, [1]), {"kind": "gdpo", "weights": [math.nan]}, r"weights\[0\] is NaN"),
        (({}, [1]), {"kind": "gdpo"}, "at least one component"),
    ],
)
def test_bad_input_names_the_argument(arguments: tuple[object, ...], options: dict[str, object], message: str) -> None:
    with pytest.raises(assay.InvalidInputError, match=message):
        assay.group_advantages(*arguments, **options)  # type: ignore[arg-type]
