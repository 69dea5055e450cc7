"""The stage `sft`."""

from __future__ import annotations

from typing import Literal

from assay.recipe.schema.base import Name, Positive
from assay.recipe.schema.stage import Training


class SftOptions(Training):
    """What every stage has that learns from demonstrations."""

    batch_size: Positive
    """Demonstrations per step."""
    completion_field: str = "completion"
    """The field of a row that holds the demonstration."""


class SftStage(SftOptions):
    """Supervised fine-tuning on demonstrations; the loss is on completions alone."""

    kind: Literal["sft"]
    name: Name = "sft"
