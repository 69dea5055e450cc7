"""The estimators against brute force over all subsets."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.errors import InvalidInputError
from assay.evaluate import consensus, consensus_at_k, mean_over_problems, pass_at_k


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample(n: int) -> None:
    for right in range(n + 1):
        samples = [1] * right + [0] * (n - right)
        for k in range(1, n + 1):
            subsets = list(itertools.combinations(samples, k))
            assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_stays_a_probability(case: tuple[int, int, int]) -> None:
    n, right, k = case
    value = pass_at_k(n, right, k)
    assert 0.0 <= value <= 1.0
    assert value == pytest.approx(1 - math.comb(n - right, k) / math.comb(n, k), abs=1e-12)


@pytest.mark.parametrize("case", [(4, 2, 5), (4, 2, 0), (4, 5, 1), (4, -1, 1), (0, 0, 1)])
def test_pass_at_k_refuses_what_it_cannot_estimate(case: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInputError):
        pass_at_k(*case)


def test_mean_and_standard_error() -> None:
    estimate = mean_over_problems([0.0, 1.0, 1.0, 0.0])
    assert estimate == (0.5, pytest.approx(math.sqrt((4 * 0.25 / 3) / 4)), 4)
    assert math.isnan(mean_over_problems([1.0]).error)
    assert mean_over_problems([]).problems == 0
    assert math.isnan(mean_over_problems([]).value)


def same(first: str, second: str) -> bool:
    return bool(assay.verify(first, second))


@pytest.mark.parametrize(
    ("answers", "winner"),
    [
        (["1/2", "3", "0.5", "3", r"\frac{2}{4}"], "1/2"),
        (["3", "1/2", "0.5", "3.0"], "3"),  # a tie goes to the cluster that came first
        ([None, None, "7"], "7"),
        ([None], None),
        ([], None),
        (["cat", "dog", "dog"], "dog"),
    ],
)
def test_consensus_clusters_by_value(answers: list[str | None], winner: str | None) -> None:
    assert consensus(answers, same) == winner


def test_consensus_at_k_uses_disjoint_blocks() -> None:
    answers = ["1", "2", "2", "1", "1", "2", "9"]
    right = {"1": True, "2": False, "9": True}
    # Blocks (1, 2, 2) and (1, 1, 2); the seventh sample belongs to none.
    assert consensus_at_k(answers, 3, same=same, is_right=right.__getitem__) == 0.5
    with pytest.raises(InvalidInputError, match="cons@8 needs at least 8"):
        consensus_at_k(answers, 8, same=same, is_right=right.__getitem__)
