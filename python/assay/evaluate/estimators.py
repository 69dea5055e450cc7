"""What a few samples a problem say about a model: accuracy, pass@k and cons@k, with their uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Estimate(NamedTuple):
    """A mean over problems.

    Attributes:
        value: the mean, in [0, 1]; `nan` if no problem could be used.
        error: its standard error over problems; `nan` with fewer than two.
        problems: how many problems it rests on.
    """

    value: float
    error: float
    problems: int


def mean_over_problems(values: Sequence[float]) -> Estimate:
    """The mean of one value a problem, with its standard error.

    Samples of one problem are not independent, so the problem is the unit: `error` is the sample standard deviation of
    the problems' values over the square root of their number.
    """
    count = len(values)
    if not count:
        return Estimate(math.nan, math.nan, 0)
    mean = math.fsum(values) / count
    if count < 2:
        return Estimate(mean, math.nan, count)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Estimate(mean, math.sqrt(variance / count), count)


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The unbiased estimate of "at least one of k samples is right" from n samples of which `correct` are right.

    1 - C(n - c, k) / C(n, k): Chen et al. 2021, arXiv:2107.03374, equation 1, in its product form.

    Raises:
        InvalidInputError: not `1 <= k <= n` or not `0 <= correct <= n`.
    """
    if not 1 <= k <= n:
        raise InvalidInputError(f"pass@{k} needs at least {k} samples of each problem and k >= 1; there are {n}")
    if not 0 <= correct <= n:
        raise InvalidInputError(f"{correct} right samples of {n}")
    if n - correct < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - correct + 1, n + 1))


def clusters(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> dict[str, str]:
    """Which answers are one answer: every distinct text with the first text of its cluster.

    Two texts that `same` calls equal, in either order, belong together, and so do texts linked through others: what
    `same` says need not be transitive (`0.333` and `1/3`, `1/3` and `0.3333`), the clusters are, and they do not depend
    on the order in which pairs are compared. A text that `same` cannot settle against any other is a cluster of its own.

    Args:
        answers: the answers of one problem, in sampling order; `None` is no answer and has no cluster.
        same: whether two answers are surely the same; called on distinct texts only.
    """
    texts = list(dict.fromkeys(answer for answer in answers if answer is not None))
    parent = list(range(len(texts)))

    def root(position: int) -> int:
        while parent[position] != position:
            position = parent[position]
        return position

    for later, text in enumerate(texts):
        for earlier in range(later):
            first, second = root(earlier), root(later)
            if first != second and (same(texts[earlier], text) or same(text, texts[earlier])):
                # The earlier root stays, so that a cluster is named by its first text.
                parent[max(first, second)] = min(first, second)
    return {text: texts[root(position)] for position, text in enumerate(texts)}


def consensus(answers: Sequence[str | None], homes: dict[str, str]) -> str | None:
    """The cluster most samples voted for.

    A sample without an answer has no vote. Of clusters with the same number of votes the one that got its first vote
    first wins, so that the result depends on nothing but the samples.

    Args:
        answers: the answers of one problem, in sampling order.
        homes: their clusters, from `clusters`.

    Returns:
        The first text of the winning cluster, or `None` if no sample has an answer.
    """
    votes: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            votes[homes[answer]] = votes.get(homes[answer], 0) + 1
    return max(votes, key=lambda home: votes[home]) if votes else None


def consensus_at_k(
    answers: Sequence[str | None], k: int, *, homes: dict[str, str], right: dict[str, bool]
) -> float | None:
    """How often the majority of k samples is right: the mean over disjoint blocks of k in sampling order.

    Args:
        answers: the answers of one problem, in sampling order.
        k: samples that vote.
        homes: the clusters of the answers, from `clusters`.
        right: whether a cluster is right, by its first text; a cluster that could not be judged is not in it.

    Returns:
        The share of blocks whose winner is right; a block without any answer is wrong. `None` if the winner of every
        block could not be judged; such blocks are left out, as neither right nor wrong.

    Raises:
        InvalidInputError: fewer than k samples.
    """
    if not 1 <= k <= len(answers):
        raise InvalidInputError(f"cons@{k} needs at least {k} samples of each problem; there are {len(answers)}")
    verdicts: list[bool] = []
    for start in range(0, len(answers) - k + 1, k):
        winner = consensus(answers[start : start + k], homes)
        if winner is None:
            verdicts.append(False)
        elif winner in right:
            verdicts.append(right[winner])
    return sum(verdicts) / len(verdicts) if verdicts else None
