"""Groups on their way from the generator through the scorer to the learner, under a schedule."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.recipe.order import derive_seed
from assay.recipe.phases import Phases
from assay.recipe.scoring import ScoredBatch, merge, score_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data import Task
    from assay.recipe.context import RunContext
    from assay.recipe.rewards import StageScorer
    from assay.recipe.schedule import Schedule
    from assay.recipe.schema import GrpoStage
    from assay.recipe.training import TrainingRun
    from assay.rollout import Rollout, RolloutGroup, SamplingParams

# A reward server answers many at once; in this process scoring has its own threads already.
_REMOTE_CALLS = 8


@dataclass(frozen=True, slots=True)
class _Part:
    """Prompts with positions one after the other, begun together."""

    start: int
    tasks: list[Task]
    seed: int
    step: int


class Flow:
    """Begins groups as the schedule allows, has each scored as soon as it is there, and hands them out by batches.

    A group is named by its prompt's position in the endless shuffled pass over the problems. Every position is begun
    once and handed out once; ``run.position`` and ``run.ahead`` say which were, so a checkpoint written after a step
    knows exactly which prompts were trained on, in whatever order, and a resumed run begins the others again.

    Args:
        context: The run.
        stage: Its table.
        run: Where it stands; ``take`` moves it.
        schedule: How generation and training take turns.
        sampling: How completions are drawn as the stage begins.
        scorer: What they are worth.
    """

    def __init__(
        self,
        context: RunContext,
        stage: GrpoStage,
        run: TrainingRun,
        *,
        schedule: Schedule,
        sampling: SamplingParams,
        scorer: StageScorer,
    ) -> None:
        self._context, self._stage, self._run = context, stage, run
        self._schedule, self._scorer = schedule, scorer
        config = stage.scorer or context.recipe.scorer
        seed = derive_seed(context.recipe.seed, stage.name, "order")
        self._phases = Phases(stage, config, context.problems[stage.name].train, sampling, seed)
        self._cursor = run.position
        self._due: dict[int, int] = {}
        self._finished: dict[int, ScoredBatch] = {}
        self._handed = 0
        self._state = threading.Condition()
        self._failure: BaseException | None = None
        self._waiting = self._closed = False
        self._threads: list[threading.Thread] = []
        self._active, self._idle_since, self._idle_s = 0, time.perf_counter(), 0.0
        self._score_s = self._wait_s = self._generate_s = 0.0
        remote = config.remote or context.reward_servers
        self._scoring = ThreadPoolExecutor(_REMOTE_CALLS if remote else 1, thread_name_prefix="score")

    def take(self, *, steps_left: int) -> ScoredBatch:
        """Waits for the next ``prompts_per_step`` groups and returns them in the order of their positions.

        Args:
            steps_left: Steps of the stage that are still to be trained, this one included; no more is begun than they
                need.

        Raises:
            UnavailableError: A generator or a reward server is gone.
        """
        count = self._stage.prompts_per_step
        started = time.perf_counter()
        self._begin(min(1 + self._schedule.ahead, steps_left) * count)
        with self._state:
            self._waiting = True
            self._state.notify_all()
            chosen = None
            while self._failure is None and chosen is None:
                chosen = self._schedule.choose(self._due, list(self._finished), count, self._run.step)
                if chosen is None:
                    self._state.wait()
            self._waiting = False
            if self._failure is not None:
                raise self._failure
            groups = sorted(chosen or [])
            batches = [self._finished.pop(group) for group in groups]
            for group in groups:
                del self._due[group]
            self._handed -= len(groups)
            self._state.notify_all()
        self._wait_s += time.perf_counter() - started
        _mark(self._run, groups)
        return merge(batches)

    def settle(self) -> None:
        """Call before the weights change: waits for what is under way, unless weights may change in its middle.

        Raises:
            UnavailableError: A generator or a reward server is gone.
        """
        if self._schedule.in_flight:
            return
        started = time.perf_counter()
        with self._state:
            self._waiting = True
            self._state.notify_all()
            self._state.wait_for(lambda: self._failure is not None or len(self._finished) == len(self._due))
            self._waiting = False
            if self._failure is not None:
                raise self._failure
        self._wait_s += time.perf_counter() - started

    def metrics(self, batch: ScoredBatch, updates: int) -> dict[str, float]:
        """Staleness of a batch at the weights it was trained on, the queue, and times since the last call.

        Args:
            batch: From ``take``.
            updates: How much one step adds to the version of the weights.

        Returns:
            ``staleness/mean`` over tokens and ``staleness/max`` in steps; ``queue/finished`` and ``queue/under_way`` in
            groups; ``idle_s/learner`` (waiting for groups) and ``idle_s/generator`` (nothing to sample);
            ``timing_s/generate`` (as much of the time as the generator had work) and ``timing_s/score`` (all calls).
        """
        version = self._context.weight_version
        with self._state:
            now = time.perf_counter()
            if not self._active:
                self._idle_s += now - self._idle_since
            else:
                self._generate_s += now - self._idle_since
            self._idle_since = now
            found = {
                **_staleness(batch.rollouts, version, updates),
                "queue/finished": float(len(self._finished)),
                "queue/under_way": float(len(self._due) - len(self._finished)),
                "idle_s/learner": self._wait_s,
                "idle_s/generator": self._idle_s,
                "timing_s/generate": self._generate_s,
                "timing_s/score": self._score_s,
            }
            self._idle_s = self._score_s = self._wait_s = self._generate_s = 0.0
        return found

    def close(self) -> None:
        """Gives up what is under way. Twice is harmless."""
        with self._state:
            self._closed = True
            self._state.notify_all()
        while any(thread.is_alive() for thread in self._threads):
            self._context.generator.abort()
            self._threads[-1].join(timeout=0.2)
            self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._scoring.shutdown(cancel_futures=True)

    # -- generation ----------------------------------------------------------------------------------------------

    def _begin(self, limit: int) -> None:
        """Begins batches of prompts until ``limit`` groups are begun and not taken."""
        count = self._stage.prompts_per_step
        while len(self._due) + count <= limit:
            positions = self._next(count)
            # The step that they will be trained in, unless others finish first.
            step = self._run.step + 1 + len(self._due) // count
            with self._state:
                self._due |= dict.fromkeys(positions, self._run.step + self._schedule.max_staleness)
            for part in self._parts(positions, step):
                if self._schedule.ahead:
                    thread = threading.Thread(
                        target=self._pump, args=(part,), name=f"rollouts-{part.start}", daemon=True
                    )
                    self._threads = [*(other for other in self._threads if other.is_alive()), thread]
                    thread.start()
                else:
                    self._pump(part)

    def _next(self, count: int) -> list[int]:
        positions: list[int] = []
        skipped = set(self._run.ahead)
        while len(positions) < count:
            if self._cursor not in skipped:
                positions.append(self._cursor)
            self._cursor += 1
        return positions

    def _parts(self, positions: Sequence[int], step: int) -> list[_Part]:
        """Positions as runs without a gap; only the first batches of a resumed run have gaps."""
        stage, run_seed = self._stage, self._context.recipe.seed
        cuts = [0, *(i for i in range(1, len(positions)) if positions[i] != positions[i - 1] + 1), len(positions)]
        parts: list[_Part] = []
        for begin, end in itertools.pairwise(cuts):
            tasks = self._phases.tasks(step, positions[begin], end - begin)
            number = positions[begin] // stage.prompts_per_step
            seed = derive_seed(run_seed, stage.name, "sample", number)
            parts.append(_Part(positions[begin], tasks, seed, step))
        return parts

    def _pump(self, part: _Part) -> None:
        """Samples the groups of a part and passes each to the scorer."""
        self._count(1)
        try:
            groups = self._context.generator.generate(
                self._context.prompt_ids(part.tasks, self._stage),
                group_size=self._stage.group_size,
                sampling=self._phases.sampling(part.step),
                seed=part.seed,
                first_group_id=part.start,
            )
            for group in groups:
                if self._closed:
                    return
                with self._state:
                    self._handed += 1
                task = part.tasks[group.group_id - part.start]
                call = self._scoring.submit(self._score, group, task, part.step)
                call.add_done_callback(self._note)
                self._hold_back()
        except BaseException as error:  # noqa: BLE001 - raised again where the learner waits
            self._fail(error)
        finally:
            self._count(-1)

    def _hold_back(self) -> None:
        """Waits while enough groups are scored or being scored and the learner is busy.

        The generator is then not asked for more, and begins no further groups.
        """
        limit = self._schedule.queue_groups
        if limit:
            with self._state:
                self._state.wait_for(lambda: self._closed or self._waiting or self._handed < limit)

    def _score(self, group: RolloutGroup, task: Task, step: int) -> None:
        started = time.perf_counter()
        scored = score_groups([group], [task], self._scorer, self._context.policy.tokenizer, step)
        with self._state:
            self._score_s += time.perf_counter() - started
            self._finished[group.group_id] = scored
            self._state.notify_all()

    def _note(self, call: Future[None]) -> None:
        if not call.cancelled() and (error := call.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._state:
            self._failure = self._failure or error
            self._state.notify_all()

    def _count(self, change: int) -> None:
        """Keeps the time during which the generator has work, and during which it has none."""
        with self._state:
            now = time.perf_counter()
            if self._active:
                self._generate_s += now - self._idle_since
            else:
                self._idle_s += now - self._idle_since
            self._active += change
            self._idle_since = now


def _mark(run: TrainingRun, groups: Sequence[int]) -> None:
    """Notes positions as trained on: ``position`` is the first that was not, ``ahead`` those behind it that were."""
    ahead = {*run.ahead, *groups}
    while run.position in ahead:
        ahead.remove(run.position)
        run.position += 1
    run.ahead = sorted(ahead)


def _staleness(rollouts: Sequence[Rollout], version: int, updates: int) -> dict[str, float]:
    spans = [(version - span.version, span.end - span.start) for rollout in rollouts for span in rollout.spans()]
    tokens = sum(length for _, length in spans)
    mean = sum(age * length for age, length in spans) / max(tokens, 1)
    oldest = max((version - rollout.weight_version for rollout in rollouts), default=0)
    return {"staleness/mean": float(np.divide(mean, updates)), "staleness/max": float(np.divide(oldest, updates))}
