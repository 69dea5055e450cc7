"""Schedules: which groups come when, how old they may be, how many may wait; and whole runs under each of them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from assay.data import Task
from assay.errors import InvalidSpecError, UnavailableError
from assay.recipe import flow as flow_module
from assay.recipe import load_recipe, run_recipe
from assay.recipe.flow import Flow
from assay.recipe.schedule import Schedule, asynchronous, finished_first, oldest, one_step_off, synchronous
from assay.rollout import Rollout, RolloutGroup, SamplingParams
from assay.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROMPTS = 4


# -- the choice alone


def test_oldest_waits_for_the_oldest():
    due = dict.fromkeys(range(6), 0)
    assert oldest(due, [5, 4, 2, 1, 0], 3, 0) == [0, 1, 2]
    assert oldest(due, [5, 4, 3, 2, 1], 3, 0) is None


def test_finished_first_takes_what_is_there_unless_something_must_come():
    due = {0: 2, 1: 2, 2: 3, 3: 3, 4: 4, 5: 4}
    assert finished_first(due, [5, 4], 2, 0) == [5, 4]
    assert finished_first(due, [5], 2, 0) is None
    # At step 2 both groups due then are needed; at step 1 there is still a step for them.
    assert finished_first(due, [5, 4, 1], 2, 2) is None
    assert finished_first(due, [5, 4, 1, 0], 2, 2) == [1, 0]
    assert finished_first({0: 2, 1: 2, 2: 2, 3: 3}, [3, 2, 1], 2, 1) == [2, 3]


def test_whatever_finishes_when_no_group_is_ever_too_old():
    rng = random.Random(5)
    for _ in range(300):
        count, ahead = rng.randint(1, 4), rng.randint(1, 3)
        bound = rng.randint(ahead, 5)
        due: dict[int, int] = {}
        finished: list[int] = []
        begun = 0
        taken: list[int] = []
        for step in range(12):
            while len(due) + count <= (1 + ahead) * count:
                due |= dict.fromkeys(range(begun, begun + count), step + bound)
                begun += count
            while (chosen := finished_first(due, finished, count, step)) is None:
                finished.append(rng.choice([group for group in due if group not in finished]))
            assert len(set(chosen)) == count
            for group in chosen:
                assert due.pop(group) >= step
                finished.remove(group)
            taken += chosen
        assert len(set(taken)) == len(taken)


# -- the flow, with a generator whose groups finish when the test says so


class Stepped:
    """Yields the groups of a call in the order in which the test finishes them."""

    def __init__(self) -> None:
        self.version = 0
        self.state = threading.Condition()
        self.allowed: list[int] = []
        self.calls: list[list[int]] = []
        self.yielded: list[int] = []
        self.everything = False
        self.error: Exception | None = None

    def generate(self, prompts: list[Any], *, first_group_id: int, **_: object) -> Iterator[RolloutGroup]:
        left = list(range(first_group_id, first_group_id + len(prompts)))
        self.calls.append(list(left))
        begun = self.version
        while left:
            with self.state:
                self.state.wait_for(lambda: self.error or self.everything or set(left) & set(self.allowed))
                if self.error:
                    raise self.error
                group = left[0] if self.everything else next(g for g in self.allowed if g in left)
                self.yielded.append(group)
            left.remove(group)
            ids = np.array([group + 1], dtype=np.uint32)
            rollouts = [Rollout(group, i, ids, ids, np.zeros(1, np.float32), "stop", begun) for i in range(2)]
            yield RolloutGroup(group, ids, rollouts)

    def finish(self, *groups: int) -> None:
        with self.state:
            self.allowed += groups
            self.state.notify_all()

    def abort(self) -> None:
        with self.state:
            self.error = self.error or UnavailableError("aborted")
            self.state.notify_all()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch):
    made: list[Flow] = []

    def scored(groups: list[RolloutGroup], tasks: list[Task], *_: object) -> flow_module.ScoredBatch:
        [group], [task] = groups, tasks
        n = len(group.rollouts)
        scores = Scores(np.zeros(n), {}, ["scored"] * n, [None] * n, [None] * n)
        return flow_module.ScoredBatch(group.rollouts, [task] * n, [""] * n, scores)

    monkeypatch.setattr(flow_module, "score_groups", scored)

    def build(schedule: Schedule, generator: Stepped, **run: Any) -> tuple[Flow, Any]:
        tasks = [Task(str(i), str(i), None, "test") for i in range(1000)]
        state = SimpleNamespace(step=0, position=0, ahead=[], **run) if not run else SimpleNamespace(**run)
        stage = SimpleNamespace(
            name="grpo",
            prompts_per_step=PROMPTS,
            group_size=2,
            scorer=None,
            rows_from={},
            max_new_tokens_at=lambda _: 1,
        )
        context: Any = SimpleNamespace(
            problems={"grpo": SimpleNamespace(train=tasks)},
            recipe=SimpleNamespace(seed=0, scorer=SimpleNamespace(remote=None, rows_field="kind")),
            generator=generator,
            policy=SimpleNamespace(tokenizer=None),
            prompt_ids=lambda picked, _: [np.array([1], np.uint32) for _ in picked],
            weight_version=0,
            reward_servers=None,
        )
        sampling: Any = SamplingParams(1)
        made.append(Flow(context, stage, state, schedule=schedule, sampling=sampling, scorer=None))  # type: ignore[arg-type]
        return made[-1], state

    yield build
    for each in made:
        each.close()


def ids(batch: flow_module.ScoredBatch) -> list[int]:
    return sorted(set(batch.group_ids.tolist()))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_synchronous_begins_a_batch_when_it_is_asked_for(make):
    generator = Stepped()
    generator.everything = True
    flow, run = make(synchronous(), generator)
    for step in range(3):
        assert len(generator.calls) == step
        assert ids(flow.take(steps_left=3 - step)) == list(range(4 * step, 4 * step + 4))
        run.step += 1
    assert (run.position, run.ahead) == (12, [])


def test_one_step_off_samples_the_next_batch_during_a_step_and_settles_before_the_weights_change(make):
    generator = Stepped()
    flow, run = make(one_step_off(), generator)
    generator.finish(0, 1, 2, 3)
    assert ids(flow.take(steps_left=3)) == [0, 1, 2, 3]
    until(lambda: len(generator.calls) == 2)
    settled = threading.Thread(target=flow.settle)
    settled.start()
    generator.finish(7, 5, 4)
    settled.join(timeout=0.1)
    assert settled.is_alive()
    generator.finish(6)
    settled.join(timeout=30)
    assert not settled.is_alive()
    run.step = 1
    generator.everything = True
    assert ids(flow.take(steps_left=2)) == [4, 5, 6, 7]
    run.step = 2
    assert ids(flow.take(steps_left=1)) == [8, 9, 10, 11]
    assert len(generator.calls) == 3  # nothing is begun that no step will train on


def test_asynchronous_takes_what_finished_first_and_the_old_ones_in_time(make):
    generator = Stepped()
    flow, run = make(asynchronous(ahead=1, max_staleness=2, queue_groups=0), generator)
    generator.finish(7, 6, 5, 4)  # the second batch is faster than the first
    assert ids(flow.take(steps_left=9)) == [4, 5, 6, 7]
    assert (run.position, run.ahead) == (0, [4, 5, 6, 7])
    flow.settle()  # waits for nothing
    run.step, generator.version = 1, 1
    generator.finish(11, 10, 0, 9)
    # Groups 0 to 3 are due at step 2, which can take all four: none of them is needed yet.
    assert ids(flow.take(steps_left=8)) == [0, 9, 10, 11]
    assert (run.position, run.ahead) == (1, [4, 5, 6, 7, 9, 10, 11])
    run.step, generator.version = 2, 2
    waiting = threading.Thread(target=lambda: taken.append(ids(flow.take(steps_left=7))))
    taken: list[list[int]] = []
    waiting.start()
    generator.finish(8, 12, 13, 14, 15)
    waiting.join(timeout=0.2)
    assert waiting.is_alive()  # 1, 2 and 3 must come now
    generator.finish(3, 2, 1)
    waiting.join(timeout=30)
    [last] = taken
    assert {1, 2, 3} < set(last)
    assert flow.metrics(SimpleNamespace(rollouts=[]), 1)["queue/finished"] >= 3  # type: ignore[arg-type]


def test_a_full_queue_holds_the_generator_back_until_the_learner_asks(make):
    generator = Stepped()
    flow, run = make(asynchronous(ahead=3, max_staleness=3, queue_groups=2), generator)
    generator.finish(0, 1, 2, 3)
    flow.take(steps_left=9)
    until(lambda: len(generator.calls) == 4)
    with generator.state:
        generator.everything = True
        generator.state.notify_all()
    until(lambda: flow.metrics(SimpleNamespace(rollouts=[]), 1)["queue/finished"] >= 2)  # type: ignore[arg-type]
    time.sleep(0.2)
    # Two that wait, and at most one in the hand of each of the three calls.
    assert len(generator.yielded) <= PROMPTS + 2 + 3
    run.step = 1
    assert ids(flow.take(steps_left=8)) == [4, 5, 6, 7] or run.ahead


def test_a_resumed_run_begins_what_was_not_trained_on_and_nothing_twice(make):
    generator = Stepped()
    generator.everything = True
    flow, run = make(synchronous(), generator, step=2, position=1, ahead=[2, 3, 6])
    assert ids(flow.take(steps_left=5)) == [1, 4, 5, 7]
    assert generator.calls == [[1], [4, 5], [7]]
    assert (run.position, run.ahead) == (8, [])
    assert ids(flow.take(steps_left=4)) == [8, 9, 10, 11]


@pytest.mark.parametrize(
    "schedule", [synchronous(), one_step_off(), asynchronous(ahead=1, max_staleness=1, queue_groups=1)]
)
def test_what_stops_the_generator_or_the_scorer_stops_the_step(make, monkeypatch, schedule: Schedule):
    generator = Stepped()
    generator.error = UnavailableError("the server is gone")
    flow, _ = make(schedule, generator)
    with pytest.raises(UnavailableError, match="the server is gone"):
        flow.take(steps_left=3)
    flow.close()

    def broken(*_: object) -> None:
        raise UnavailableError("no reward")

    monkeypatch.setattr(flow_module, "score_groups", broken)
    generator = Stepped()
    generator.everything = True
    flow, _ = make(schedule, generator)
    with pytest.raises(UnavailableError, match="no reward"):
        flow.take(steps_left=3)


# -- whole runs

OVERLAP = "stage.grpo.pipeline={ kind = 'one_step_off' }"
ASYNC = "stage.grpo.pipeline={ kind = 'asynchronous', ahead = 2, max_staleness = 3 }"


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == "grpo"]


def test_one_step_off_trains_on_the_batch_before_and_repeats_itself(small_recipe: Path, tmp_path: Path):
    recipe = load_recipe(small_recipe, [OVERLAP, "stage.sft.steps=2", "stage.grpo.kl_coefficient=0"])
    for name in "ab":
        assert run_recipe(recipe, tmp_path / name)["complete"]
    found = rows(tmp_path / "a")
    assert [row["staleness/max"] for row in found] == [0, 1, 1, 1, 1, 1]
    assert [row["train/stale_sequences"] > 0 for row in found] == [False, True, True, True, True, True]
    assert [row["reward/mean"] for row in found] == [row["reward/mean"] for row in rows(tmp_path / "b")]
    assert (tmp_path / "a/samples.jsonl").read_bytes() == (tmp_path / "b/samples.jsonl").read_bytes()
    assert all(row["idle_s/learner"] >= 0 and row["idle_s/generator"] >= 0 for row in found)


def test_local_in_a_process_of_its_own_is_the_same_run_bit_for_bit(small_recipe: Path, tmp_path: Path):
    short = ["stage.sft.steps=2", "stage.grpo.steps=2"]
    run_recipe(load_recipe(small_recipe, short), tmp_path / "here")
    run_recipe(load_recipe(small_recipe, [*short, "generator={ kind = 'local', process = true }"]), tmp_path / "there")
    last = "checkpoints/grpo/step-000002/model/model.safetensors"
    assert (tmp_path / "here" / last).read_bytes() == (tmp_path / "there" / last).read_bytes()
    assert (tmp_path / "here/samples.jsonl").read_bytes() == (tmp_path / "there/samples.jsonl").read_bytes()


KILLER = """
    import os, signal, subprocess, sys, time
    recipe, out, overrides = sys.argv[1], sys.argv[2], sys.argv[3:]
    command = [sys.executable, "-m", "assay.cli", "train", recipe, "--out", out]
    for override in overrides:
        command += ["--set", override]
    metrics = os.path.join(out, "metrics.jsonl")
    for attempt, wanted in enumerate((8, 10 ** 9)):
        with subprocess.Popen(command + (["--resume"] if attempt else []), stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if os.path.exists(metrics) and open(metrics).read().count("\\n") >= wanted:
                    process.kill()
                time.sleep(0.01)
    sys.exit(process.returncode)
"""


@pytest.mark.timeout(300)
def test_asynchronous_killed_and_resumed_trains_every_prompt_once(small_recipe: Path, tmp_path: Path):
    script = tmp_path / "killer.py"
    script.write_text(textwrap.dedent(KILLER))
    text = small_recipe.read_text()
    small_recipe.write_text(
        text[: text.index('[[stage]]\nkind = "eval"\nname = "before"')] + text[text.index('[[stage]]\nkind = "grpo"') :]
    )
    overrides = [
        ASYNC,
        "stage.grpo.steps=10",
        "stage.grpo.sample_groups=4",
        "stage.grpo.kl_coefficient=0",
        "stage.grpo.inner_epochs=1",
    ]
    overrides += ["stage.grpo.checkpoint_every=3", "stage.sft.steps=1", "stage.after.problems=1"]
    done = subprocess.run(
        [sys.executable, script, small_recipe, tmp_path / "run", *overrides],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0
    found = rows(tmp_path / "run")
    assert [row["step"] for row in found] == list(range(1, 11))
    assert all(row["staleness/max"] <= 3 for row in found)
    samples = [json.loads(line) for line in (tmp_path / "run/samples.jsonl").read_text().splitlines()]
    trained = [(row["group_id"], row["index"]) for row in samples if row["stage"] == "grpo"]
    assert sorted(trained) == [(group, index) for group in range(40) for index in range(4)]


def test_a_bound_that_cannot_be_kept_is_refused(small_recipe: Path):
    with pytest.raises(InvalidSpecError, match="max_staleness must be at least ahead, which is 3"):
        load_recipe(small_recipe, ["stage.grpo.pipeline={ kind = 'asynchronous', ahead = 3, max_staleness = 2 }"])
    with pytest.raises(InvalidSpecError, match="pipeline"):
        load_recipe(small_recipe, ["stage.grpo.pipeline={ kind = 'asynchron' }"])
