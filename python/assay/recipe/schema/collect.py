"""The stage `collect`: rejection sampling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.data import StrictModel
from assay.recipe.schema.base import Count, Name, Positive, Share
from assay.recipe.schema.model import ModelConfig
from assay.recipe.schema.stage import Sampling, Stage


class FilterConfig(StrictModel):
    """What a kept completion must not be, beside wrong."""

    language: str | None = None
    """The ISO 639-1 code of the language that the chain of thought must be in, such as `en`."""
    min_language: Share = 0.95
    """The least share of it; less counts as mixed."""
    max_paragraph: Count = 0
    """Longest paragraph in characters; 0 for any."""
    code_blocks: bool = True
    """Whether fenced code may stay."""
    thinks: bool = True
    """Whether a completion must have a closed think block with something in it."""
    finished: bool = True
    """Whether a completion must have ended by itself, within `max_new_tokens`."""
    near_duplicates: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Two completions of one prompt that share at least this part of their n-grams of words (Jaccard) count as one; 1 for
    equal ones only."""
    across_prompts: bool = False
    """Whether completions of different prompts count as one, too."""
    ngram: Positive = 3
    """Words of such an n-gram."""


class BalanceConfig(StrictModel):
    """How many rows of each difficulty stay."""

    edges: Annotated[list[Annotated[float, Field(gt=0.0, lt=1.0)]], Field(min_length=1)] = Field(
        default=[0.25, 0.5, 0.75]
    )
    """Pass rates that separate the buckets, rising; a bucket holds the rates up to and with its upper edge."""
    max_share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """The largest part of the dataset that one bucket may be."""
    min_pass_rate: Share = 0.0
    """Prompts below it are left out: nothing that is right so rarely can be trusted."""
    max_pass_rate: Share = 1.0
    """Prompts above it are left out: too easy to teach anything."""

    @model_validator(mode="after")
    def _rising(self) -> BalanceConfig:
        if self.edges != sorted(set(self.edges)):
            raise ValueError("edges: give rising pass rates")
        return self


class CollectStage(Stage):
    """Rejection sampling (DeepSeek-R1, arXiv 2501.12948, 2.3.3): sample, score, keep what is right and readable."""

    kind: Literal["collect"]
    name: Name = "collect"
    prompts: Count = 0
    """Training problems to use, in order; 0 for all."""
    samples: Positive = 4
    """Completions of each."""
    sampling: Sampling
    """How completions are drawn."""
    model: ModelConfig | None = None
    """Who completes: a teacher; by default the model in training."""
    accept: Name | None = None
    """The component of the reward that decides what is right; by default the first accuracy, or the total."""
    min_score: float = 1.0
    """The least value of it that is kept."""
    per_prompt: Count = 1
    """Most completions of one prompt that are kept; 0 for all."""
    filter: FilterConfig = FilterConfig()
    """What else is dropped."""
    balance: BalanceConfig = BalanceConfig()
    """How many rows of each difficulty stay."""
    reviews: str | None = None
    """Marks that a reviewer made in a report, as JSON Lines; relative to the recipe. A rejected sample is dropped, an
    accepted one kept whatever filters say."""
    format: Literal["jsonl", "parquet"] = "jsonl"
    """What the dataset is written as."""
    shard: Positive = 256
    """Prompts that are sampled between two writes, and rows of one file of the dataset."""
    patience_s: Annotated[float, Field(ge=0.0)] = 600.0
    """Seconds to wait for a judge that does not answer before the run stops, to be resumed."""
