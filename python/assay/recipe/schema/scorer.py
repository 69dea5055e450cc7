"""The table `[scorer]`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from assay.data import StrictModel


class ScorerConfig(StrictModel):
    """The reward: a spec of its own file, or its components here; scored in this process or by a server."""

    spec: str | None = None
    """A reward spec in TOML; relative to the recipe. Instead of ``component``."""
    on_undecided: Literal["none", "zero"] = "none"
    """What an answer that can be neither confirmed nor refuted is worth: no number, or accuracy 0."""
    component: list[dict[str, str | int | float | bool | dict[str, float]]] = Field(default_factory=list)
    """The components, as in a reward spec: kind, weight, then the options of that kind."""
    remote: str | None = None
    """``host:port`` of a reward server; by default rewards are computed in this process."""

    @model_validator(mode="after")
    def _one_spec(self) -> ScorerConfig:
        if (self.spec is None) == (not self.component):
            raise ValueError("give either spec or at least one [[scorer.component]]")
        return self
