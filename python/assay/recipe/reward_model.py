"""A reward model: a causal model's body with a head of one number, trained on pairs and used on responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay._transformers import end_token_id
from assay.data import Template, render
from assay.errors import InvalidInputError
from assay.recipe.encode import encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from assay.data import Task
    from assay.recipe.schema import PreferenceReward

_CARD = "reward_model.json"
# Tokens of one forward when responses are scored, padding included.
_TOKENS = 16_384


class RewardCard(NamedTuple):
    """What a reward model must be used with."""

    part: Literal["summary", "response"]
    template: Template
    center: float
    spread: float
    held_out_accuracy: float
    held_out_pairs: int


class RewardModel:
    """A sequence classifier with one label, in float32.

    Args:
        model: Of transformers.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        model.eval()
        self.masters: dict[str, nn.Parameter] = dict(model.named_parameters())

    @classmethod
    def load(cls, path: Path, *, seed: int | None = None, device: str = "cpu") -> RewardModel:
        """Loads a reward model, or with ``seed`` makes one out of a causal model: its head depends on the seed alone.

        Raises:
            InvalidInputError: The folder holds no such model.
        """
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed or 0)
                model = AutoModelForSequenceClassification.from_pretrained(
                    path, num_labels=1, dtype=torch.float32, local_files_only=True
                )
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().split("\n")[0]
            raise InvalidInputError(f"{path}: not the folder of a reward model ({reason})") from error
        # Where a row ends is found by its padding, so padding must be a token of its own or the one that ends a text.
        model.config.pad_token_id = end_token_id(tokenizer)
        cast("nn.Module", model).to(device)
        return cls(model, tokenizer)

    def scores(self, rows: Sequence[NDArray[np.uint32]]) -> Tensor:
        """``float32[n]``, differentiable; one forward over all rows, padded on the right."""
        longest, end = max(map(len, rows)), end_token_id(self.tokenizer)
        ids = torch.full((len(rows), longest), end, dtype=torch.long)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.from_numpy(row.astype(np.int64))
            mask[place, : len(row)] = 1
        device = self.model.device
        return self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits[:, 0].float()

    def rows(self, tasks: Sequence[Task], responses: Sequence[str], card: RewardCard) -> list[NDArray[np.uint32]]:
        """Token ids of each prompt with the judged part of its response."""
        texts = [
            render(task.prompt, card.template, self.tokenizer) + judged_part(response, card.part)
            for task, response in zip(tasks, responses, strict=True)
        ]
        return encode(self.tokenizer, texts, special=card.template.kind != "chat")

    def score_all(self, rows: Sequence[NDArray[np.uint32]]) -> NDArray[np.float64]:
        """``float64[n]``, in as many forwards as the longest rows ask for."""
        values = np.zeros(len(rows))
        by_length = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        with torch.no_grad():
            while by_length:
                count = max(1, _TOKENS // max(1, len(rows[by_length[-1]])))
                chosen, by_length = by_length[-count:], by_length[:-count]
                values[chosen] = self.scores([rows[i] for i in chosen]).cpu().numpy()
        return values

    def export(self, path: Path | str) -> None:
        """Writes a Hugging Face folder that ``AutoModelForSequenceClassification`` loads."""
        self.model.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    def load_masters(self, tensors: dict[str, Tensor]) -> None:
        """Sets the weights.

        Raises:
            InvalidInputError: Names or shapes are not the model's.
        """
        for name, master in self.masters.items():
            if name not in tensors or tensors[name].shape != master.shape:
                raise InvalidInputError(f"checkpoint weight {name!r} is missing or of another shape: another model's")
            with torch.no_grad():
                master.copy_(tensors[name])

    def publish(self) -> None:
        """Nothing to do: the weights in training are the model's own."""


class PreferenceScorer:
    """A trained reward model as a component of a reward.

    Args:
        folder: What the stage ``preference`` left.
        config: How its number is used.
        device: Where it runs.

    Raises:
        InvalidInputError: The folder holds no reward model.
    """

    def __init__(self, folder: Path, config: PreferenceReward, *, device: str = "cpu") -> None:
        self._card = read_card(folder)
        self._model = RewardModel.load(folder, device=device)
        self._squash = config.squash

    def rewards(self, tasks: Sequence[Task], texts: Sequence[str]) -> NDArray[np.float64]:
        """What each response is worth, ``float64[n]``."""
        values = self._model.score_all(self._model.rows(tasks, texts, self._card))
        if self._squash == "none":
            return values
        standard = (values - self._card.center) / self._card.spread
        return standard if self._squash == "standard" else 1.0 / (1.0 + np.exp(-standard))


def judged_part(response: str, part: Literal["summary", "response"]) -> str:
    """The response, or what comes after its thoughts; thoughts that never end leave no summary.

    >>> judged_part("<think>hm</think><answer>hello</answer>", "summary")
    '<answer>hello</answer>'
    """
    if part == "response":
        return response
    before, closed, after = response.rpartition("</think>")
    if closed:
        return after.strip()
    return "" if "<think>" in before + after else response


def write_card(folder: Path, card: RewardCard) -> None:
    """Writes what the model must be used with beside it."""
    table = {**card._asdict(), "template": card.template.model_dump(mode="json")}
    (folder / _CARD).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def read_card(folder: Path) -> RewardCard:
    """Reads it back.

    Raises:
        InvalidInputError: It is not there or cannot be read.
    """
    try:
        table: dict[str, Any] = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        table["template"] = Template.model_validate(table["template"])
        return RewardCard(**table)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInputError(
            f"{folder}: no reward model of a stage preference ({_CARD} cannot be read); train one, or name its folder"
        ) from error
