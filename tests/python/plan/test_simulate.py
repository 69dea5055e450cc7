"""The simulation by hand, by what must hold, and by its seed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InvalidInputError
from assay.plan import Setting, simulate


def setting(**changes: Any) -> Setting:
    values: dict[str, Any] = {
        "mode": "sync",
        "engines": 2,
        "slots": 4,
        "batch": 8,
        "steps": 3,
        "step_seconds": lambda _batch: 1.0,
        "length": lambda _rng: 10,
        "train_seconds": 5.0,
    }
    return Setting(**{**values, **changes})


def test_a_synchronous_run_by_hand() -> None:
    made = simulate(setting(sync_seconds=1.0))
    # 10 s of generation, 5 s of training, 1 s of weights; everything is on policy.
    assert made.step_seconds == pytest.approx(16.0)
    assert made.seconds == pytest.approx(48.0)
    assert made.trainer_idle == pytest.approx(1 - 15 / 48)
    assert made.slots_idle == pytest.approx(1 - 30 / 48)
    assert made.staleness == {0: 24}


def test_an_asynchronous_run_hides_the_shorter_part() -> None:
    made = simulate(setting(mode="async", steps=6))
    assert made.step_seconds == pytest.approx(10.0)  # generation is longer than training, and never waits
    assert made.slots_idle < 0.1
    trains = simulate(setting(mode="async", steps=6, train_seconds=25.0))
    assert trains.step_seconds == pytest.approx(25.0)
    assert trains.trainer_idle < 0.1


def test_two_rounds_on_few_slots() -> None:
    # 8 completions on 4 slots: two rounds of 10 s.
    assert simulate(setting(engines=1, train_seconds=0.0)).step_seconds == pytest.approx(20.0)


def test_a_tail_makes_everyone_wait() -> None:
    def one_long(rng: random.Random) -> int:
        return 100 if rng.random() < 0.15 else 10

    made = simulate(setting(length=one_long, steps=20, train_seconds=0.0), seed=1)
    assert made.slots_idle > 0.4
    assert made.longest_wait_share > 0.5


def test_slow_rewards_queue() -> None:
    quick = simulate(setting(reward_seconds=1.0, reward_workers=64))
    queued = simulate(setting(reward_seconds=1.0, reward_workers=1))
    assert queued.reward_wait_mean > quick.reward_wait_mean > 0
    assert queued.step_seconds > quick.step_seconds
    assert queued.reward_wait_max >= queued.reward_wait_mean


@settings(max_examples=40)
@given(st.integers(0, 3), st.integers(0, 2**32), st.floats(0, 40), st.integers(1, 6))
def test_staleness_stays_within_its_bound_and_every_sample_is_trained_once(
    staleness: int, seed: int, train: float, engines: int
) -> None:
    made = simulate(
        setting(
            mode="async",
            staleness=staleness,
            steps=5,
            engines=engines,
            train_seconds=train,
            length=lambda rng: rng.choice([3, 10, 80]),
            reward_seconds=2.0,
            reward_workers=3,
        ),
        seed=seed,
    )
    assert max(made.staleness) <= staleness
    assert sum(made.staleness.values()) == 5 * 8
    assert 0 <= made.trainer_idle <= 1
    assert 0 <= made.slots_idle <= 1


def test_the_seed_decides() -> None:
    def drawn(seed: int) -> Any:
        return simulate(setting(length=lambda rng: rng.randrange(1, 50), reward_seconds=0.5), seed=seed)

    assert drawn(3) == drawn(3)
    assert drawn(3).seconds != drawn(4).seconds


@pytest.mark.parametrize("change", [{"engines": 0}, {"staleness": -1}, {"train_seconds": -1.0}])
def test_what_cannot_run(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        setting(**change)
