"""What a recipe may say. One TOML file holds a whole run: model, data, reward and the stages in their order."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.data import DataConfig, StrictModel

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Above0 = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class ModelBase(StrictModel):
    """What every model has."""

    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What forward, backward and sampling run in; the weights that are trained are float32 in both."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward: less memory, about a third more work."""


class TinyModel(ModelBase):
    """A small Llama with a character tokenizer, made from the recipe's seed."""

    kind: Literal["tiny"] = "tiny"
    hidden_size: Positive = 128
    """Width."""
    layers: Positive = 3
    """Decoder layers."""
    heads: Positive = 4
    """Query heads."""
    key_value_heads: Positive = 2
    """Key-value heads."""
    feed_forward_size: Positive = 352
    """Width inside the SwiGLU."""
    max_positions: Positive = 128
    """Longest sequence in tokens."""
    alphabet: str | None = None
    """Characters with a token of their own; by default digits, signs and lower-case letters."""


class FolderModel(ModelBase):
    """A Hugging Face folder on this machine."""

    kind: Literal["huggingface"] = "huggingface"
    path: str
    """The folder; relative to the recipe."""


class GgufModel(ModelBase):
    """A GGUF file, converted once into a Hugging Face folder in the cache."""

    kind: Literal["gguf"] = "gguf"
    path: str | None = None
    """The file; relative to the recipe."""
    package: str | None = None
    """An installed Python package that holds exactly one ``*.gguf`` file, instead of ``path``."""

    @model_validator(mode="after")
    def _one_place(self) -> GgufModel:
        if (self.path is None) == (self.package is None):
            raise ValueError("give either path or package")
        return self


ModelConfig = Annotated[TinyModel | FolderModel | GgufModel, Field(discriminator="kind")]


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


class RuntimeConfig(StrictModel):
    """The machine."""

    threads: Count = 0
    """Torch threads; 0 leaves torch's own choice. Results repeat bit for bit only with the same number."""
    device: str = "cpu"
    """Where the model runs, as torch names it."""
    token_budget: Positive = 65_536
    """Tokens of key-value cache that one sampling batch may hold."""


class Sampling(StrictModel):
    """How completions are drawn."""

    max_new_tokens: Positive
    """Longest completion in tokens."""
    temperature: NotNegative = 1.0
    """Logits are divided by it; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus; 1 turns it off."""
    top_k: Count = 0
    """The k likeliest tokens; 0 turns it off."""
    stop: list[str] = Field(default_factory=list[str])
    """Tokens that end a completion, beside the tokenizer's end token; each must be one token."""


class Stage(StrictModel):
    """What every stage has."""

    name: Name
    """Unique in the recipe; ``--set stage.NAME.key=value`` and the checkpoint folder use it."""
    data: DataConfig | None = None
    """Data of this stage only, instead of the recipe's."""


class Training(Stage):
    """What every stage that trains has."""

    steps: Positive
    """Optimizer steps (in ``grpo``: batches of rollouts)."""
    lr: Above0
    """Peak learning rate of AdamW."""
    betas: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(default=[0.9, 0.95])
    """Decay of AdamW's two moments."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay."""
    warmup_steps: Count = 0
    """Steps of linear warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """The learning rate after the warm-up."""
    final_ratio: Share = 0.1
    """What part of ``lr`` the last step of a decay has."""
    max_grad_norm: NotNegative = 1.0
    """Gradient clip; 0 turns it off."""
    token_budget: Positive = 8192
    """Tokens of one micro-batch, padding included."""
    checkpoint_every: Count = 0
    """Steps between checkpoints; 0 for one at the end of the stage only."""
    keep_checkpoints: Positive = 1
    """How many checkpoints of this stage stay on the disk."""


class SftStage(Training):
    """Supervised fine-tuning on demonstrations."""

    kind: Literal["sft"]
    name: Name = "sft"
    batch_size: Positive
    """Demonstrations per step."""
    completion_field: str = "completion"
    """The field of a row that holds the demonstration."""


class GrpoStage(Training):
    """Group relative policy optimization (DeepSeekMath, arXiv 2402.03300; DAPO, arXiv 2503.14476)."""

    kind: Literal["grpo"]
    name: Name = "grpo"
    prompts_per_step: Positive
    """Prompts of one batch of rollouts."""
    group_size: Annotated[int, Field(ge=2)]
    """Completions of each prompt."""
    sampling: Sampling
    """How completions are drawn."""
    advantage: Literal["grpo", "dr_grpo", "rloo", "reinforce_pp", "gdpo"] = "grpo"
    """How rewards become advantages."""
    clip_low: Share = 0.2
    """Clip width below ratio 1."""
    clip_high: NotNegative = 0.28
    """Clip width above ratio 1."""
    kl_coefficient: NotNegative = 0.0
    """Weight of the k3 divergence from the weights at the start of the stage."""
    aggregation: Literal["token_mean", "sequence_mean", "constant"] = "token_mean"
    """How tokens are averaged; ``constant`` divides by ``max_new_tokens``."""
    inner_epochs: Positive = 1
    """Optimizer steps on the same rollouts."""
    sample_groups: Count = 2
    """Groups per step whose completions are written to ``samples.jsonl``."""


class EvalStage(Stage):
    """Sampled accuracy on held-out problems."""

    kind: Literal["eval"]
    name: Name = "eval"
    problems: Count = 0
    """Held-out problems to use; 0 for all."""
    samples: Positive = 1
    """Completions of each."""
    sampling: Sampling
    """How completions are drawn."""
    sample_groups: Count = 20
    """Problems whose completions are written to ``samples.jsonl``."""


AnyStage = Annotated[SftStage | GrpoStage | EvalStage, Field(discriminator="kind")]


class Recipe(StrictModel):
    """A run."""

    name: Name
    """Of the run; its folder is ``runs/NAME`` unless told otherwise."""
    description: str = ""
    """What the run shows, for the report."""
    seed: Count = 0
    """Everything random follows from it: weights, order of data, sampling."""
    model: ModelConfig
    """What is trained."""
    data: DataConfig
    """Training and held-out problems."""
    scorer: ScorerConfig
    """The reward."""
    runtime: RuntimeConfig = RuntimeConfig()
    """The machine."""
    tensorboard: bool = False
    """Also write TensorBoard event files (extra ``track``)."""
    stage: Annotated[list[AnyStage], Field(min_length=1)]
    """The stages, in order; each starts from the weights of the one before."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Recipe:
        seen: set[str] = set()
        for stage in self.stage:
            # Folders and --set do not tell these apart on every system.
            key = re.sub(r"[-_]", "-", stage.name.lower())
            if key in seen:
                raise ValueError(f"two stages are called {stage.name!r}: give one of them another name")
            seen.add(key)
        return self
