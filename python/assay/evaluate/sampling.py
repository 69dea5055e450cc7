"""Sampling a model on problems: whatever is finished is handed on at once, whatever was finished before is left alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from assay.errors import InvalidInputError
from assay.evaluate.evaluation import Evaluation, Sample, TextScorer, judge, summarise
from assay.scores import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from assay.data import Task
    from assay.rollout.types import Generator, RolloutGroup, SamplingParams, TokenIds


class Codec(Protocol):
    """Between the words of a task and the tokens of a model."""

    def encode(self, task: Task) -> TokenIds:
        """The prompt as token ids, template included."""
        ...

    def decode(self, token_ids: TokenIds) -> str:
        """A completion as text, without its stop token."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How to sample.

    Attributes:
        sampling: temperature, top-p and length of one completion.
        samples: completions of each problem, at least 1.
        seed: the same seed, problems and weights give the same samples.
        batch: problems sent to the generator at once.
        ks: the k of pass@k and cons@k; each at most `samples`.
        together: the samples of a problem are asked for as one group, which the local generator completes with one
            prefill; otherwise each is asked for on its own, so that each is kept as soon as it is there.
    """

    sampling: SamplingParams
    samples: int = 4
    seed: int = 0
    batch: int = 256
    ks: tuple[int, ...] = ()
    together: bool = True

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
        progress: called with the number of samples so far.

    Raises:
        InvalidInputError: no task.
        UnavailableError: the generator or a remote scorer cannot be reached.
    """
    samples: list[Sample] = []
    for part in sample(generator, tasks, codec, scorer, plan):
        samples += part
        if progress:
            progress(len(samples))
    return summarise(samples, problems=len(tasks), ks=plan.ks)


def sample(
    generator: Generator,
    tasks: Sequence[Task],
    codec: Codec,
    scorer: TextScorer,
    plan: Plan,
    *,
    done: Collection[tuple[int, int]] = frozenset(),
) -> Iterator[list[Sample]]:
    """Yields judged samples as they are finished: a problem's at once, or one by one, as `plan.together` says.

    What was not done when a run was killed is drawn again as it would have been with `plan.together`; without it, the
    missing samples get a seed of their own, because the requests of a run are numbered without gaps.

    Args:
        generator: completes the prompts.
        tasks: the problems, at least one.
        codec: encodes prompts and decodes completions.
        scorer: judges.
        plan: how to sample.
        done: `(problem, index)` of the samples there are already.

    Raises:
        InvalidInputError: no task.
        UnavailableError: the generator or a remote scorer cannot be reached.
    """
    if not tasks:
        raise InvalidInputError("eval: there is no problem to evaluate on")
    asked = (
        _groups(generator, tasks, codec, plan, done) if plan.together else _singles(generator, tasks, codec, plan, done)
    )
    for samples, texts in asked:
        bare = [
            Sample(problem, index, text, None, None, Status.UNAVAILABLE, None, length, finish)
            for (problem, index, length, finish), text in zip(samples, texts, strict=True)
        ]
        yield judge(bare, [tasks[one.problem].reference for one in bare], scorer)


_Drawn = tuple[list[tuple[int, int, int, str]], list[str]]


def _groups(
    generator: Generator, tasks: Sequence[Task], codec: Codec, plan: Plan, done: Collection[tuple[int, int]]
) -> Iterator[_Drawn]:
    """Whole groups. Numbers go by position among all tasks, so that a sample does not depend on what was done before."""
    missing = [p for p in range(len(tasks)) if any((p, index) not in done for index in range(plan.samples))]
    for first, count in _stretches(missing, plan.batch):
        groups = generator.generate(
            [codec.encode(task) for task in tasks[first : first + count]],
            group_size=plan.samples,
            sampling=plan.sampling,
            seed=plan.seed,
            first_group_id=first,
        )
        for group in groups:
            yield _drawn(group, codec, [(group.group_id, rollout.index) for rollout in group.rollouts])


def _singles(
    generator: Generator, tasks: Sequence[Task], codec: Codec, plan: Plan, done: Collection[tuple[int, int]]
) -> Iterator[_Drawn]:
    """One request a sample, all in flight together as far as the generator allows."""
    wanted = [(p, i) for p in range(len(tasks)) for i in range(plan.samples) if (p, i) not in done]
    prompts = {problem: codec.encode(tasks[problem]) for problem in dict.fromkeys(p for p, _ in wanted)}
    seed = plan.seed
    if len(wanted) < len(tasks) * plan.samples:
        text = f"{plan.seed}\0{len(wanted)}".encode()
        seed = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1
    groups = generator.generate(
        [prompts[problem] for problem, _ in wanted], group_size=1, sampling=plan.sampling, seed=seed
    )
    for group in groups:
        yield _drawn(group, codec, [wanted[group.group_id]])


def _drawn(group: RolloutGroup, codec: Codec, places: list[tuple[int, int]]) -> _Drawn:
    facts = [
        (problem, index, len(rollout.token_ids), rollout.finish_reason)
        for (problem, index), rollout in zip(places, group.rollouts, strict=True)
    ]
    return facts, [codec.decode(rollout.token_ids) for rollout in group.rollouts]


def _stretches(positions: Sequence[int], longest: int) -> Iterator[tuple[int, int]]:
    """Runs of neighbouring positions as `(first, count)`, none longer than `longest`."""
    start = 0
    for end in range(1, len(positions) + 1):
        follows = end < len(positions) and positions[end] == positions[end - 1] + 1
        if not follows or end - start == longest:
            yield positions[start], end - start
            start = end
