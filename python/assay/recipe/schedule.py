"""How generation and training take turns.

One loop serves all schedules; they differ in how many batches of prompts may be under way beside the one in training, in
whether weights change while completions are being sampled, and in which finished groups are trained on next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from assay.recipe.schema import Asynchronous, OneStepOff, Synchronous

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Choose(Protocol):
    """Which groups the next step trains on, or ``None`` while the ones it needs are not finished."""

    def __call__(self, due: Mapping[int, int], finished: Sequence[int], count: int, step: int) -> list[int] | None:
        """Chooses ``count`` groups.

        Args:
            due: The last step at which each group that is under way or finished may be trained on.
            finished: Those that are scored, in the order in which they were.
            count: How many a step trains on.
            step: The step at hand.
        """
        ...


def oldest(due: Mapping[int, int], finished: Sequence[int], count: int, step: int) -> list[int] | None:
    """The ``count`` oldest groups: what is trained on does not depend on what finished first."""
    del step
    wanted = sorted(due)[:count]
    return wanted if set(wanted) <= set(finished) else None


def finished_first(due: Mapping[int, int], finished: Sequence[int], count: int, step: int) -> list[int] | None:
    """The ``count`` groups that finished first, except where a later one must come now so that none is ever too old.

    Of the groups that have to be trained on by step ``s``, all but ``(s - step) * count`` must be taken now: the steps up
    to ``s`` can take no more. With at most ``(bound + 1) * count`` groups begun and not taken, as many as that are always
    few enough to fit.
    """
    taken: list[int] = []
    for deadline in sorted(set(due.values())):
        within = [group for group in due if due[group] <= deadline]
        left = count * max(0, deadline - step)
        missing = len(within) - left - sum(due[group] <= deadline for group in taken)
        missing = min(missing, count - len(taken))
        if missing <= 0:
            continue
        ready = [group for group in finished if due[group] <= deadline and group not in taken]
        if len(ready) < missing:
            return None
        taken += ready[:missing]
    taken += [group for group in finished if group not in taken][: count - len(taken)]
    return taken if len(taken) == count else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How far generation may run ahead, and what may be trained on.

    Attributes:
        name: As the recipe calls it.
        ahead: Batches of prompts that may be under way, or finished and waiting, beside the one in training.
        in_flight: Weights change while completions are being sampled. Otherwise what is under way is finished first.
        max_staleness: Most updates of the weights between the oldest token of a completion and the step it is trained in.
        queue_groups: Most finished groups that wait while the learner is busy; 0 for no limit but ``ahead``.
        choose: Which groups a step trains on.
    """

    name: str
    ahead: int
    in_flight: bool
    max_staleness: int
    queue_groups: int
    choose: Choose


def synchronous() -> Schedule:
    """Generate, then train: every completion is sampled by the weights it is trained on."""
    return Schedule("synchronous", 0, in_flight=False, max_staleness=0, queue_groups=0, choose=oldest)


def one_step_off() -> Schedule:
    """The next batch is generated during a step; weights change between batches only. Staleness is 1."""
    return Schedule("one_step_off", 1, in_flight=False, max_staleness=1, queue_groups=0, choose=oldest)


def asynchronous(*, ahead: int, max_staleness: int, queue_groups: int) -> Schedule:
    """Generation never waits for the learner; weights change in the middle of completions."""
    return Schedule(
        "asynchronous",
        ahead,
        in_flight=True,
        max_staleness=max_staleness,
        queue_groups=queue_groups,
        choose=finished_first,
    )


def schedule_of(config: Synchronous | OneStepOff | Asynchronous) -> Schedule:
    """The schedule that a stage's ``pipeline`` asks for."""
    match config:
        case Synchronous():
            return synchronous()
        case OneStepOff():
            return one_step_off()
        case Asynchronous():
            return asynchronous(
                ahead=config.ahead, max_staleness=config.max_staleness, queue_groups=config.queue_groups
            )
