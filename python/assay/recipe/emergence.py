"""What emerges while a model learns, and signs that it learns the reward instead of the task.

Every figure is a function of a batch of scored completions. In ``metrics.jsonl``: ``emergence/length_mean`` (tokens),
``reflection`` and ``verification`` (phrases per completion), ``reflecting_ratio`` (completions with any), ``aha_ratio``,
``repetition`` (share of repeated word 4-grams), ``readability`` (0 to 1), ``mixed_ratio`` (completions that write both
Latin and Chinese words), ``think_answer_ratio`` (think block, then answer block), ``chars_mean``, and
``emergence/LEVEL/...`` for the levels of difficulty ``easy``, ``medium`` and ``hard`` by the group's own pass rate.
``judge/NAME/agreement`` and their mean ``judge/agreement`` say how far reward models agree with the verifier.
"""

from __future__ import annotations

import re
import tomllib
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

import assay
from assay.recipe.scoring import accuracy_of, thinks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from assay.recipe.context import RunContext
    from assay.recipe.schema import GrpoStage
    from assay.recipe.scoring import ScoredBatch

_SHAPE = re.compile(r"\s*<think>.*</think>\s*<answer>.*</answer>\s*", re.DOTALL)
_LATIN, _HAN = re.compile(r"[A-Za-z]{2,}"), re.compile(r"[\u4e00-\u9fff]")
# What alarms look at, and where it stands in a row of metrics.
_WATCHED = {
    "reward": "reward/mean",
    "length": "completion/length_mean",
    "accuracy": "accuracy",
    "duplicates": "emergence/duplicate_share",
    "guesses": "emergence/guess_share",
    "agreement": "judge/agreement",
}
# Candidates for an "aha" that a step may leave in traces.jsonl.
_TRACES = 4


@cache
def phrases() -> dict[str, re.Pattern[str]]:
    """The lists of ``emergence.toml``, each as one pattern."""
    table = tomllib.loads(files("assay.recipe").joinpath("emergence.toml").read_text(encoding="utf-8"))
    return {name: _pattern(entries) for name, entries in table.items()}


def count(kind: str, text: str) -> int:
    """How many phrases of a list a text has; where several overlap, the longest counts.

    >>> count("reflection", "Wait. 3 + 2 = 5; however, let me check."), count("verification", "Let me CHECK: it is 5.")
    (2, 1)
    """
    return len(phrases()[kind].findall(text))


def emergence_metrics(batch: ScoredBatch) -> dict[str, float]:
    """The figures of one batch, under the names that the module documents."""
    figures = _figures(batch.texts, [len(rollout.token_ids) for rollout in batch.rollouts])
    metrics = {f"emergence/{name}": float(values.mean()) for name, values in figures.items()}
    metrics |= {"emergence/duplicate_share": duplicate_share(batch), "emergence/guess_share": guess_share(batch)}
    accuracy = accuracy_of(batch.scores)
    if accuracy is None:
        return metrics
    for level, chosen in _levels(batch.group_ids, accuracy).items():
        if chosen.any():
            for name in ("length_mean", "reflection", "verification", "think_answer_ratio"):
                metrics[f"emergence/{level}/{name}"] = float(figures[name][chosen].mean())
    return metrics


def agreement(judged: NDArray[np.float64], accuracy: NDArray[np.float64]) -> float:
    """How far a judge and the verifier agree, whatever the judge's scale.

    The chance that of a right and a wrong completion the judge likes the right one better (ties count half): 1 is full
    agreement, 0.5 none, 0 the opposite. This is the area under the judge's ROC curve.

    Args:
        judged: The judge's value of each completion; NaN where it has none.
        accuracy: 1.0 where the verifier says right; NaN where it cannot say.

    Returns:
        NaN where no right or no wrong completion was judged.
    """
    known = ~(np.isnan(judged) | np.isnan(accuracy))
    right, wrong = judged[known & (accuracy == 1.0)], np.sort(judged[known & (accuracy != 1.0)])
    if not right.size or not wrong.size:
        return float("nan")
    below, upto = np.searchsorted(wrong, right, side="left"), np.searchsorted(wrong, right, side="right")
    return float((below + upto).mean() / (2 * wrong.size))


def judge_metrics(batch: ScoredBatch, judges: Sequence[str]) -> dict[str, float]:
    """``judge/NAME/agreement`` of each judge and their mean, where there are judges and a verifier."""
    accuracy = accuracy_of(batch.scores)
    if accuracy is None or not judges:
        return {}
    found = {name: agreement(batch.scores.components[name], accuracy) for name in judges}
    known = [value for value in found.values() if not np.isnan(value)]
    return {
        **{f"judge/{name}/agreement": value for name, value in found.items()},
        "judge/agreement": float(np.mean(known)) if known else float("nan"),
    }


def aha_rows(batch: ScoredBatch, *, stage: str, step: int) -> list[dict[str, Any]]:
    """Rows of ``traces.jsonl``: completions with such a phrase, right ones first, and the phrase."""
    values = accuracy_of(batch.scores)
    found: list[tuple[float, int, str]] = []
    for i, text in enumerate(batch.texts):
        match = phrases()["aha"].search(text)
        if match is not None:
            right = 0.0 if values is None or np.isnan(values[i]) else float(values[i])
            found.append((-right, i, match.group(0)))
    return [
        {
            "kind": "aha",
            "stage": stage,
            "step": step,
            "group_id": batch.rollouts[i].group_id,
            "index": batch.rollouts[i].index,
            "phrase": phrase,
            "correct": None if values is None else -order == 1.0,
            "prompt": batch.tasks[i].prompt,
            "completion": batch.texts[i],
        }
        for order, i, phrase in sorted(found)[:_TRACES]
    ]


@dataclass(slots=True)
class Alarms:
    """Watches a stage for signs of a reward that is being gamed. Each alarm sounds once until its sign is gone.

    The figures of the last ``window`` steps are compared with those of the first ``window`` steps.

    Attributes:
        window: Steps on either side of a comparison.
        length_factor: Completions so many times as long as at first are an explosion.
        duplicate_share: So many equal completions in the groups of a step are too many.
        guess_share: So many right answers without a thought are guesses.
        disagreement: So much less agreement of judges and verifier than at first, with more reward, is a reward that
            has learned to please one of them.
    """

    window: int = 10
    length_factor: float = 3.0
    duplicate_share: float = 0.5
    guess_share: float = 0.5
    disagreement: float = 0.1
    _first: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    _last: deque[dict[str, float]] = field(default_factory=deque[dict[str, float]])
    _sounding: set[str] = field(default_factory=set[str])

    def look(self, row: Mapping[str, float | None]) -> list[dict[str, Any]]:
        """Takes one step's metrics in; returns the alarms that begin with it: ``alarm``, ``value``, ``limit``, ``text``."""
        step = {name: float("nan") if (value := row.get(key)) is None else value for name, key in _WATCHED.items()}
        if len(self._first) < self.window:
            self._first.append(step)
        self._last.append(step)
        if len(self._last) > self.window:
            self._last.popleft()
        signs: list[tuple[str, float, float, str]] = [
            (
                "duplicates",
                step["duplicates"],
                self.duplicate_share,
                "equal completions inside groups: sampling collapses",
            ),
            ("guesses", step["guesses"], self.guess_share, "right answers come without thoughts"),
        ]
        now, then = self._means(self._last), self._means(self._first)
        signs.append(("length", now["length"], self.length_factor * then["length"], "completions grow out of bounds"))
        # Both have to move by more than noise: the reward up while what it stands for goes down.
        up, down = now["reward"] - then["reward"], then["accuracy"] - now["accuracy"]
        signs.append(("reward", min(up, down), 0.05, "the reward rises while accuracy falls"))
        parted = then["agreement"] - now["agreement"] if up > 0.05 else float("nan")
        signs.append(("judge", parted, self.disagreement, "the reward rises while judges and the verifier part"))
        begun: list[dict[str, Any]] = []
        for name, value, limit, text in signs:
            if not value > limit:
                self._sounding.discard(name)
            elif name not in self._sounding:
                self._sounding.add(name)
                begun.append({"alarm": name, "value": value, "limit": limit, "text": text})
        return begun

    def begin_again(self) -> None:
        """What comes is another reward, or other completions: forgets what it was compared with."""
        self._first.clear()
        self._last.clear()

    @staticmethod
    def _means(steps: Sequence[dict[str, float]] | deque[dict[str, float]]) -> dict[str, float]:
        means = {name: float(np.mean([step[name] for step in steps])) for name in ("reward", "length", "accuracy")}
        # A step of right completions only, or of wrong ones, says nothing of judges.
        agreed = [step["agreement"] for step in steps if not np.isnan(step["agreement"])]
        return {**means, "agreement": float(np.mean(agreed)) if agreed else float("nan")}


class Watch:
    """Tracks a stage: metrics, traces and alarms of each step.

    Args:
        context: The run; the steps that a resumed stage has done already are taken in from its metrics.
        stage: Its stage.
    """

    def __init__(self, context: RunContext, stage: GrpoStage) -> None:
        self._context, self._stage, self._alarms = context, stage, Alarms()
        self._judges = context.scorer_of(stage).judges
        self._turns = stage.turns(context.recipe.scorer)
        for row in context.folder.read_metrics():
            if row["stage"] == stage.name and row["kind"] == "grpo":
                self._look(row, row["step"])

    def log(self, batch: ScoredBatch, metrics: Mapping[str, float], step: int) -> None:
        """Writes the row of a step, the alarms that begin with it and its candidates for an "aha"."""
        folder, name = self._context.folder, self._stage.name
        row = {"stage": name, "kind": "grpo", "step": step, "time_s": self._context.seconds[name]}
        metrics = {**metrics, **emergence_metrics(batch), **judge_metrics(batch, self._judges)}
        folder.log({**row, **metrics})
        for alarm in self._look(metrics, step):
            folder.log({**row, "kind": "alarm", **alarm})
        folder.log_traces(aha_rows(batch, stage=name, step=step))

    def _look(self, row: Mapping[str, float | None], step: int) -> list[dict[str, Any]]:
        if step in self._turns:
            self._alarms.begin_again()
        return self._alarms.look(row)


def held_out_alarm(before: dict[str, float | None], after: dict[str, float | None]) -> dict[str, Any] | None:
    """The alarm of two evaluations: the reward rose while held-out accuracy fell by more than two standard errors."""
    keys = ("eval/reward_mean", "eval/accuracy", "eval/accuracy_se")
    a, b = [before.get(key) for key in keys], [after.get(key) for key in keys]
    if None in a or None in b:
        return None
    reward, fall = float(b[0] or 0) - float(a[0] or 0), float(a[1] or 0) - float(b[1] or 0)
    limit = 2 * float(np.hypot(float(a[2] or 0), float(b[2] or 0)))
    if reward > 0 and fall > limit:
        text = "the reward rises while held-out accuracy falls"
        return {"alarm": "held_out", "value": fall, "limit": limit, "text": text}
    return None


def duplicate_share(batch: ScoredBatch) -> float:
    """Share of completions that repeat an earlier one of their group."""
    seen = {(int(group), text) for group, text in zip(batch.group_ids, batch.texts, strict=True)}
    return 1.0 - len(seen) / len(batch.texts)


def guess_share(batch: ScoredBatch) -> float:
    """Share of right completions that do not think; 0 without right ones."""
    values = accuracy_of(batch.scores)
    if values is None:
        return 0.0
    right = [text for text, value in zip(batch.texts, values, strict=True) if value == 1.0]
    return sum(not thinks(text) for text in right) / len(right) if right else 0.0


def repetition(text: str, n: int = 4) -> float:
    """Share of word n-grams that occurred before in the text; 0 for shorter texts.

    >>> repetition("a b c d a b c d a b c d"), repetition("a b c d e")
    (0.5555555555555556, 0.0)
    """
    words = text.split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def _figures(texts: Sequence[str], lengths: Sequence[int]) -> dict[str, Any]:
    readable = assay.Scorer("readability").score(list(texts), [None] * len(texts)).total
    reflection = np.array([count("reflection", text) for text in texts], dtype=float)
    verification = np.array([count("verification", text) for text in texts], dtype=float)
    return {
        "length_mean": np.array(lengths, dtype=float),
        "chars_mean": np.array([len(text) for text in texts], dtype=float),
        "reflection": reflection,
        "verification": verification,
        "reflecting_ratio": ((reflection + verification) > 0).astype(float),
        "aha_ratio": np.array([count("aha", text) > 0 for text in texts], dtype=float),
        "repetition": np.array([repetition(text) for text in texts]),
        "readability": readable,
        "mixed_ratio": np.array([_mixed(text) for text in texts], dtype=float),
        "think_answer_ratio": np.array([_SHAPE.fullmatch(text) is not None for text in texts], dtype=float),
    }


def _mixed(text: str) -> bool:
    words = re.sub(r"</?(?:think|answer)>", " ", text)
    return _LATIN.search(words) is not None and _HAN.search(words) is not None


def _levels(groups: Any, accuracy: Any) -> dict[str, Any]:
    """Which completions belong to each level: groups that are right at least two times in three are easy, under one hard."""
    rates = np.array([np.nan] * len(accuracy))
    for group in np.unique(groups):
        own = accuracy[groups == group]
        known = own[~np.isnan(own)]
        rates[groups == group] = known.mean() if known.size else np.nan
    return {"easy": rates >= 2 / 3, "medium": (rates > 1 / 3) & (rates < 2 / 3), "hard": rates <= 1 / 3}


def _pattern(entries: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(entries, key=len, reverse=True)
    parts = [rf"\b{re.escape(e)}\b" if e.isascii() else re.escape(e) for e in longest_first]
    return re.compile("|".join(parts), re.IGNORECASE)
