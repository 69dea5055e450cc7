"""A whole recipe."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from assay.data import DataConfig, StrictModel
from assay.recipe.schema.base import Count, Name
from assay.recipe.schema.evaluate import EvalStage
from assay.recipe.schema.grpo import GrpoStage
from assay.recipe.schema.model import ModelConfig
from assay.recipe.schema.runtime import RuntimeConfig
from assay.recipe.schema.scorer import ScorerConfig
from assay.recipe.schema.sft import SftStage

AnyStage = Annotated[SftStage | GrpoStage | EvalStage, Field(discriminator="kind")]


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
    data: DataConfig
    """Training and held-out problems."""
    scorer: ScorerConfig
    """The reward."""
    runtime: RuntimeConfig = RuntimeConfig()
    """The machine."""
    tensorboard: bool = False
    """Also write TensorBoard event files (extra ``track``)."""
    stage: Annotated[list[AnyStage], Field(min_length=1)]
    """The stages, in order; each starts from the weights of the one before."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Recipe:
        seen: set[str] = set()
        for stage in self.stage:
            # Folders and --set do not tell these apart on every system.
            key = re.sub(r"[-_]", "-", stage.name.lower())
            if key in seen:
                raise ValueError(f"two stages are called {stage.name!r}: give one of them another name")
            seen.add(key)
        return self
