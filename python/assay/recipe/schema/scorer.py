"""The table `[scorer]`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from assay.data import StrictModel
from assay.recipe.schema.base import Name, Positive

Rows = Annotated[list[str], Field(min_length=1)]
"""Values of `rows_field`: the rows that a component is for."""


class PreferenceReward(StrictModel):
    """A reward model as a component of the reward, in this process."""

    name: Name
    """Of the component."""
    stage: Name | None = None
    """The stage `preference` that trained it."""
    path: str | None = None
    """A folder that such a stage left, instead of `stage`; relative to the recipe."""
    weight: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """What its value is multiplied by in the sum."""
    squash: Literal["none", "standard", "sigmoid"] = "standard"
    """`none`: the model's own number. `standard`: its distance from the mean over the pairs it was tested on, in standard
    deviations. `sigmoid`: that, between 0 and 1."""
    rows: Rows | None = None
    """The rows it is for; all by default."""
    from_step: Positive = 1
    """The first step of a `grpo` stage, counted from 1, whose reward it is part of; evaluations always have it."""

    @model_validator(mode="after")
    def _one_place(self) -> PreferenceReward:
        if (self.stage is None) == (self.path is None):
            raise ValueError("give either stage or path")
        return self


class ScorerConfig(StrictModel):
    """The reward: a spec of its own file, or its components here; scored in this process or by a server."""

    spec: str | None = None
    """A reward spec in TOML; relative to the recipe. Instead of ``component``."""
    on_undecided: Literal["none", "zero"] = "none"
    """What an answer that can be neither confirmed nor refuted is worth: no number, or accuracy 0."""
    component: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    """The components, as in a reward spec: kind, weight, then the options of that kind; and `rows`, the rows that the
    component is for (all by default), and `from_step`, the first step of a `grpo` stage that it is part of (1 by default)."""
    preference: list[PreferenceReward] = Field(default_factory=list[PreferenceReward])
    """Reward models beside the components."""
    rows_field: str = "kind"
    """The field of a row that `rows` looks at."""
    remote: str | None = None
    """``host:port`` of a reward server; by default rewards are computed in this process."""

    @model_validator(mode="after")
    def _one_spec(self) -> ScorerConfig:
        if self.spec is not None and self.component:
            raise ValueError("give either spec or [[scorer.component]]")
        if self.spec is None and not self.component and not self.preference:
            raise ValueError("give either spec or at least one [[scorer.component]] or [[scorer.preference]]")
        for component in self.component:
            rows = component.get("rows", [""])
            if not isinstance(rows, list) or not rows or not all(isinstance(row, str) for row in rows):
                raise ValueError("rows is a list of texts, the values of rows_field that the component is for")
            first = component.get("from_step", 1)
            if isinstance(first, bool) or not isinstance(first, int) or first < 1:
                raise ValueError("from_step is the first step that the component is part of, a whole number from 1")
        return self

    def begins(self) -> list[int]:
        """The ``from_step`` of every component."""
        return [
            *(component.get("from_step", 1) for component in self.component),
            *(p.from_step for p in self.preference),
        ]
