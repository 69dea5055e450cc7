"""Problems made by `reasoning-gym`: endless, with references, no download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.data.columnar import library
from assay.data.split import Splits, normalised, without_overlap
from assay.data.strict import suggestion
from assay.data.task import Task
from assay.errors import InvalidInputError, InvalidSpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assay.data.config import ReasoningGymConfig

# Tasks whose own scorer does no more than compare with the reference by value, so that assay's comparison decides the
# same. Every other task with a scorer of its own may accept several answers, or give part marks.
COMPARED_BY_VALUE = frozenset({"chain_sum", "decimal_chain_sum", "gsm_symbolic", "products"})

# A generator that yields fewer than one new problem in so many is out of problems.
MAX_TRIES_PER_TASK = 20


def load_gym(config: ReasoningGymConfig) -> Splits:
    """Training and held-out problems of one generator.

    Problem `i` depends on `seed + i` alone in most generators, so two nearby seeds give nearly the same problems. The
    held-out set is therefore not another seed: it continues the training set's own sequence, without prompts seen before.

    Raises:
        InvalidSpecError: unknown task or option, or a task that needs `reference_only`.
        InvalidInputError: the generator has too few distinct problems for the held-out set.
        UnavailableError: `reasoning-gym` is not installed.
    """
    size = config.size if config.limit is None else min(config.size, config.limit)
    train = list(_tasks(_generator(config, config.size), config.task, range(size)))
    if not config.held_out:
        return Splits(train, [], 0)
    last = config.size + config.held_out * MAX_TRIES_PER_TASK
    seen = {normalised(task.prompt) for task in train}
    fresh: list[Task] = []
    tried = 0
    for task in _tasks(_generator(config, last), config.task, range(config.size, last)):
        tried += 1
        if normalised(task.prompt) not in seen:
            seen.add(normalised(task.prompt))
            fresh.append(task)
        if len(fresh) == config.held_out:
            return Splits(train, without_overlap(train, fresh)[0], tried - len(fresh))
    raise InvalidInputError(
        f"{config.task}: only {len(fresh)} of {config.held_out} held-out problems are new after {tried} tries; "
        "lower held_out or size, or widen the task with options"
    )


def _generator(config: ReasoningGymConfig, size: int) -> Any:
    gym = library("reasoning_gym", "'assay[tasks]'")
    factory = library("reasoning_gym.factory", "'assay[tasks]'")
    base = library("reasoning_gym.dataset", "'assay[tasks]'").ProceduralDataset
    if config.task not in factory.DATASETS:
        raise InvalidSpecError(
            f"data.task: reasoning-gym has no task {config.task!r}{suggestion(config.task, list(factory.DATASETS))}"
        )
    own_scorer = factory.DATASETS[config.task][0].score_answer is not base.score_answer
    if own_scorer and config.task not in COMPARED_BY_VALUE and not config.reference_only:
        raise InvalidSpecError(
            f"data.task: {config.task} has a scorer of its own that may accept answers other than its reference; "
            "set reference_only = true to reward the reference alone"
        )
    try:
        return gym.create_dataset(config.task, size=size, seed=config.seed, **config.options)
    except (TypeError, ValueError, AssertionError) as error:
        known = [name for name in factory.DATASETS[config.task][1].__dataclass_fields__ if name not in {"size", "seed"}]
        raise InvalidSpecError(
            f"data.options: {config.task} refuses them ({error}); its options: {', '.join(known)}"
        ) from None


def _tasks(generator: Any, name: str, positions: range) -> Iterator[Task]:
    for position in positions:
        row = generator[position]
        identity = f"{name}:{generator.seed}:{position}"
        yield Task(str(row["question"]), str(row["answer"]), identity, f"reasoning_gym:{name}", dict(row["metadata"]))
