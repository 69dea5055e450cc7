"""For trainers that know no missing reward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.errors import AssayError, InvalidInputError, LimitError, UnavailableError
from assay.scores import Status
from assay.spec import RewardSpec, SpecLike

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.scores import Scores

_ERRORS: Mapping[Status, type[AssayError]] = {
    Status.LIMIT: LimitError,
    Status.INVALID_REFERENCE: InvalidInputError,
    Status.UNAVAILABLE: UnavailableError,
}


def undecided_as_zero(spec: SpecLike) -> RewardSpec:
    """A spec whose undecided answers are worth accuracy 0, for a trainer that must have a number."""
    return RewardSpec(RewardSpec.of(spec).components, on_undecided="zero")


def require_scored(scores: Scores) -> None:
    """Raises for the first item without a number: what is broken must not look like a bad answer.

    Raises:
        InvalidInputError: a reference cannot be read.
        LimitError: a completion is too long.
        UnavailableError: a machine did not answer.
    """
    for index, status in enumerate(scores.status):
        if status is not Status.SCORED:
            raise _ERRORS.get(status, AssayError)(f"item {index}: {status}: {scores.reasons[index]}")
