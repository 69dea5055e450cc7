"""The stage `distill`: a student learns from a curated dataset."""

from __future__ import annotations

from typing import Literal

from assay.recipe.schema.base import Name
from assay.recipe.schema.model import ModelConfig
from assay.recipe.schema.sft import SftOptions


class DistillStage(SftOptions):
    """Supervised fine-tuning of a student (DeepSeek-R1, arXiv 2501.12948, 2.4); stages after it go on with the student."""

    kind: Literal["distill"]
    name: Name = "distill"
    student: ModelConfig | None = None
    """The student; by default the recipe's own model, for a dataset from elsewhere."""
