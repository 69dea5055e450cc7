"""The stage `export`: a model folder for others."""

from __future__ import annotations

from typing import Literal

from assay.recipe.schema.base import Name
from assay.recipe.schema.stage import Stage


class ExportStage(Stage):
    """A Hugging Face folder with a model card that has the run's own numbers, and dataset cards beside datasets."""

    kind: Literal["export"]
    name: Name = "export"
    license: str = "other"
    """What the card says; the model's own licence is what counts."""
    base_model: str | None = None
    """The base model's name for the card; by default that of the recipe."""
