"""What changes in the course of a `grpo` stage: how long completions may be, and which rows are drawn.

Steps are counted from 1, as in ``metrics.jsonl``. What is begun early, for a later step, is begun as that step wants it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from assay.errors import InvalidInputError
from assay.recipe.order import derive_seed, order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data import Task
    from assay.recipe.schema import GrpoStage, ScorerConfig
    from assay.rollout import SamplingParams


class Phases:
    """The problems and the sampling of every step of a stage.

    Args:
        stage: Its table.
        scorer: Its reward, which says what field tells rows apart.
        tasks: All its problems.
        sampling: As the stage begins.
        seed: Of the order of the problems.

    Raises:
        InvalidInputError: ``rows_from`` names rows that are not there, or leaves none for the first step.
    """

    def __init__(
        self, stage: GrpoStage, scorer: ScorerConfig, tasks: Sequence[Task], sampling: SamplingParams, seed: int
    ) -> None:
        self._stage, self._sampling, self._seed = stage, sampling, seed
        if not stage.rows_from:
            self._tasks = [(1, list(tasks))]
            return
        field = scorer.rows_field
        known = {str(task.metadata.get(field, "")) for task in tasks}
        if missing := sorted(set(stage.rows_from) - known):
            raise InvalidInputError(
                f"stage {stage.name!r}: rows_from names {missing[0]!r}, but the field {field!r} of its rows is "
                f"{', '.join(map(repr, sorted(known)))}"
            )
        begins = [stage.rows_from.get(str(task.metadata.get(field, "")), 1) for task in tasks]
        self._tasks = [
            (step, [task for task, begin in zip(tasks, begins, strict=True) if begin <= step])
            for step in sorted({1, *begins})
        ]
        if not self._tasks[0][1]:
            raise InvalidInputError(f"stage {stage.name!r}: rows_from leaves no row for step 1")

    def sampling(self, step: int) -> SamplingParams:
        """How the completions for a step are drawn."""
        return replace(self._sampling, max_new_tokens=self._stage.max_new_tokens_at(step))

    def tasks(self, step: int, start: int, count: int) -> list[Task]:
        """The problems at positions ``start .. start + count``, of those that are drawn at a step.

        Each set of problems is shuffled by itself, and positions go on when it changes.
        """
        number, chosen = [(i, own) for i, (begin, own) in enumerate(self._tasks) if begin <= step][-1]
        seed = self._seed if number == 0 else derive_seed(self._seed, "rows", number)
        return [chosen[i] for i in order(len(chosen), seed, start, count)]
