"""Reward functions for TRL's `GRPOTrainer` and its kin.

A reward function of TRL is called with keyword arguments, among them `completions` (texts, or chat message lists),
`completion_ids` (token ids) and every other dataset column as a list, and returns one float or None per completion.
None, which TRL leaves out of the advantage, is what every status but `scored` becomes.

    trainer = GRPOTrainer(model, reward_funcs=[accuracy_reward, format_reward], train_dataset=dataset)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from assay.errors import InvalidInputError
from assay.rewards import Completion, Scorer
from assay.scores import Status
from assay.spec import Accuracy, Format, Length, Repetition, RewardSpec, SpecLike, Tags

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from assay.rewards.scorer import FastTokenizer

__all__ = [
    "Reward",
    "accuracy_reward",
    "format_reward",
    "get_cosine_scaled_reward",
    "get_repetition_penalty_reward",
    "get_soft_overlong_punishment",
    "tag_count_reward",
]

_REFERENCES = ("solution", "reference", "answer", "ground_truth")


class Reward:
    """A spec as a reward function of TRL. Picklable; the scorer is built in the process that calls it.

    >>> reward = Reward({"accuracy": 1.0, "format": 0.5}, name="math_reward")
    >>> reward(completions=["<think>1+1</think><answer>2</answer>", "It is 3."], solution=["2", "2"])
    [1.5, 0.0]
    """

    def __init__(
        self,
        spec: SpecLike,
        *,
        name: str = "assay_reward",
        reference: str | None = None,
        tokenizer: str | os.PathLike[str] | FastTokenizer | None = None,
    ) -> None:
        """Prepares a spec.

        Args:
            spec: whatever `assay.Scorer` takes.
            name: under which TRL logs it.
            reference: the dataset column that holds the references; by default the first of `solution`, `reference`,
                `answer` and `ground_truth` that is there.
            tokenizer: scores `completion_ids` with it instead of the texts.

        Raises:
            InvalidSpecError: the spec is not valid.
        """
        self.__name__ = name
        self._spec = RewardSpec.of(spec)
        self._reference = reference
        self._tokenizer = tokenizer
        self._scorer: Scorer | None = None

    def __call__(
        self,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: object,
    ) -> list[float | None]:
        """One reward per completion, None where it has none.

        Raises:
            InvalidInputError: there is no column of references and the spec compares with one.
        """
        if self._scorer is None:
            self._scorer = Scorer(self._spec, tokenizer=self._tokenizer)
        references = self._references(columns, len(completions))
        if completion_ids is not None and (self._tokenizer is not None or not self._needs_text()):
            offsets = np.cumsum([0, *map(len, completion_ids)], dtype=np.int64)
            flat = [np.asarray(ids, dtype=np.uint32) for ids in completion_ids]
            token_ids = np.concatenate(flat) if flat else np.zeros(0, dtype=np.uint32)
            scores = self._scorer.score_tokens(token_ids, offsets, references)
        else:
            scores = self._scorer.score(completions, references)
        _log(columns, scores.reasons, scores.status, self.__name__)
        return [None if np.isnan(total) else total for total in scores.total.tolist()]

    def _references(self, columns: dict[str, object], count: int) -> list[str | None]:
        names = _REFERENCES if self._reference is None else (self._reference,)
        for name in names:
            if columns.get(name) is not None:
                return list(cast("Sequence[str | None]", columns[name]))
        if any(isinstance(component, Accuracy) for component in self._spec.components):
            raise InvalidInputError(f"{self.__name__}: the dataset has no column {' or '.join(names)}")
        return [None] * count

    def _needs_text(self) -> bool:
        """Whether a component looks at more than token ids."""
        by_ids = (Length, Repetition)
        components = self._spec.components
        return any(not isinstance(component, by_ids) or component.unit != "tokens" for component in components)

    def __getstate__(self) -> dict[str, Any]:
        """Without the scorer, which the receiving process builds for itself."""
        return self.__dict__ | {"_scorer": None}

    def __repr__(self) -> str:
        """Name and components."""
        return f"Reward({self.__name__!r}, {[component.name for component in self._spec.components]})"


def _log(columns: dict[str, object], reasons: list[str | None], status: list[Status], name: str) -> None:
    """Into TRL's completion table and metrics, where it offers them."""
    log_extra = cast("Callable[[str, list[str]], None] | None", columns.get("log_extra"))
    if log_extra is not None:
        log_extra(f"{name}/reason", [reason or "" for reason in reasons])
    log_metric = cast("Callable[[str, float], None] | None", columns.get("log_metric"))
    if log_metric is not None and status:
        unscored = sum(value is not Status.SCORED for value in status)
        log_metric(f"{name}/unscored_ratio", unscored / len(status))


accuracy_reward = Reward("accuracy", name="accuracy_reward")
"""1.0 if the answer equals the reference, 0.0 if not, None where that is not known."""

format_reward = Reward(RewardSpec([Format()]), name="format_reward")
"""1.0 if the completion is one think block and then one answer block, else 0.0."""

tag_count_reward = Reward(RewardSpec([Tags()]), name="tag_count_reward")
"""A quarter for each think or answer tag that occurs exactly once."""


def get_repetition_penalty_reward(ngram_size: int, max_penalty: float) -> Reward:
    """`(1 - distinct / all n-grams) * max_penalty` over words; the names of the arguments are open-r1's."""
    return Reward(RewardSpec([Repetition(ngram=ngram_size, max_penalty=max_penalty)]), name="repetition_penalty_reward")


def get_soft_overlong_punishment(max_completion_len: int, soft_punish_cache: int) -> Reward:
    """DAPO's penalty on the tokens before the limit; the names of the arguments are TRL's."""
    length = Length(mode="soft_overlong", max_length=max_completion_len, buffer=soft_punish_cache)
    return Reward(RewardSpec([length]), name="soft_overlong_punishment")


def get_cosine_scaled_reward(
    min_value_wrong: float = -1.0,
    max_value_wrong: float = -0.5,
    min_value_correct: float = 0.5,
    max_value_correct: float = 1.0,
    max_len: int = 1000,
) -> Reward:
    """Shorter is better when right, longer when wrong, by characters; the names of the arguments are open-r1's."""
    length = Length(
        mode="cosine",
        unit="characters",
        max_length=max_len,
        min_correct=min_value_correct,
        max_correct=max_value_correct,
        min_wrong=min_value_wrong,
        max_wrong=max_value_wrong,
    )
    return Reward(RewardSpec([Accuracy(weight=0.0), length]), name="cosine_scaled_reward")
