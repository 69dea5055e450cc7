"""Sampling a model on problems and judging what comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from assay.data import prompt_text
from assay.errors import InvalidInputError
from assay.evaluate.estimators import Estimate, consensus_at_k, mean_over_problems, pass_at_k
from assay.rewards import verify
from assay.scores import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from assay.data import Task
    from assay.rollout.types import Generator, RolloutGroup, SamplingParams, TokenIds
    from assay.scores import Scores


class TextScorer(Protocol):
    """What judges completions: `assay.Scorer` or a remote one."""

    def score(self, completions: Sequence[str], references: Sequence[str | None]) -> Scores:
        """Scores completions against references."""
        ...


class Codec(Protocol):
    """Between the words of a task and the tokens of a model."""

    def encode(self, task: Task) -> TokenIds:
        """The prompt as token ids, template included."""
        ...

    def decode(self, token_ids: TokenIds) -> str:
        """A completion as text, without its stop token."""
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


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All samples of an evaluation, and what they say.

    Attributes:
        tasks: the problems.
        samples: ordered by problem, then index.
        accuracy: pass@1: the mean over problems of the share of right samples.
        pass_at: unbiased pass@k by k.
        cons_at: cons@k by k.
        unjudged: samples that could not be judged; they are left out of every mean, not counted as wrong.
        thinks_ratio: share of samples with something inside a closed think block.
        length_mean: mean tokens of a completion.
    """

    tasks: Sequence[Task]
    samples: list[Sample]
    accuracy: Estimate
    pass_at: dict[int, Estimate]
    cons_at: dict[int, Estimate]
    unjudged: int
    thinks_ratio: float
    length_mean: float

    def metrics(self) -> dict[str, float]:
        """The same as flat numbers under the names of `metrics.jsonl`; what is not finite is left out."""
        found = {
            "eval/accuracy": self.accuracy.value,
            "eval/accuracy_se": self.accuracy.error,
            "eval/thinks_ratio": self.thinks_ratio,
            "eval/length_mean": self.length_mean,
            "eval/n": float(self.accuracy.problems),
            "eval/samples": float(len(self.samples)),
            "eval/unjudged": float(self.unjudged),
        }
        for name, table in (("pass", self.pass_at), ("cons", self.cons_at)):
            for k, estimate in table.items():
                found[f"eval/{name}@{k}"] = estimate.value
                found[f"eval/{name}@{k}_se"] = estimate.error
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def rows(self) -> list[dict[str, Any]]:
        """One JSON-ready object a sample, with its prompt and reference."""
        return [
            {
                "id": self.tasks[sample.problem].id,
                "index": sample.index,
                "prompt": prompt_text(self.tasks[sample.problem].prompt),
                "completion": sample.completion,
                "answer": sample.answer,
                "reference": self.tasks[sample.problem].reference,
                "correct": sample.correct,
                "status": str(sample.status),
                "reason": sample.reason,
                "length": sample.length,
                "finish_reason": sample.finish_reason,
            }
            for sample in self.samples
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to sample.

    Attributes:
        sampling: temperature, top-p and length of one completion.
        samples: completions of each problem, at least 1.
        seed: the same seed, problems and weights give the same samples.
        batch: problems sent to the generator at once.
        ks: the k of pass@k and cons@k; each at most `samples`.
    """

    sampling: SamplingParams
    samples: int = 4
    seed: int = 0
    batch: int = 256
    ks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuses counts that contradict each other."""
        if self.samples < 1 or self.batch < 1:
            raise InvalidInputError(f"samples is {self.samples} and batch {self.batch}: give at least 1")
        for k in self.ks:
            if not 1 <= k <= self.samples:
                raise InvalidInputError(
                    f"k = {k} needs at least {k} samples of each problem; samples is {self.samples}"
                )


def evaluate(
    generator: Generator,
    tasks: Sequence[Task],
    codec: Codec,
    scorer: TextScorer,
    plan: Plan,
    *,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Samples every problem and judges the samples.

    Args:
        generator: completes the prompts.
        tasks: the problems, at least one.
        codec: encodes prompts and decodes completions.
        scorer: judges; its first component says right (1) or wrong.
        plan: how to sample.
        progress: called after each batch with the number of problems finished.

    Raises:
        InvalidInputError: no task.
        UnavailableError: the generator or a remote scorer cannot be reached.
    """
    if not tasks:
        raise InvalidInputError("eval: there is no problem to evaluate on")
    samples: list[Sample] = []
    for start in range(0, len(tasks), plan.batch):
        part = tasks[start : start + plan.batch]
        groups = generator.generate(
            [codec.encode(task) for task in part],
            group_size=plan.samples,
            sampling=plan.sampling,
            seed=plan.seed,
            first_group_id=start,
        )
        samples += _judge(sorted(groups, key=lambda group: group.group_id), tasks, codec, scorer)
        if progress:
            progress(min(start + plan.batch, len(tasks)))
    return summarise(tasks, samples, ks=plan.ks)


def summarise(tasks: Sequence[Task], samples: list[Sample], *, ks: Sequence[int] = ()) -> Evaluation:
    """The estimates that judged samples give; problems with too few judged samples for a k are left out of that k."""
    by_problem: dict[int, list[Sample]] = {}
    for sample in samples:
        if sample.correct is not None:
            by_problem.setdefault(sample.problem, []).append(sample)
    shares = [sum(bool(s.correct) for s in members) / len(members) for members in by_problem.values()]
    pass_at: dict[int, Estimate] = {}
    cons_at: dict[int, Estimate] = {}
    for k in ks:
        enough = [members for members in by_problem.values() if len(members) >= k]
        right = [sum(bool(s.correct) for s in members) for members in enough]
        pass_at[k] = mean_over_problems(
            [pass_at_k(len(members), count, k) for members, count in zip(enough, right, strict=True)]
        )
        cons_at[k] = mean_over_problems([_consensus(members, k) for members in enough])
    return Evaluation(
        tasks=tasks,
        samples=samples,
        accuracy=mean_over_problems(shares),
        pass_at=pass_at,
        cons_at=cons_at,
        unjudged=sum(sample.correct is None for sample in samples),
        thinks_ratio=_mean([float(_thinks(sample.completion)) for sample in samples]),
        length_mean=_mean([float(sample.length) for sample in samples]),
    )


def _judge(groups: Sequence[RolloutGroup], tasks: Sequence[Task], codec: Codec, scorer: TextScorer) -> list[Sample]:
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    texts = [codec.decode(rollout.token_ids) for rollout in rollouts]
    scores = scorer.score(texts, [tasks[rollout.group_id].reference for rollout in rollouts])
    values = next(iter(scores.components.values()))
    return [
        Sample(
            problem=rollout.group_id,
            index=rollout.index,
            completion=text,
            answer=scores.answers[position],
            correct=None if scores.status[position] is not Status.SCORED else bool(values[position] == 1.0),
            status=scores.status[position],
            reason=scores.reasons[position],
            length=len(rollout.token_ids),
            finish_reason=rollout.finish_reason,
        )
        for position, (rollout, text) in enumerate(zip(rollouts, texts, strict=True))
    ]


def _consensus(members: list[Sample], k: int) -> float:
    verdicts = {sample.answer: bool(sample.correct) for sample in members}
    return consensus_at_k(
        [sample.answer for sample in members],
        k,
        same=lambda first, second: bool(verify(first, second)),
        is_right=lambda answer: verdicts[answer],
    )


def _thinks(completion: str) -> bool:
    """Whether there is thinking: something other than white space before the first `</think>`."""
    head, closing, _ = completion.partition("</think>")
    return bool(closing) and bool(head.rpartition("<think>")[2].strip())


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
