"""What a model's shape implies: parameters, bytes a token keeps, arithmetic a token costs."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

from assay.data.strict import suggestion
from assay.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A decoder: attention with grouped heads or a compressed cache (MLA), dense or mixture-of-experts feed-forward.

    Norms and biases are left out of the counts: they are less than a thousandth of any of them.

    Attributes:
        name: for a reader.
        hidden: width.
        layers: decoder layers.
        heads: query heads.
        key_value_heads: heads of the cache; ignored with `kv_rank`.
        head_dim: width of a head; ignored with `kv_rank`.
        vocabulary: tokens.
        feed_forward: inner width of a dense SwiGLU.
        tied: whether the head is the embedding.
        dense_layers: layers without experts; ignored without `experts`.
        experts: routed experts of a layer; 0 for a dense model.
        experts_per_token: of those, how many a token goes through.
        shared_experts: experts every token goes through.
        expert_feed_forward: inner width of an expert.
        query_rank, kv_rank, nope_dim, rope_dim, value_dim: multi-head latent attention, arXiv:2405.04434, section 2.1.
    """

    name: str
    hidden: int
    layers: int
    heads: int
    vocabulary: int
    feed_forward: int
    tied: bool = False
    key_value_heads: int = 0
    head_dim: int = 0
    dense_layers: int = 0
    experts: int = 0
    experts_per_token: int = 0
    shared_experts: int = 0
    expert_feed_forward: int = 0
    query_rank: int = 0
    kv_rank: int = 0
    nope_dim: int = 0
    rope_dim: int = 0
    value_dim: int = 0

    @property
    def qk_dim(self) -> int:
        """Width of a query-key product."""
        return self.nope_dim + self.rope_dim if self.kv_rank else self.head_dim

    @property
    def v_dim(self) -> int:
        """Width of a value."""
        return self.value_dim if self.kv_rank else self.head_dim

    @property
    def attention_params(self) -> int:
        """Parameters of one layer's attention."""
        if not self.kv_rank:
            return self.hidden * self.head_dim * (2 * self.heads + 2 * self.key_value_heads)
        query = self.query_rank * (self.hidden + self.heads * self.qk_dim)
        compress = self.hidden * (self.kv_rank + self.rope_dim)
        expand = self.kv_rank * self.heads * (self.nope_dim + self.value_dim)
        return query + compress + expand + self.heads * self.value_dim * self.hidden

    @property
    def expert_layers(self) -> int:
        """Layers with experts."""
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def routed_params(self) -> int:
        """Parameters of all routed experts: the part of which a token uses `experts_per_token / experts`."""
        return self.expert_layers * self.experts * 3 * self.hidden * self.expert_feed_forward

    @property
    def embedding_params(self) -> int:
        """The embedding table, which is looked up, not multiplied (unless it is the head too)."""
        return self.vocabulary * self.hidden

    @property
    def common_params(self) -> int:
        """Matrices that every token goes through: attention, dense and shared feed-forward, router, head."""
        dense = (self.layers - self.expert_layers) * 3 * self.hidden * self.feed_forward
        shared = self.expert_layers * self.hidden * (3 * self.shared_experts * self.expert_feed_forward + self.experts)
        return self.layers * self.attention_params + dense + shared + self.embedding_params

    @property
    def params(self) -> int:
        """All parameters."""
        return self.common_params + self.routed_params + (0 if self.tied else self.embedding_params)

    @property
    def matrix_params(self) -> int:
        """Parameters that one token is multiplied with: what its arithmetic is proportional to."""
        if not self.experts:
            return self.common_params
        return self.common_params + self.routed_params * self.experts_per_token // self.experts

    @property
    def active_params(self) -> int:
        """Parameters that one token uses, embedding included, as model cards count them."""
        return self.matrix_params + (0 if self.tied else self.embedding_params)

    def kv_bytes(self, bytes_per_value: float = 2.0) -> float:
        """Bytes that one token keeps in the cache, over all layers."""
        values = self.kv_rank + self.rope_dim if self.kv_rank else 2 * self.key_value_heads * self.head_dim
        return self.layers * values * bytes_per_value

    def forward_flops(self, context: float) -> float:
        """Floating-point operations of one token's forward pass that looks back on `context` tokens.

        2 per matrix parameter, and 2 (query-key) + 2 (values) per head, width and token of context. A sequence of s tokens
        looks back on s/2 on average.
        """
        attention = 2.0 * self.layers * self.heads * (self.qk_dim + self.v_dim) * context
        return 2.0 * self.matrix_params + attention


def known_models() -> dict[str, ModelShape]:
    """The shapes of `models.toml`, by every name they go by, in lower case."""
    text = (resources.files("assay.plan") / "models.toml").read_text(encoding="utf-8")
    found: dict[str, ModelShape] = {}
    for entry in tomllib.loads(text).values():
        names = cast("list[str]", entry.pop("names"))
        for name in names:
            found[name] = ModelShape(name=names[0], **entry)
    return found


def find_shape(name: str) -> ModelShape:
    """A known model by name, or a Hugging Face folder by its `config.json`.

    Raises:
        InvalidInputError: neither; the nearest known name is suggested.
    """
    folder = Path(name)
    if (folder / "config.json").is_file():
        try:
            config: Any = json.loads((folder / "config.json").read_bytes())
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"{folder / 'config.json'}: cannot be read ({error})") from None
        return shape_of_config(folder.resolve().name, config)
    models = known_models()
    if (last := folder.name.lower()) in models:
        return models[last]
    raise InvalidInputError(
        f"model {name!r}: neither a folder with a config.json nor a known model{suggestion(last, list(models))}; "
        "give one with --model"
    )


def shape_of_config(name: str, config: dict[str, Any]) -> ModelShape:
    """The shape that a Hugging Face `config.json` describes.

    Raises:
        InvalidInputError: a key that every decoder has is missing.
    """
    config = {**config, **config.get("text_config", {})}
    missing = [
        key
        for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size")
        if not isinstance(config.get(key), int)
    ]
    if missing:
        raise InvalidInputError(f"{name}: config.json has no number {missing[0]!r}; is it a decoder's?")
    heads = config["num_attention_heads"]
    experts = config.get("n_routed_experts") or config.get("num_experts") or config.get("num_local_experts") or 0
    return ModelShape(
        name=name,
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        key_value_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
        feed_forward=config["intermediate_size"],
        tied=bool(config.get("tie_word_embeddings", False)),
        dense_layers=config.get("first_k_dense_replace", 0) if experts else 0,
        experts=experts,
        experts_per_token=config.get("num_experts_per_tok") or 0,
        shared_experts=config.get("n_shared_experts") or 0,
        expert_feed_forward=config.get("moe_intermediate_size") or (config["intermediate_size"] if experts else 0),
        query_rank=config.get("q_lora_rank") or 0,
        kv_rank=config.get("kv_lora_rank") or 0,
        nope_dim=config.get("qk_nope_head_dim") or 0,
        rope_dim=config.get("qk_rope_head_dim") or 0,
        value_dim=config.get("v_head_dim") or 0,
    )
