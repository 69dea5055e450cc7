"""The stage `sft`."""

from __future__ import annotations

from typing import Literal

from assay.recipe.schema.base import Name, Positive
from assay.recipe.schema.stage import Training


class SftStage(Training):
    """Supervised fine-tuning on demonstrations."""

    kind: Literal["sft"]
    name: Name = "sft"
    batch_size: Positive
    """Demonstrations per step."""
    completion_field: str = "completion"
    """The field of a row that holds the demonstration."""
