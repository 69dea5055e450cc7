"""A discrete-event simulation of generation, rewards and training, for what sums cannot say: idle time, tails, staleness.

Every completion is an event: it starts in a slot of an engine, ends after its length in decode steps (whose time depends on
how many are in flight), is scored after the reward's latency, and waits until a batch is complete. Time stands still
nowhere and is never the wall's: the same seed gives the same run on every machine.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Mode = Literal["sync", "async"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is simulated.

    Attributes:
        mode: `sync`: a batch is generated, then trained on, and only then is the next one begun. `async`: generation goes
            on while a batch is trained on, within the bound of `staleness`, and completions in flight go on with new weights.
        engines: how many generate.
        slots: sequences that one engine holds at once.
        batch: completions of a training step.
        steps: training steps to simulate.
        step_seconds: seconds of a decode step with so many sequences in flight.
        length: draws the length of a completion.
        train_seconds: of one training step.
        sync_seconds: of a weight update, in which no engine generates.
        reward_seconds: mean latency of a reward; it is exponential, so that some take long.
        reward_workers: rewards computed at once; the others wait.
        staleness: with `async`, the most versions between the first token of a completion and the weights it trains.
    """

    mode: Mode
    engines: int
    slots: int
    batch: int
    steps: int
    step_seconds: Callable[[int], float]
    length: Callable[[random.Random], int]
    train_seconds: float
    sync_seconds: float = 0.0
    reward_seconds: float = 0.0
    reward_workers: int = 64
    staleness: int = 1

    def __post_init__(self) -> None:
        """Refuses what cannot run."""
        counts = (self.engines, self.slots, self.batch, self.steps, self.reward_workers)
        if min(counts) < 1 or self.staleness < 0:
            raise InvalidInputError(
                "simulation: engines, slots, batch, steps and reward workers are at least 1, staleness at least 0"
            )
        if min(self.train_seconds, self.sync_seconds, self.reward_seconds) < 0:
            raise InvalidInputError("simulation: seconds are not negative")

    @property
    def ahead(self) -> int:
        """Batches that may be begun beyond the one being trained on."""
        return self.staleness if self.mode == "async" else 0


@dataclass(slots=True)
class Simulated:
    """What came of it.

    Attributes:
        seconds: until the last training step ended.
        step_seconds: mean seconds from one training step's end to the next, the first left out if there are several.
        trainer_idle: share of the time in which nothing trained.
        slots_idle: share of the slots' time in which they held no sequence.
        staleness: how many completions were trained on so many versions after they began.
        reward_wait_mean, reward_wait_max: seconds from a completion's end to its reward.
        longest_wait_share: share of a batch's collecting time spent on its last tenth: the tail.
    """

    seconds: float = 0.0
    step_seconds: float = 0.0
    trainer_idle: float = 0.0
    slots_idle: float = 0.0
    staleness: dict[int, int] = field(default_factory=dict[int, int])
    reward_wait_mean: float = 0.0
    reward_wait_max: float = 0.0
    longest_wait_share: float = 0.0

    @property
    def staleness_mean(self) -> float:
        """Mean versions between a completion's first token and its training."""
        total = sum(self.staleness.values())
        return sum(age * count for age, count in self.staleness.items()) / total if total else 0.0


@dataclass(slots=True)
class _Engine:
    """Sequences in flight advance together, one token a step; `clock` counts steps, `at` is the time of that count."""

    clock: float = 0.0
    at: float = 0.0
    active: list[tuple[float, int, int]] = field(default_factory=list[tuple[float, int, int]])  # end, order, version
    epoch: int = 0
    busy: float = 0.0


def simulate(setting: Setting, *, seed: int = 0) -> Simulated:
    """Runs the simulation; deterministic by seed."""
    return _Run(setting, seed).run()


class _Run:
    def __init__(self, setting: Setting, seed: int) -> None:
        self.set = setting
        self.rng = random.Random(seed)  # noqa: S311 - repeatable by intention
        self.engines = [_Engine() for _ in range(setting.engines)]
        self.events: list[tuple[float, int, str, int, int]] = []
        self.order = 0
        self.started = self.consumed = self.version = self.done = 0
        self.ready: list[tuple[int, float]] = []  # version at its first token, when it was scored
        self.ready_of: dict[int, int] = {}  # how many of them, by version
        self.open_of: dict[int, int] = {}  # begun and not yet trained on, by version
        self.training: list[int] | None = None
        self.trained = 0.0
        self.ends: list[float] = []
        self.workers = [0.0] * setting.reward_workers
        self.waits: list[float] = []
        self.tails: list[float] = []
        self.blocked_until = 0.0
        self.result = Simulated()

    def run(self) -> Simulated:
        self._fill(0.0, range(self.set.engines))
        while self.done < self.set.steps:
            now, _, kind, which, epoch = heapq.heappop(self.events)
            if kind == "ended":
                engine = self.engines[which]
                if epoch == engine.epoch:
                    self._ended(engine, which, now)
            elif kind == "scored":
                heapq.heappush(self.ready, (which, now))
                self.ready_of[which] = self.ready_of.get(which, 0) + 1
                self._train(now)
            else:
                self._trained(now)
        return self._summary()

    # -- generation

    def _fill(self, now: float, among: Sequence[int]) -> None:
        """Starts as many completions as the schedule and the slots of some engines allow, on the emptiest first."""
        allowed = self.consumed + (self.set.ahead + 1) * self.set.batch - self.started
        touched = [index for index in among if len(self.engines[index].active) < self.set.slots]
        if allowed <= 0 or not touched:
            return
        heap = [(len(self.engines[index].active), index) for index in touched]
        heapq.heapify(heap)
        for index in touched:
            self._advance(self.engines[index], now)
        begun = 0
        while begun < allowed and heap[0][0] < self.set.slots:
            size, index = heapq.heappop(heap)
            engine = self.engines[index]
            self.order += 1
            heapq.heappush(engine.active, (engine.clock + self.set.length(self.rng), self.order, self.version))
            heapq.heappush(heap, (size + 1, index))
            begun += 1
        self.started += begun
        self.open_of[self.version] = self.open_of.get(self.version, 0) + begun
        for index in touched:
            self._schedule(index)

    def _advance(self, engine: _Engine, now: float) -> None:
        passed = now - engine.at
        if passed <= 0:
            return
        if engine.active:
            engine.clock += passed / self.set.step_seconds(len(engine.active))
            engine.busy += passed * len(engine.active)
        engine.at = now

    def _schedule(self, index: int) -> None:
        engine = self.engines[index]
        engine.epoch += 1
        if engine.active:
            left = max(0.0, engine.active[0][0] - engine.clock)
            self._push(engine.at + left * self.set.step_seconds(len(engine.active)), "ended", index, engine.epoch)

    def _ended(self, engine: _Engine, index: int, now: float) -> None:
        self._advance(engine, now)
        end, _, version = heapq.heappop(engine.active)
        engine.clock = max(engine.clock, end)
        free = heapq.heappop(self.workers)
        begin = max(free, now)
        latency = self.rng.expovariate(1 / self.set.reward_seconds) if self.set.reward_seconds else 0.0
        heapq.heappush(self.workers, begin + latency)
        self.waits.append(begin + latency - now)
        self._push(begin + latency, "scored", version, 0)
        self._schedule(index)
        # When completions may be begun, every other engine is full already.
        self._fill(now, [index])

    # -- training

    def _train(self, now: float) -> None:
        if self.training is not None or self.done == self.set.steps or len(self.ready) < self.set.batch:
            return
        if not self._may_train():
            return
        now = max(now, self.blocked_until)
        taken = [heapq.heappop(self.ready) for _ in range(self.set.batch)]
        times = sorted(when for _, when in taken)
        first = max(times[0], self.ends[-1] if self.ends else 0.0)
        last, tenth = times[-1], times[int(0.9 * (len(times) - 1))]
        if last > first:
            self.tails.append((last - max(tenth, first)) / (last - first))
        self.training = [version for version, _ in taken]
        for version in self.training:
            self.ready_of[version] -= 1
            self.open_of[version] -= 1
            age = self.version - version
            self.result.staleness[age] = self.result.staleness.get(age, 0) + 1
        self._push(now + self.set.train_seconds, "trained", 0, 0)
        self.trained += self.set.train_seconds

    def _may_train(self) -> bool:
        """Whether a batch of the oldest that are ready leaves none behind that a later batch could only take too old.

        Of what was begun at version v or before, at most `j` batches may be left when `j` updates remain until it is too
        old; otherwise training waits for those in flight.
        """
        room, left = self.set.batch, 0
        for version in sorted(version for version, count in self.open_of.items() if count):
            taken = min(room, self.ready_of.get(version, 0))
            room -= taken
            left += self.open_of[version] - taken
            updates = version - (self.version - self.set.ahead)
            if left > max(updates, 0) * self.set.batch:
                return False
        return True

    def _trained(self, now: float) -> None:
        self.training = None
        self.consumed += self.set.batch
        self.version += 1
        self.done += 1
        end = now + self.set.sync_seconds
        self.ends.append(end)
        self.blocked_until = end
        for index, engine in enumerate(self.engines):
            # While weights change nothing is generated; completions in flight go on where they were.
            self._advance(engine, now)
            engine.at = end
            self._schedule(index)
        self._fill(end, range(self.set.engines))
        self._train(end)

    def _push(self, when: float, kind: str, which: int, epoch: int) -> None:
        self.order += 1
        heapq.heappush(self.events, (when, self.order, kind, which, epoch))

    def _summary(self) -> Simulated:
        made = self.result
        made.seconds = self.ends[-1]
        first = self.ends[0] if len(self.ends) > 1 else 0.0
        made.step_seconds = (made.seconds - first) / max(1, len(self.ends) - 1)
        made.trainer_idle = 1.0 - self.trained / made.seconds if made.seconds else 0.0
        held = sum(engine.busy for engine in self.engines)
        made.slots_idle = 1.0 - held / (made.seconds * self.set.engines * self.set.slots) if made.seconds else 0.0
        made.reward_wait_mean = sum(self.waits) / len(self.waits) if self.waits else 0.0
        made.reward_wait_max = max(self.waits, default=0.0)
        made.longest_wait_share = sum(self.tails) / len(self.tails) if self.tails else 0.0
        return made
