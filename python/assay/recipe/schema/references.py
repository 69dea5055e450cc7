"""Stages that name other stages: whether those are there, come before, and leave what is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypeGuard

from assay.data.strict import suggestion
from assay.recipe.schema.collect import CollectStage
from assay.recipe.schema.data import AnyData, MixtureConfig, StageOutputConfig
from assay.recipe.schema.evaluate import EvalStage
from assay.recipe.schema.grpo import GrpoStage
from assay.recipe.schema.preference import PreferenceStage
from assay.recipe.schema.stage import Stage, Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assay.recipe.schema.scorer import ScorerConfig

# Words that the `start` of a stage has a meaning for.
RESERVED = ("previous", "base")

Wanted: TypeAlias = Literal["trains the model", "leaves a dataset", "trains a reward model"]


class Reference(NamedTuple):
    """A stage named by another one, and what it must be good for."""

    key: str
    name: str
    wanted: Wanted

    def check(self, stage: str, earlier: Mapping[str, Stage]) -> None:
        """Raises ``ValueError`` unless the named stage comes before ``stage`` and is of the right kind."""
        if self.name not in earlier:
            raise ValueError(
                f"stage {stage!r}: {self.key} names {self.name!r}, which is no earlier stage"
                f"{suggestion(self.name, list(earlier))}"
            )
        if self.wanted not in _good_for(earlier[self.name]):
            raise ValueError(
                f"stage {stage!r}: {self.key} names {self.name!r}, which is not a stage that {self.wanted}"
            )


def check_references(data: AnyData, scorer: ScorerConfig, stages: Sequence[Stage]) -> None:
    """Raises ``ValueError`` for the first name of a stage that does not lead to one.

    Args:
        data: The recipe's own.
        scorer: The recipe's own.
        stages: In order.
    """
    if data_references(data):
        raise ValueError("data: what a stage left can be the data of a later stage only, not of the whole recipe")
    earlier: dict[str, Stage] = {}
    for stage in stages:
        for reference in references(stage, scorer):
            reference.check(stage.name, earlier)
        earlier[stage.name] = stage


def references(stage: Stage, shared: ScorerConfig) -> list[Reference]:
    """Every stage that ``stage`` names; ``shared`` is the recipe's reward, used where the stage has none of its own."""
    found = data_references(stage.data)
    scorer = stage.scorer or (shared if isinstance(stage, GrpoStage | EvalStage | CollectStage) else None)
    if scorer is not None:
        found += [
            Reference("scorer.preference.stage", preference.stage, "trains a reward model")
            for preference in scorer.preference
            if preference.stage is not None
        ]
    if isinstance(stage, Training) and stage.start not in RESERVED:
        found.append(Reference("start", stage.start, "trains the model"))
    return found


def data_references(data: AnyData | None) -> list[Reference]:
    """The stages whose datasets are read."""
    parts = data.parts if isinstance(data, MixtureConfig) else [data]
    return [Reference("data.stage", p.stage, "leaves a dataset") for p in parts if isinstance(p, StageOutputConfig)]


def trains_policy(stage: Stage) -> TypeGuard[Training]:
    """Whether a stage changes the weights of the model in training."""
    return isinstance(stage, Training) and not isinstance(stage, PreferenceStage)


def _good_for(stage: Stage) -> set[Wanted]:
    if isinstance(stage, CollectStage):
        return {"leaves a dataset"}
    if isinstance(stage, PreferenceStage):
        return {"trains a reward model"}
    return {"trains the model"} if isinstance(stage, Training) else set()
