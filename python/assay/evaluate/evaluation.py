"""Judged samples, and what they say about a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from assay.data import prompt_text
from assay.evaluate.estimators import Estimate, clusters, consensus_at_k, mean_over_problems, pass_at_k
from assay.rewards import verify
from assay.scores import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assay.data import Task
    from assay.scores import Scores


class TextScorer(Protocol):
    """What judges completions: `assay.Scorer` or a remote one."""

    def score(self, completions: Sequence[str], references: Sequence[str | None]) -> Scores:
        """Scores completions against references."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One judged completion.

    Attributes:
        problem: position of its task.
        index: position among the samples of that task.
        completion: the text.
        answer: the part that was judged, or `None` if there is none.
        correct: whether it is right; `None` if that could not be said.
        status: what became of the check.
        reason: why it is not right or could not be judged.
        length: tokens, the stop token included.
        finish_reason: `stop`, `length` or `abort`.
    """

    problem: int
    index: int
    completion: str
    answer: str | None
    correct: bool | None
    status: Status
    reason: str | None
    length: int
    finish_reason: str

    def row(self, stage: str, task: Task) -> dict[str, Any]:
        """The sample as a line of `samples.jsonl`: all that is needed to judge it again, and what a report shows."""
        value = None if self.correct is None else float(self.correct)
        return {
            "stage": stage,
            "step": 0,
            "group_id": self.problem,
            "index": self.index,
            "id": task.id,
            "prompt": prompt_text(task.prompt),
            "completion": self.completion,
            "answer": self.answer,
            "reference": task.reference,
            "correct": self.correct,
            "total": value,
            "components": {"accuracy": value},
            "status": str(self.status),
            "reason": self.reason,
            "length": self.length,
            "finish_reason": self.finish_reason,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All samples of an evaluation, and what they say.

    Attributes:
        problems: how many problems were put.
        samples: ordered by problem, then index.
        accuracy: pass@1: the mean over problems of the share of right samples.
        pass_at: unbiased pass@k by k.
        cons_at: cons@k by k.
        unjudged: samples that could not be judged; they are left out of every mean, not counted as wrong.
        thinks_ratio: share of samples with something inside a closed think block.
        length_mean: mean tokens of a completion.
        clipped_ratio: share of samples cut off at the longest completion allowed.
        clean: pass@1 on the problems that share nothing with the training data; `None` if that was not checked.
    """

    problems: int
    samples: list[Sample]
    accuracy: Estimate
    pass_at: dict[int, Estimate]
    cons_at: dict[int, Estimate]
    unjudged: int
    thinks_ratio: float
    length_mean: float
    clipped_ratio: float
    clean: Estimate | None = None

    def metrics(self) -> dict[str, float]:
        """The same as flat numbers under the names of `metrics.jsonl`; what is not finite is left out."""
        found = {
            "eval/accuracy": self.accuracy.value,
            "eval/accuracy_se": self.accuracy.error,
            "eval/thinks_ratio": self.thinks_ratio,
            "eval/length_mean": self.length_mean,
            "eval/clipped_ratio": self.clipped_ratio,
            "eval/n": float(self.accuracy.problems),
            "eval/samples": float(len(self.samples)),
            "eval/unjudged": float(self.unjudged),
        }
        for name, table in (("pass", self.pass_at), ("cons", self.cons_at)):
            for k, estimate in table.items():
                found[f"eval/{name}@{k}"] = estimate.value
                found[f"eval/{name}@{k}_se"] = estimate.error
        if self.clean is not None:
            found["eval/accuracy_clean"] = self.clean.value
            found["eval/accuracy_clean_se"] = self.clean.error
            found["eval/n_clean"] = float(self.clean.problems)
        return {name: value for name, value in found.items() if math.isfinite(value)}


def summarise(
    samples: Sequence[Sample],
    *,
    problems: int,
    ks: Sequence[int] = (),
    kind: str = "auto",
    contaminated: frozenset[int] | None = None,
) -> Evaluation:
    """The estimates that judged samples give.

    pass@k needs k judged samples of a problem and cons@k needs k samples; a problem with fewer is left out of that k,
    and so is one whose consensus could not be judged.

    Args:
        samples: in any order.
        problems: how many problems were put.
        ks: the k of pass@k and cons@k.
        kind: what sort of answer the references are; consensus compares answers as that.
        contaminated: positions of the problems that stand in the training data, if that was checked.
    """
    ordered = sorted(samples, key=lambda sample: (sample.problem, sample.index))
    everything: dict[int, list[Sample]] = {}
    for sample in ordered:
        everything.setdefault(sample.problem, []).append(sample)
    judged = {problem: [s for s in members if s.correct is not None] for problem, members in everything.items()}
    shares = {
        problem: sum(bool(s.correct) for s in members) / len(members) for problem, members in judged.items() if members
    }
    pass_at = {
        k: mean_over_problems(
            [pass_at_k(len(own), sum(bool(s.correct) for s in own), k) for own in judged.values() if len(own) >= k]
        )
        for k in ks
    }
    clean = None
    if contaminated is not None:
        clean = mean_over_problems([share for problem, share in shares.items() if problem not in contaminated])
    return Evaluation(
        problems=problems,
        samples=ordered,
        accuracy=mean_over_problems(list(shares.values())),
        pass_at=pass_at,
        cons_at=_consensus(everything, ks, kind),
        unjudged=sum(sample.correct is None for sample in ordered),
        thinks_ratio=_mean([float(_thinks(sample.completion)) for sample in ordered]),
        length_mean=_mean([float(sample.length) for sample in ordered]),
        clipped_ratio=_mean([float(sample.finish_reason == "length") for sample in ordered]),
        clean=clean,
    )


def judge(samples: Sequence[Sample], references: Sequence[str | None], scorer: TextScorer) -> list[Sample]:
    """Samples with the verdicts of a scorer, whose first component says right (1) or wrong, in place of their own."""
    scores = scorer.score([sample.completion for sample in samples], references)
    values = next(iter(scores.components.values()))
    return [
        replace(
            sample,
            answer=scores.answers[position],
            correct=bool(values[position] == 1.0) if scores.status[position] is Status.SCORED else None,
            status=scores.status[position],
            reason=scores.reasons[position],
        )
        for position, sample in enumerate(samples)
    ]


def _consensus(everything: Mapping[int, list[Sample]], ks: Sequence[int], kind: str) -> dict[int, Estimate]:
    shares: dict[int, list[float]] = {k: [] for k in ks}
    for members in everything.values():
        usable = [k for k in ks if k <= len(members)]
        # A problem of which nothing could be judged, such as one without a gold answer, is neither right nor wrong.
        if not usable or all(sample.correct is None for sample in members):
            continue
        answers = [sample.answer for sample in members]
        homes = clusters(answers, lambda first, second: bool(verify(first, second, kind=kind)))
        right: dict[str, bool] = {}
        for sample in members:
            if sample.answer is not None and sample.correct is not None:
                right.setdefault(homes[sample.answer], sample.correct)
        for k in usable:
            share = consensus_at_k(answers, k, homes=homes, right=right)
            if share is not None:
                shares[k].append(share)
    return {k: mean_over_problems(values) for k, values in shares.items()}


def _thinks(completion: str) -> bool:
    """Whether there is thinking: something other than white space before the first `</think>`."""
    head, closing, _ = completion.partition("</think>")
    return bool(closing) and bool(head.rpartition("<think>")[2].strip())


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
