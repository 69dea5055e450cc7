"""The stage `preference`: a reward model."""

from __future__ import annotations

from typing import Literal

from assay.recipe.schema.base import Name, Positive
from assay.recipe.schema.stage import Training


class PreferenceStage(Training):
    """A reward model from pairs (Bradley and Terry 1952; the loss of InstructGPT, arXiv 2203.02155, equation 1).

    It starts from the weights that `start` names, with a new head of one number, and leaves the policy as it is.
    """

    kind: Literal["preference"]
    name: Name = "preference"
    batch_size: Positive
    """Pairs per step."""
    part: Literal["summary", "response"] = "response"
    """What of a response is judged: all of it (harmlessness), or what comes after its thoughts (helpfulness)."""
    chosen_field: str = "chosen"
    """The field with the better response."""
    rejected_field: str = "rejected"
    """The field with the worse one."""
