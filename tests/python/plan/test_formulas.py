"""The formulas against published parameter counts, by hand, and by what must always hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InvalidInputError
from assay.plan import Assumptions, Layout, Lengths, Workload, find_shape, parse_hardware, plan_stage, shape_of_config
from assay.plan.decode import decode_step, drain
from assay.plan.hardware import hardware_table
from assay.plan.memory import Engine, plan_engines, training_memory
from assay.plan.stage import train_seconds

# Total and active parameters in thousand millions, as the model cards and reports give them.
COUNTS = {
    "deepseek-v3": (671.0, 37.0),
    "qwen2.5-math-1.5b": (1.54, 1.54),
    "qwen2.5-math-7b": (7.61, 7.61),
    "qwen2.5-14b": (14.7, 14.7),
    "qwen2.5-32b": (32.5, 32.5),
    "llama-3.1-8b": (8.03, 8.03),
    "llama-3.3-70b": (70.6, 70.6),
    "qwen3-0.6b": (0.6, 0.6),
    "qwen3-4b": (4.0, 4.0),
    "qwen3-30b-a3b": (30.5, 3.3),
    "smollm2-135m": (0.1345, 0.1345),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_are_the_published_ones(name: str) -> None:
    shape = find_shape(name)
    total, active = COUNTS[name]
    assert shape.params / 1e9 == pytest.approx(total, rel=0.015)
    assert shape.active_params / 1e9 == pytest.approx(active, rel=0.02)


def test_cache_and_arithmetic_by_hand() -> None:
    llama = find_shape("Llama-3.1-8B")
    assert llama.kv_bytes() == 32 * 2 * 8 * 128 * 2
    assert llama.forward_flops(0) == 2 * (llama.params - 128256 * 4096)
    assert llama.forward_flops(1000) - llama.forward_flops(0) == 4 * 32 * 32 * 128 * 1000
    # Multi-head latent attention keeps 512 + 64 values a layer: 70 kB a token (arXiv:2412.19437).
    assert find_shape("DeepSeek-R1").kv_bytes() == 61 * 576 * 2


def test_a_config_gives_the_shape() -> None:
    config = {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "intermediate_size": 14336,
    }
    assert shape_of_config("x", config).params == find_shape("llama-3.1-8b").params
    assert shape_of_config("x", {"text_config": config}).kv_bytes() == find_shape("llama-3.1-8b").kv_bytes()
    with pytest.raises(InvalidInputError, match="no number 'vocab_size'"):
        shape_of_config("x", {**config, "vocab_size": None})


@pytest.mark.parametrize(
    ("text", "expected"), [("h900:8", "did you mean 'h800'"), ("h800:0", "no count"), ("h800:x", "no count")]
)
def test_what_is_no_hardware(text: str, expected: str) -> None:
    with pytest.raises(InvalidInputError, match=expected):
        parse_hardware(text)


def test_every_device_has_a_source_and_figures_that_make_sense() -> None:
    for device in hardware_table().values():
        assert device.source
        assert device.node_watts > device.watts
        assert 0.1 < device.tflops * 1e12 / (device.bandwidth_gbs * 1e9) / 100 < 20
    assert parse_hardware("H800:512").count == 512
    local = parse_hardware("local:2")
    assert (local.count, local.tflops > 0, local.bandwidth_gbs > 0) == (2, True, True)


def test_training_time_by_hand() -> None:
    shape, hardware = find_shape("llama-3.1-8b"), parse_hardware("h100:8")
    assert train_seconds(shape, hardware, 0.4, 1e6, 0) == pytest.approx(
        6 * (shape.params - shape.embedding_params) * 1e6 / (8 * 989e12 * 0.4)
    )


def test_training_memory_by_hand_and_as_a_sum() -> None:
    shape, hardware, assumed = find_shape("qwen2.5-math-7b"), parse_hardware("h100:8"), Assumptions(micro_tokens=4096)
    made = training_memory(shape, hardware, assumed, reference=True)
    assert made.states == 18 * shape.params / 8
    assert made.reference == 2 * shape.params / 8
    assert made.activations == 2 * 4096 * 3584 * 28 + 34 * 4096 * 3584
    assert made.total == made.states + made.reference + made.activations + made.logits + made.gathered
    without = training_memory(shape, hardware, assumed, reference=False)
    assert made.total - without.total == pytest.approx(made.reference)
    kept = training_memory(shape, hardware, replace(assumed, checkpointing=False), reference=True)
    assert kept.activations == 34 * 4096 * 3584 * 28
    offloaded = training_memory(shape, hardware, replace(assumed, offload_activations=True), reference=True)
    assert offloaded.activations == 2 * 4096 * 3584 * 2 + 34 * 4096 * 3584


def test_offloaded_activations_cost_their_way_to_the_host_and_back() -> None:
    shape, hardware, assumed = find_shape("qwen2.5-math-7b"), parse_hardware("h100:8"), Assumptions(host_gbs=10.0)
    lengths = Lengths(mean=1000.0, longest=4000, spread=0.7)
    work = Workload(name="rl", kind="rl", steps=1, prompts=64, prompt_tokens=100.0, lengths=lengths, group=8)
    kept, offloaded = (
        plan_stage(shape, hardware, replace(assumed, offload_activations=offload), work).phases["train"]
        for offload in (False, True)
    )
    assert offloaded - kept == pytest.approx(4 * 3584 * 28 * work.tokens() / (8 * 10e9))


def test_a_decode_step_by_hand() -> None:
    shape, hardware = find_shape("llama-3.1-8b"), parse_hardware("h100:1")
    engine = Engine(1, 1, 0.0, 0.0, 100)
    step = decode_step(shape, hardware, engine, Assumptions(decode_bandwidth=1.0), batch=4, context=1000)
    read = 2 * (shape.params - shape.embedding_params) + 4 * 1000 * shape.kv_bytes()
    assert step.memory == pytest.approx(read / 3350e9)
    assert step.exchange == 0
    assert step.total == pytest.approx(max(step.memory, step.arithmetic) + 32 * 5e-5)


def test_few_sequences_read_few_experts() -> None:
    shape, hardware, engine = find_shape("deepseek-v3"), parse_hardware("h800:32"), Engine(32, 1, 0.0, 0.0, 100)
    times = [
        decode_step(shape, hardware, engine, Assumptions(), batch=batch, context=0.0).memory for batch in (1, 8, 1000)
    ]
    active = shape.common_params + shape.routed_params * 8 / 256
    assert times[0] == pytest.approx(2 * active / (32 * 3350e9 * 0.6), rel=1e-3)
    assert times[0] < times[1] < times[2]
    assert times[2] == pytest.approx(2 * (shape.common_params + shape.routed_params) / (32 * 3350e9 * 0.6), rel=1e-3)


def test_draining_by_hand() -> None:
    shape, hardware = find_shape("qwen3-0.6b"), parse_hardware("h100:1")
    flat = replace(hardware, bandwidth_gbs=1e12, tflops=1e12, layer_overhead_s=1 / 28)  # a step takes a second
    engine = Engine(1, 1, 0.0, 0.0, 2)
    made = drain(shape, flat, engine, Assumptions(), [3, 5, 4], 0.0)
    # Slots: 3 then 4, beside 5: the last one ends alone at 7.
    assert made.steps == 7
    assert made.seconds == pytest.approx(7.0)
    assert made.full_seconds == pytest.approx(5.0)
    assert made.busy_share == pytest.approx(12 / 14)


@given(st.floats(1, 500), st.integers(500, 2000), st.floats(0, 2), st.integers(1, 200))
def test_lengths_are_a_cut_distribution(mean: float, longest: int, spread: float, count: int) -> None:
    lengths = Lengths(mean=mean, longest=longest, spread=spread)
    drawn = lengths.quantiles(count)
    assert drawn == sorted(drawn)
    assert 1 <= drawn[0] <= drawn[-1] <= longest
    first, second = lengths.moments()
    assert second >= first**2 - 1e-6


def test_the_mean_of_lengths_is_the_one_asked_for_when_nothing_is_cut() -> None:
    first, second = Lengths(mean=1000, longest=10**6, spread=0.7).moments()
    assert first == pytest.approx(1000, rel=0.01)
    assert second == pytest.approx(1000**2 * 1.49, rel=0.05)


WORK = Workload(
    name="rl",
    kind="rl",
    steps=10,
    prompts=64,
    group=8,
    prompt_tokens=200,
    lengths=Lengths(mean=800, longest=4096),
    reference=True,
)


@settings(max_examples=30)
@given(st.integers(4, 8), st.sampled_from(["qwen2.5-math-7b", "qwen3-30b-a3b", "llama-3.1-8b"]))
def test_twice_the_devices_are_never_slower_and_need_no_more_memory_each(power: int, name: str) -> None:
    shape = find_shape(name)
    one, two = (
        plan_stage(shape, parse_hardware(f"h100:{2**power * factor}"), Assumptions(), WORK) for factor in (1, 2)
    )
    assert not one.problems
    for phase in ("train", "logprobs", "prefill"):
        assert two.phases[phase] == pytest.approx(one.phases[phase] / 2)
    # The tail does not shrink with devices, so generation may stay as it is.
    assert two.phases["generate"] <= one.phases["generate"] * (1 + 1e-9)
    assert two.step_seconds <= one.step_seconds * (1 + 1e-9)
    assert one.training is not None
    assert two.training is not None
    assert two.training.total <= one.training.total


@settings(max_examples=30)
@given(st.floats(0.05, 0.5), st.floats(1.0, 2.0), st.integers(100, 2000))
def test_better_use_and_shorter_answers_are_never_slower(mfu: float, better: float, mean: int) -> None:
    shape, hardware = find_shape("qwen2.5-math-7b"), parse_hardware("h100:16")
    slow = plan_stage(
        shape, hardware, Assumptions(mfu=mfu), replace(WORK, lengths=Lengths(mean=2 * mean, longest=4096))
    )
    fast = plan_stage(
        shape, hardware, Assumptions(mfu=mfu * better), replace(WORK, lengths=Lengths(mean=mean, longest=4096))
    )
    assert fast.step_seconds <= slow.step_seconds * (1 + 1e-9)
    assert fast.tokens < slow.tokens


def test_costs_follow_from_hours() -> None:
    made = plan_stage(find_shape("qwen2.5-math-7b"), parse_hardware("h800:64"), Assumptions(), WORK)
    assert made.step_seconds == pytest.approx(sum(made.phases.values()))
    assert made.seconds == pytest.approx(10 * made.step_seconds)
    assert made.gpu_hours == pytest.approx(64 * made.seconds / 3600)
    assert made.dollars == pytest.approx(2.0 * made.gpu_hours)
    assert made.energy_kwh == pytest.approx(made.gpu_hours * 1.275 * 0.75 * 1.25)
    assert made.tokens == pytest.approx(10 * 512 * (200 + WORK.lengths.moments()[0]))
    split = plan_stage(
        find_shape("qwen2.5-math-7b"), parse_hardware("h800:64"), Assumptions(), WORK, Layout(schedule="async")
    )
    learner = split.phases["train"] + split.phases["logprobs"]
    generator = split.phases["generate"] + split.phases["prefill"] + split.phases["score"]
    assert split.step_seconds == pytest.approx(max(learner, generator) + split.phases["sync"])


def test_what_does_not_fit_is_said() -> None:
    made = plan_stage(find_shape("deepseek-v3"), parse_hardware("h100:8"), Assumptions(), WORK)
    assert len(made.problems) == 2
    assert made.problems[0].startswith("training needs 1688.0 GB on each of 8 devices")
    assert "do not fit" in made.problems[1]
    assert (
        plan_engines(find_shape("deepseek-v3"), parse_hardware("h100:8"), Assumptions(), resident=0, context=1000) == []
    )
    alone = plan_stage(
        find_shape("qwen3-0.6b"), parse_hardware("h100:1"), Assumptions(), WORK, Layout(schedule="async")
    )
    assert alone.problems == ["async needs at least two devices: one that generates, one that trains"]


@pytest.mark.parametrize("change", [{"mfu": 0.0}, {"decode_flops": 1.1}, {"pue": 0.9}, {"sync_s": -1.0}])
def test_assumptions_that_are_none(change: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        Assumptions(**change)  # type: ignore[arg-type]
