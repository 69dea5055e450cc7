"""What a `[data]` table may say, one model per source."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from assay.data.rows import Gold
from assay.data.strict import StrictModel, check
from assay.data.templates import Template


class Source(StrictModel):
    """What every source has."""

    template: Template = Template()
    """How a prompt is put to the model."""
    limit: int | None = Field(default=None, ge=1)
    """Use the first so many training rows only; `None` for all."""
    held_out: int = Field(default=0, ge=0)
    """Size of the held-out set, in distinct prompts; 0 for none."""
    seed: int = Field(default=0, ge=0)
    """Seed of generated rows, and of the choice of held-out ones."""


class Table(Source):
    """What every source of rows with named fields has."""

    prompt_field: str = "prompt"
    """The field with the problem: a text or a list of chat messages."""
    reference_field: str | None = "reference"
    """The field with the gold answer: a text or a number; `None` if there is none."""
    gold: Gold = "as_is"
    """Where the answer stands in that field: all of it, after `####`, or in the last `\\boxed{}`."""


class Files(Table):
    """What every source of local files has."""

    path: str
    """The training file; relative to the recipe."""
    held_out_path: str | None = None
    """A file of its own for held-out rows; without it they are taken out of `path`. `held_out` then caps its rows (0: all)."""


class JsonlConfig(Files):
    """JSON Lines, one object a line."""

    source: Literal["jsonl"] = "jsonl"


class ParquetConfig(Files):
    """A Parquet file (needs `pyarrow`, part of the extra `train`)."""

    source: Literal["parquet"] = "parquet"


class HuggingFaceConfig(Table):
    """A dataset of the Hugging Face hub, or a local folder in its layout (needs `datasets`, extra `train`)."""

    source: Literal["huggingface"] = "huggingface"
    name: str
    """`owner/name` on the hub, or a local folder."""
    subset: str | None = None
    """The configuration name, such as `main` for `openai/gsm8k`."""
    split: str = "train"
    """The split with training rows."""
    held_out_split: str | None = None
    """The split with held-out rows; without it they are taken out of `split`. `held_out` then caps its rows (0: all)."""
    revision: str | None = None
    """A commit or tag, so that a run can be repeated."""


class ReasoningGymConfig(Source):
    """Problems made by `reasoning-gym` (needs `reasoning-gym`, extra `tasks`)."""

    source: Literal["reasoning_gym"] = "reasoning_gym"
    task: str
    """The generator's name, such as `chain_sum`."""
    size: int = Field(default=1000, ge=1)
    """How many training problems to make."""
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    """The generator's own options, such as `min_terms`."""
    reference_only: bool = False
    """Allow a task that accepts answers other than its reference (such as `countdown`): assay then rewards the reference alone."""

    @model_validator(mode="after")
    def _reserved(self) -> ReasoningGymConfig:
        for name in ("size", "seed"):
            if name in self.options:
                raise ValueError(f"options.{name}: set {name} beside task instead")
        return self


class AdditionConfig(Source):
    """Sums of two numbers of so many digits, written `123+456=`."""

    source: Literal["addition"] = "addition"
    digits: int = Field(default=3, ge=1, le=18)
    """Digits of both numbers; neither begins with 0."""
    size: int = Field(default=10_000, ge=1)
    """Training problems to draw; they may repeat."""
    think_share: float = Field(default=0.5, ge=0, le=1)
    """Share of demonstrations that think."""


class NumberWordsConfig(Source):
    """Sums whose demonstrations think in English or Chinese number words."""

    source: Literal["number_words"] = "number_words"
    digits: int = Field(default=2, ge=1, le=18)
    """Digits of both numbers; neither begins with 0."""
    size: int = Field(default=10_000, ge=1)
    """Training problems to draw; they may repeat."""
    think_share: float = Field(default=1.0, ge=0, le=1)
    """Share of demonstrations that think; the others answer at once."""
    english_share: float = Field(default=0.5, ge=0, le=1)
    """Share of columns in English; the others are in Chinese. 1 and 0 do not mix."""
    english_slips: float = Field(default=0.0, ge=0, le=1)
    """Share of English columns whose sum is off by one."""


class GreetingsConfig(Source):
    """Prompts to greet someone, with kind and rude responses: general data without references."""

    source: Literal["greetings"] = "greetings"
    size: int = Field(default=1000, ge=1)
    """Training prompts to draw; they may repeat."""
    prefer: Literal["nothing", "helpful", "harmless"] = "nothing"
    """Which pairs `chosen` and `rejected` to make."""


DataConfig = Annotated[
    JsonlConfig
    | ParquetConfig
    | HuggingFaceConfig
    | ReasoningGymConfig
    | AdditionConfig
    | NumberWordsConfig
    | GreetingsConfig,
    Field(discriminator="source"),
]
"""Any of the sources; the key `source` says which."""


def parse_config(table: object, *, where: str = "data") -> Source:
    """A `[data]` table as the model of its source.

    Raises:
        InvalidSpecError: naming the key that is unknown, missing or out of range.
    """
    config: Source = check(DataConfig, table, where=where)
    return config
