"""The estimators against brute force over all subsets."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.errors import InvalidInputError
from assay.evaluate import clusters, consensus, consensus_at_k, mean_over_problems, pass_at_k


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
    assert consensus(answers, clusters(answers, same)) == winner


def near(first: str, second: str) -> bool:
    """Not transitive, and not symmetric: a number is the same as one that is larger by 1."""
    return int(second) - int(first) == 1


@given(st.permutations(["1", "2", "3", "7", "8", "20"]))
def test_clusters_are_the_transitive_closure_whatever_the_order(texts: list[str]) -> None:
    homes = clusters(texts, near)
    found = {frozenset(text for text in texts if homes[text] == home) for home in homes.values()}
    assert found == {frozenset("123"), frozenset("78"), frozenset({"20"})}
    # Every cluster is named by its first text.
    assert all(home == next(text for text in texts if homes[text] == home) for home in set(homes.values()))


@given(st.lists(st.sampled_from(["1/2", "0.5", "50\\%", "2", "x+1", "1+x", "y", None]), max_size=8))
def test_clusters_group_equal_answers_of_the_verifier(answers: list[str | None]) -> None:
    homes = clusters(answers, same)
    assert set(homes) == {answer for answer in answers if answer is not None}
    for first, second in itertools.combinations(homes, 2):
        if same(first, second):
            assert homes[first] == homes[second]


def test_an_answer_that_cannot_be_settled_is_its_own_class() -> None:
    def undecided(_first: str, _second: str) -> bool:
        return False

    assert clusters(["a", "b", "a", None], undecided) == {"a": "a", "b": "b"}


def test_consensus_at_k_uses_disjoint_blocks() -> None:
    answers = ["1", "2", "2", "1", "1", "2", "9"]
    right = {"1": True, "2": False, "9": True}
    homes = clusters(answers, same)
    # Blocks (1, 2, 2) and (1, 1, 2); the seventh sample belongs to none.
    assert consensus_at_k(answers, 3, homes=homes, right=right) == 0.5
    # A winner that could not be judged is neither right nor wrong: its block is left out.
    assert consensus_at_k(answers, 3, homes=homes, right={"1": True}) == 1.0
    assert consensus_at_k(answers, 3, homes=homes, right={}) is None
    assert consensus_at_k([None, None], 2, homes={}, right={}) == 0.0
    with pytest.raises(InvalidInputError, match="cons@8 needs at least 8"):
        consensus_at_k(answers, 8, homes=homes, right=right)
