"""How generation and training of a `grpo` stage take turns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.data import StrictModel
from assay.recipe.schema.base import Count, Positive


class Synchronous(StrictModel):
    """Generate, then train: every completion is sampled by the weights it is trained on."""

    kind: Literal["synchronous"] = "synchronous"


class OneStepOff(StrictModel):
    """The next batch is generated during a step; weights change between batches only."""

    kind: Literal["one_step_off"]


class Asynchronous(StrictModel):
    """Generation never waits for the learner; weights change in the middle of completions."""

    kind: Literal["asynchronous"]
    ahead: Positive = 1
    """Batches of prompts that may be under way or waiting beside the one in training."""
    max_staleness: Positive = 2
    """Most steps between the weights of a completion's oldest token and those it is trained on; at least ``ahead``."""
    queue_groups: Count = 0
    """Most finished groups that wait while the learner is busy; then no further group is begun. 0 is no limit."""

    @model_validator(mode="after")
    def _bound_can_be_kept(self) -> Asynchronous:
        if self.max_staleness < self.ahead:
            raise ValueError(
                f"max_staleness must be at least ahead, which is {self.ahead}: so many batches are waiting"
            )
        return self


PipelineConfig = Annotated[Synchronous | OneStepOff | Asynchronous, Field(discriminator="kind")]
