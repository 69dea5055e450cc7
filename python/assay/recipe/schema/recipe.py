"""A whole recipe."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.data import StrictModel
from assay.recipe.schema.base import Count, Name
from assay.recipe.schema.cluster import ClusterConfig
from assay.recipe.schema.collect import CollectStage
from assay.recipe.schema.data import AnyData
from assay.recipe.schema.distill import DistillStage
from assay.recipe.schema.evaluate import EvalStage
from assay.recipe.schema.export import ExportStage
from assay.recipe.schema.generator import GeneratorConfig, LocalGeneration
from assay.recipe.schema.grpo import GrpoStage
from assay.recipe.schema.model import ModelConfig
from assay.recipe.schema.preference import PreferenceStage
from assay.recipe.schema.references import RESERVED, check_references
from assay.recipe.schema.runtime import RuntimeConfig
from assay.recipe.schema.scorer import ScorerConfig
from assay.recipe.schema.sft import SftStage
from assay.recipe.schema.tags import check_tags

AnyStage = Annotated[
    SftStage | GrpoStage | CollectStage | PreferenceStage | DistillStage | EvalStage | ExportStage,
    Field(discriminator="kind"),
]


class Recipe(StrictModel):
    """A run."""

    name: Name
    """Of the run; its folder is ``runs/NAME`` unless told otherwise."""
    description: str = ""
    """What the run shows, for the report."""
    seed: Count = 0
    """Everything random follows from it: weights, order of data, sampling."""
    model: ModelConfig
    """What is trained."""
    data: AnyData
    """Training and held-out problems."""
    scorer: ScorerConfig
    """The reward."""
    generator: GeneratorConfig = LocalGeneration()
    """Where completions come from."""
    cluster: ClusterConfig = ClusterConfig()
    """How many processes of each kind there are with ``assay train --on``."""
    runtime: RuntimeConfig = RuntimeConfig()
    """The machine."""
    track: list[Literal["tensorboard", "wandb", "trackio"]] = Field(default=[])
    """Where metrics go beside ``metrics.jsonl`` (extra ``track``)."""
    stage: Annotated[list[AnyStage], Field(min_length=1)]
    """The stages, in order; each starts from the weights of the one before unless its ``start`` says otherwise."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Recipe:
        seen: set[str] = set()
        for stage in self.stage:
            # Folders and --set do not tell these apart on every system.
            key = re.sub(r"[-_]", "-", stage.name.lower())
            if key in seen:
                raise ValueError(f"two stages are called {stage.name!r}: give one of them another name")
            if key in RESERVED:
                raise ValueError(f"a stage cannot be called {stage.name!r}: start uses the word")
            seen.add(key)
        return self

    @model_validator(mode="after")
    def _turns(self) -> Recipe:
        for stage in self.stage:
            last = max(stage.turns(self.scorer), default=1) if isinstance(stage, GrpoStage) else 1
            if isinstance(stage, GrpoStage) and last > stage.steps:
                raise ValueError(
                    f"stage {stage.name!r}: something is to change at step {last}, but it has {stage.steps} steps"
                )
        return self

    @model_validator(mode="after")
    def _references(self) -> Recipe:
        check_references(self.data, self.scorer, self.stage)
        check_tags(self.data, self.scorer, self.stage)
        return self
