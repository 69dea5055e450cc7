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


def consensus(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> str | None:
    """The answer most samples agree on.

    Answers that `same` calls equal count as one, so `1/2` and `0.5` vote together. A sample without an answer has no
    vote. Of clusters of one size the one that came first wins, so that the result depends on nothing else.

    Args:
        answers: the answers of one problem, in sampling order.
        same: whether two answers are the same; called on distinct texts only.

    Returns:
        The first answer of the largest cluster, or `None` if no sample has an answer.
    """
    votes: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            votes[answer] = votes.get(answer, 0) + 1
    clusters: dict[str, int] = {}
    for text, count in votes.items():
        home = next((first for first in clusters if same(first, text)), text)
        clusters[home] = clusters.get(home, 0) + count
    return max(clusters, key=lambda text: clusters[text]) if clusters else None


def consensus_at_k(
    answers: Sequence[str | None],
    k: int,
    *,
    same: Callable[[str, str], bool],
    is_right: Callable[[str], bool],
) -> float:
    """How often the majority of k samples is right: the mean over disjoint blocks of k in sampling order.

    Raises:
        InvalidInputError: fewer than k samples.
    """
    if not 1 <= k <= len(answers):
        raise InvalidInputError(f"cons@{k} needs at least {k} samples of each problem; there are {len(answers)}")
    blocks = [answers[start : start + k] for start in range(0, len(answers) - k + 1, k)]
    winners = [consensus(block, same) for block in blocks]
    return sum(winner is not None and is_right(winner) for winner in winners) / len(blocks)
