"""What samples: a model in this process, or SGLang servers that hold it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from assay.data import Template, render
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data import Task
    from assay.rollout.types import Generator, TokenIds

THINK = "<think>"


@dataclass(frozen=True, slots=True)
class Engine:
    """A model ready to sample.

    Attributes:
        generator: completes prompts.
        tokenizer: the model's, from its folder.
        stops: the tokens that end a completion.
        positions: the longest sequence, prompt included; `None` if the folder does not say.
        together: whether the samples of a problem are best asked for as one group.
    """

    generator: Generator
    tokenizer: Any
    stops: tuple[int, ...]
    positions: int | None
    together: bool


class TemplateCodec:
    """A template and a tokenizer."""

    def __init__(self, tokenizer: Any, template: Template, stops: Sequence[int]) -> None:
        """`stops`: the tokens that are cut off the end of a completion."""
        self._tokenizer = tokenizer
        self._template = template
        self._stops = frozenset(stops)

    def text(self, task: Task) -> str:
        """The text the model continues."""
        return render(task.prompt, self._template, self._tokenizer)

    def encode(self, task: Task) -> TokenIds:
        """The prompt as `uint32[length]` token ids."""
        # A chat template writes the special tokens itself.
        special = self._template.kind != "chat"
        return np.asarray(self._tokenizer.encode(self.text(task), add_special_tokens=special), dtype=np.uint32)

    def decode(self, token_ids: TokenIds) -> str:
        """A completion as text, without its stop token; all other special tokens stay, because tags may be some."""
        ids = token_ids.tolist()
        if ids and ids[-1] in self._stops:
            ids.pop()
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))


def local_engine(folder: Path, *, device: str, dtype: Literal["float32", "bfloat16"]) -> Engine:
    """Loads a Hugging Face folder into this process.

    Raises:
        InvalidInputError: the folder does not hold a causal language model and a tokenizer, or there is no such device.
    """
    from assay.learner.policy import Policy, PolicyOptions
    from assay.rollout.local import LocalGenerator

    try:
        policy = Policy.load(folder, PolicyOptions(compute_dtype=dtype), device=device)
    except (RuntimeError, AssertionError) as error:  # torch names an unknown or absent device by either
        raise InvalidInputError(f"--device {device}: {str(error).splitlines()[0]}") from None
    positions = getattr(policy.model.config, "max_position_embeddings", None)
    return Engine(
        LocalGenerator(policy.model), policy.tokenizer, _stops(folder, policy.tokenizer), positions, together=True
    )


def server_engine(folder: Path, servers: Sequence[str]) -> Engine:
    """Samples on SGLang servers; of the folder only the tokenizer and the configuration are read.

    Raises:
        InvalidInputError: the folder holds no tokenizer.
        UnavailableError: a server does not answer.
    """
    from transformers import AutoTokenizer

    from assay.rollout.sglang import SGLangGenerator

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InvalidInputError(f"{folder}: holds no tokenizer ({reason}); name the folder the servers serve") from None
    positions, vocabulary = (_configured(folder, name) for name in ("max_position_embeddings", "vocab_size"))
    generator = SGLangGenerator(list(servers), vocab_size=vocabulary, ready_timeout_s=60.0)
    return Engine(generator, tokenizer, _stops(folder, tokenizer), positions, together=False)


def choose_template(kind: str, tokenizer: Any) -> Template:
    """How problems are put: as asked, or with `auto` by the chat template if there is one and as they stand if not.

    After a chat template the completion begins with `<think>`, as the model card of DeepSeek-R1 advises, if the
    tokenizer has that token and the template did not write it.
    """
    if kind == "auto":
        kind = "chat" if getattr(tokenizer, "chat_template", None) else "raw"
    if kind != "chat" or THINK not in tokenizer.get_vocab():
        return Template(kind=kind)  # pyright: ignore[reportArgumentType] - checked by the model
    opened = render("?", Template(kind="chat"), tokenizer).rstrip().endswith(THINK)
    return Template(kind="chat", prefill="" if opened else f"{THINK}\n")


def _configured(folder: Path, name: str) -> int | None:
    """A number of `config.json`, or of the text model inside it; `None` if it does not say."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    value = config.get(name, config.get("text_config", {}).get(name))
    return value if isinstance(value, int) else None


def _stops(folder: Path, tokenizer: Any) -> tuple[int, ...]:
    """The tokenizer's end token and those of the generation configuration; chat models often have two."""
    from transformers import GenerationConfig

    found: set[int] = set()
    ends: list[Any] = [tokenizer.eos_token_id]
    if (folder / "generation_config.json").is_file():
        ends.append(GenerationConfig.from_pretrained(folder, local_files_only=True).eos_token_id)
    for end in ends:
        for token in end if isinstance(end, list) else [end]:
            if isinstance(token, int):
                found.add(token)
    return tuple(sorted(found))
