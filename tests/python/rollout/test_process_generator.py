"""The local engine in a process of its own: the same completions, new weights between batches, nothing lost in a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from assay.errors import InvalidInputError, UnavailableError
from assay.rollout import LocalGenerator, ProcessGenerator, RolloutGroup, SamplingParams

SAMPLING = SamplingParams(max_new_tokens=12, stop_token_ids=(2,))
PROMPTS = [np.array(ids, dtype=np.uint32) for ids in ([5, 9, 3], [7], [3, 3, 4, 5], [11, 6])]


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=29,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=600,
        tie_word_embeddings=True,
    )
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(scope="module")
def generator(model):
    with ProcessGenerator(model, threads=1, token_budget=64) as made:
        yield made


def completions(groups: list[RolloutGroup]) -> dict[tuple[int, int], tuple[list[int], list[float]]]:
    return {(r.group_id, r.index): (r.token_ids.tolist(), r.logprobs.tolist()) for g in groups for r in g.rollouts}


def run(generator, sampling: SamplingParams = SAMPLING, first: int = 0) -> list[RolloutGroup]:
    return list(generator.generate(PROMPTS, group_size=3, sampling=sampling, seed=1, first_group_id=first))


def changed(model, scale: float) -> list[tuple[str, torch.Tensor]]:
    return [(name, tensor.detach() * scale) for name, tensor in model.named_parameters()]


def local(model, scale: float, sampling: SamplingParams = SAMPLING, first: int = 0) -> list[RolloutGroup]:
    other = AutoModelForCausalLM.from_config(model.config).eval()
    inner = LocalGenerator(other, token_budget=64)
    inner.update_weights(0, lambda: changed(model, scale))
    return run(inner, sampling, first)


def test_the_same_completions_as_in_this_process_with_the_weights_of_each_version(model, generator):
    torch.set_num_threads(1)
    for version, scale in ((1, 1.0), (2, 1.5), (3, 1.0)):
        generator.update_weights(version, lambda scale=scale: changed(model, scale))
        groups = run(generator, first=10 * version)
        assert completions(groups) == completions(local(model, scale, first=10 * version))
        assert {rollout.weight_version for group in groups for rollout in group.rollouts} == {version}
    assert generator.weight_version == 3


def test_weights_that_are_not_the_models_are_refused_and_nothing_changes_hands(model, generator):
    with pytest.raises(InvalidInputError, match="'x' of shape"):
        generator.update_weights(9, lambda: [("x", torch.zeros(1))])
    with pytest.raises(InvalidInputError, match="is missing"):
        generator.update_weights(9, lambda: changed(model, 1.0)[1:])
    with pytest.raises(InvalidInputError, match="prompt 0 is empty"):
        list(generator.generate([np.zeros(0, np.uint32)], group_size=1, sampling=SAMPLING, seed=0))
    generator.update_weights(4, lambda: changed(model, 1.0))
    assert completions(run(generator)) == completions(local(model, 1.0))


def test_weights_change_between_batches_and_each_completion_says_by_which_it_was_sampled(model, generator):
    long = SamplingParams(max_new_tokens=60)
    generator.update_weights(10, lambda: changed(model, 1.0))
    found: list[RolloutGroup] = []
    groups = generator.generate(PROMPTS * 12, group_size=2, sampling=long, seed=1)
    found.append(next(groups))
    generator.update_weights(11, lambda: changed(model, 1.5))
    found += groups
    versions = [rollout.weight_version for group in found for rollout in group.rollouts]
    assert set(versions) == {10, 11}
    assert versions[0] == 10
    assert versions[-1] == 11
    assert len(found) == len(PROMPTS) * 12


def test_several_threads_may_ask_at_once(model, generator):
    generator.update_weights(20, lambda: changed(model, 1.0))
    found: dict[int, list[RolloutGroup]] = {}

    def ask(first: int) -> None:
        found[first] = run(generator, first=first)

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for first, groups in found.items():
        assert completions(groups) == completions(local(model, 1.0, first=first))


def test_a_killed_worker_loses_nothing_and_repeats_nothing(model, generator):
    generator.update_weights(30, lambda: changed(model, 1.5))
    long = SamplingParams(max_new_tokens=100)
    before = generator.pid
    groups = generator.generate(PROMPTS * 4, group_size=3, sampling=long, seed=1)
    found = [next(groups)]
    os.kill(before, signal.SIGKILL)
    found += groups
    assert generator.pid != before
    assert sorted(group.group_id for group in found) == list(range(len(PROMPTS) * 4))
    assert {rollout.weight_version for group in found for rollout in group.rollouts} == {30}
    assert completions(run(generator)) == completions(local(model, 1.5))


def test_abort_ends_what_others_wait_for_and_leaves_the_rest_alone(model, generator):
    groups = generator.generate(PROMPTS * 100, group_size=2, sampling=SamplingParams(500), seed=1)
    threading.Timer(0.2, generator.abort).start()
    assert len(list(groups)) < len(PROMPTS) * 100
    generator.update_weights(40, lambda: changed(model, 1.0))
    assert completions(run(generator)) == completions(local(model, 1.0))


def test_a_worker_that_dies_too_often_is_an_error_for_all_who_wait(model):
    with ProcessGenerator(model, threads=1, max_restarts=0) as generator:
        groups = generator.generate(PROMPTS * 100, group_size=2, sampling=SamplingParams(500), seed=1)
        os.kill(generator.pid, signal.SIGKILL)
        with pytest.raises(UnavailableError, match="ended too often, last with status -9"):
            list(groups)
        with pytest.raises(UnavailableError, match="ended too often"):
            run(generator)
        with pytest.raises(UnavailableError, match="ended too often"):
            generator.update_weights(1, lambda: changed(model, 1.0))
    generator.close()


def test_a_killed_trainer_leaves_no_worker_and_no_memory():
    code = """
import sys
from transformers import AutoModelForCausalLM, LlamaConfig
from assay.rollout import ProcessGenerator
config = LlamaConfig(vocab_size=29, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
generator = ProcessGenerator(AutoModelForCausalLM.from_config(config))
print(generator.pid, generator._folder, flush=True)
sys.stdin.read()
"""
    trainer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert trainer.stdout
    pid, folder = trainer.stdout.readline().split()
    trainer.kill()
    trainer.communicate()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            assert not Path(folder).exists()
            return
        time.sleep(0.05)
    raise AssertionError("the worker lives on")
