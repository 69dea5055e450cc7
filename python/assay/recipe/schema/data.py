"""Where the problems of a stage come from: any source of `assay.data`, what an earlier stage left, or several at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.data import DataConfig, Source
from assay.recipe.schema.base import Name


class StageOutputConfig(Source):
    """The dataset that an earlier stage left."""

    source: Literal["stage"] = "stage"
    stage: Name
    """The stage, which must come before this one."""


SingleData = Annotated[DataConfig | StageOutputConfig, Field(discriminator="source")]
"""Any source but a mixture."""


class MixtureConfig(Source):
    """Several sources one after the other; training shuffles them together. Templates of the parts are not used."""

    source: Literal["mixture"] = "mixture"
    parts: Annotated[list[SingleData], Field(min_length=1)]
    """The sources; `limit`, `held_out` and `seed` of each part hold for it alone."""


AnyData = Annotated[DataConfig | StageOutputConfig | MixtureConfig, Field(discriminator="source")]
"""What `data` may be."""
