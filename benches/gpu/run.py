"""The learner on one GPU: bfloat16 against float32, time and memory of a GRPO step, and how far that is from the floor.

    python benches/gpu/run.py [--device cuda] [--shapes smollm2-135m 1.5b] [--steps 3] [--tiny]

Needs torch, transformers and assay; nothing is downloaded, since all weights are random. TRL is measured beside it if it can be
imported. Prints one line of JSON per measurement, then the tables. ``--tiny --device cpu`` runs everything in seconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config

from assay._attention import Borders, attention, check_kernel
from assay.errors import InvalidInputError
from assay.learner.batch import TrainSequence
from assay.learner.config import GrpoConfig
from assay.learner.optimizer import OptimizerConfig
from assay.learner.policy import Policy, PolicyOptions
from assay.learner.step import Learner

if TYPE_CHECKING:
    from collections.abc import Callable

GROUPS, GROUP_SIZE, PROMPT, LENGTH = 16, 8, 128, 1024
LLAMA_135M: dict[str, Any] = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
QWEN_1500M: dict[str, Any] = {
    "vocab_size": 151936,
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
TINY: dict[str, Any] = LLAMA_135M | {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
SHAPES: dict[str, PreTrainedConfig] = {
    "smollm2-135m": LlamaConfig(**LLAMA_135M),
    "1.5b": Qwen2Config(**QWEN_1500M),
    "tiny": LlamaConfig(**TINY),
}


@dataclass(frozen=True)
class Work:
    """The batch: ``groups * group_size`` sequences of ``length`` tokens, of which ``prompt`` are the prompt's."""

    groups: int
    group_size: int
    prompt: int
    length: int
    token_budget: int

    @property
    def tokens(self) -> int:
        """Tokens of all sequences, prompts counted for each completion."""
        return self.groups * self.group_size * self.length


def build(config: PreTrainedConfig, dtype: str, device: str, *, checkpointing: bool) -> Policy:
    """A policy with the same random weights whatever its dtype."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).to(device)
    options = PolicyOptions(compute_dtype=dtype, gradient_checkpointing=checkpointing)
    return Policy(model, None, options)  # type: ignore[arg-type]


def sequences(work: Work, vocabulary: int, sampler: Policy | None) -> list[TrainSequence]:
    """Random prompts and completions; with the log-probs that a plain forward of ``sampler`` gives, if there is one."""
    draw = np.random.default_rng(0)
    made: list[TrainSequence] = []
    for group in range(work.groups):
        prompt = draw.integers(3, vocabulary, work.prompt, dtype=np.uint32)
        for index in range(work.group_size):
            completion = draw.integers(3, vocabulary, work.length - work.prompt, dtype=np.uint32)
            logprobs = None if sampler is None else plain_logprobs(sampler, prompt, completion)
            made.append(TrainSequence(group, prompt, completion, logprobs, 1.0 if index % 2 else -1.0))
    return made


def plain_logprobs(policy: Policy, prompt: np.ndarray, completion: np.ndarray) -> np.ndarray:
    """What transformers alone says of a completion: one sequence, no padding, no sharing, all logits."""
    ids = torch.from_numpy(np.concatenate([prompt, completion]).astype(np.int64)).to(policy.device)
    with torch.no_grad():
        table = torch.log_softmax(policy.model(ids[None]).logits[0, len(prompt) - 1 : -1].float(), dim=-1)
    return table.gather(1, ids[len(prompt) :, None])[:, 0].cpu().numpy().astype(np.float32)


def correctness(name: str, work: Work, device: str) -> dict[str, Any]:
    """One step in float32 and one in bfloat16 from the same weights, both beside a plain float32 forward."""
    config = SHAPES[name]
    small = Work(min(work.groups, 2), min(work.group_size, 4), work.prompt, work.length, work.token_budget)
    sampler = build(config, "float32", device, checkpointing=False)
    batch = sequences(small, config.vocab_size, sampler)
    del sampler
    found: dict[str, dict[str, float]] = {}
    for dtype in ("float32", "bfloat16"):
        learner = Learner(build(config, dtype, device, checkpointing=False), OptimizerConfig(lr=1e-6))
        # Two passes: the ratio of the second one is not 1, so the loss depends on the step that was taken.
        found[dtype] = learner.grpo_step(batch, GrpoConfig(token_budget=small.token_budget, inner_epochs=2))
        del learner
        clear(device)
    exact, low = found["float32"], found["bfloat16"]
    differs = {key: exact[f"sampling/{key}"] for key in ("logprob_diff_max", "kl_k3")}
    assert differs["logprob_diff_max"] < 1e-3, f"float32 learner differs from a plain forward: {differs}"
    norm = abs(low["grad_norm"] / exact["grad_norm"] - 1)
    assert low["sampling/kl_k3"] < 1e-3, f"bfloat16 learner is far from float32: {low['sampling/kl_k3']}"
    assert norm < 0.05, f"bfloat16 gradient norm differs by {norm:.1%}"
    return {
        "float32 beside a plain forward, largest log-prob difference": differs["logprob_diff_max"],
        "bfloat16 beside it": low["sampling/logprob_diff_max"],
        "bfloat16 k3 divergence per token": low["sampling/kl_k3"],
        "gradient norms": [exact["grad_norm"], low["grad_norm"]],
        "entropies": [exact["entropy"], low["entropy"]],
    }


def kernels(work: Work, device: str) -> dict[str, Any]:
    """Every kernel for packed sequences that can train here, beside one product a sequence: output and gradients in bfloat16."""
    torch.manual_seed(0)
    lengths = [work.length // part for part in (4, 2, 1, 3)]
    layer, where = torch.nn.Module(), torch.device(device)
    shapes = [(1, heads, sum(lengths), 64) for heads in (8, 2, 2)]
    tensors = [torch.randn(shape, device=where, dtype=torch.bfloat16, requires_grad=True) for shape in shapes]

    def run(kernel: Any) -> list[torch.Tensor]:
        out, _ = attention(layer, *tensors, None, scaling=0.125, borders=Borders(lengths, where, kernel))
        return [out.detach(), *torch.autograd.grad(out.float().square().sum(), tensors)]

    expected, found = run("by_sequence"), dict[str, Any]()
    for kernel in ("varlen", "flash_attention_2", "flex"):
        try:
            check_kernel(kernel, where, torch.bfloat16)
        except InvalidInputError as error:
            found[kernel] = str(error)
            continue
        apart = [float((a - b).float().norm() / b.float().norm()) for a, b in zip(run(kernel), expected, strict=True)]
        assert max(apart) < 0.02, f"{kernel} differs from one product a sequence: {apart}"
        seconds = timed(lambda kernel=kernel: run(kernel), device, runs=3)
        found[kernel] = {"relative differences of output, query, key, value": apart, "seconds": seconds}
    return found | {"by_sequence": {"seconds": timed(lambda: run("by_sequence"), device, runs=3)}}


def sglang(python: str, device: str) -> None:
    """Generation and every sync path against an SGLang of another environment; over NCCL on a GPU."""
    script = Path(__file__).resolve().parents[1] / "python" / "sglang_real.py"
    subprocess.run([sys.executable, str(script), "--python", python, "--device", device], check=True)


def flops(config: PreTrainedConfig, work: Work) -> float:
    """Forward and backward: 6 per multiplied weight and token, and causal attention; recomputation is not counted."""
    heads, layers, hidden = config.num_attention_heads, config.num_hidden_layers, config.hidden_size
    head = hidden // heads
    attention = hidden * heads * head * 2 + 2 * hidden * config.num_key_value_heads * head
    weights = layers * (attention + 3 * hidden * config.intermediate_size) + hidden * config.vocab_size
    pairs = work.groups * work.group_size * work.length**2 / 2
    return 6.0 * weights * work.tokens + 12.0 * layers * heads * head * pairs


def matmul_rate(device: str, *, tiny: bool) -> float:
    """FLOP/s of a large bfloat16 product on this device: what the floor is computed with."""
    size = 256 if tiny else 8192 if device == "cuda" else 2048
    left = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    seconds = timed(lambda: left @ left, device, runs=3 if tiny else 20)
    return 2.0 * size**3 / seconds


def timed(work: Callable[[], object], device: str, *, runs: int) -> float:
    """Mean seconds of a call, after one that does not count."""
    work()
    synchronise(device)
    started = time.perf_counter()
    for _ in range(runs):
        work()
    synchronise(device)
    return (time.perf_counter() - started) / runs


def synchronise(device: str) -> None:
    """Waits for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def clear(device: str) -> None:
    """Frees what is no longer used and starts the peak of memory anew."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> float:
    """Most bytes held since ``clear``; on a CPU, by the process since it began."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def ours(name: str, work: Work, device: str, steps: int) -> dict[str, float]:
    """One GRPO step of assay's learner on a batch with a gradient for every completion."""
    config = SHAPES[name]
    clear(device)
    learner = Learner(build(config, "bfloat16", device, checkpointing=name == "1.5b"), OptimizerConfig(lr=1e-6))
    batch, loss = sequences(work, config.vocab_size, None), GrpoConfig(token_budget=work.token_budget)
    seconds = timed(lambda: learner.grpo_step(batch, loss), device, runs=steps)
    return {"step_s": seconds, "peak_bytes": peak_memory(device)}


def trl(name: str, work: Work, device: str, steps: int) -> dict[str, float]:
    """The same batch through the loss, backward and optimizer of TRL's GRPOTrainer, in micro-batches of its own."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    config = SHAPES[name]
    clear(device)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    rows = max(1, work.token_budget // work.length)
    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=work.group_size,
            num_generations=work.group_size,
            max_completion_length=work.length - work.prompt,
            beta=0.0,
            bf16=True,
            use_cpu=device == "cpu",
            gradient_checkpointing=name == "1.5b",
            report_to=[],
        )
        trainer = GRPOTrainer(
            model=model,
            processing_class=_tokenizer(config),
            reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
            args=settings,
            train_dataset=Dataset.from_list([{"prompt": "0"}]),
        )
        trainer.create_optimizer()
        trainer.current_gradient_accumulation_steps = 1  # what its own loop sets before a step
        batch = sequences(work, config.vocab_size, None)
        parts = [_trl_inputs(batch[start : start + rows], device) for start in range(0, len(batch), rows)]
        model.train()

        def step() -> None:
            for part in parts:
                with trainer.compute_loss_context_manager():
                    loss = trainer.compute_loss(
                        trainer.model, dict(part), num_items_in_batch=part["num_items_in_batch"]
                    )
                (loss * len(part["advantages"]) / len(batch)).backward()
            torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), 1.0)
            trainer.optimizer.step()
            trainer.optimizer.zero_grad()

        seconds = timed(step, device, runs=steps)
        return {"step_s": seconds, "peak_bytes": peak_memory(device)}


def _trl_inputs(part: list[TrainSequence], device: str) -> dict[str, torch.Tensor]:
    prompts = torch.tensor(np.stack([s.prompt_ids.astype(np.int64) for s in part]), device=device)
    completions = torch.tensor(np.stack([s.token_ids.astype(np.int64) for s in part]), device=device)
    return {
        "prompt_ids": prompts,
        "prompt_mask": torch.ones_like(prompts),
        "completion_ids": completions,
        "completion_mask": torch.ones_like(completions),
        "advantages": torch.tensor([float(np.mean(s.advantage)) for s in part], device=device),
        "num_items_in_batch": torch.tensor(completions.numel(), device=device),
    }


def _tokenizer(config: PreTrainedConfig) -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {str(number): number for number in range(config.vocab_size)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="1"))
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="1", pad_token="0", eos_token="2", bos_token="1")


def table(name: str, work: Work, rate: float, sides: dict[str, dict[str, float]]) -> str:
    """Markdown: each side's step beside the floor."""
    needed = flops(SHAPES[name], work)
    lines = [
        f"{name}: {work.groups} x {work.group_size} x {work.length} tokens, {needed / 1e12:,.1f} TFLOP a step",
        "",
        "| | step s | tokens/s | share of the matmul rate | peak memory GiB |",
        "|---|---|---|---|---|",
        f"| floor: these FLOPs at the rate of a large bfloat16 product | {needed / rate:.3f} | {work.tokens * rate / needed:,.0f} | 100 % | |",
    ]
    for side, row in sides.items():
        share = needed / row["step_s"] / rate
        lines.append(
            f"| {side} | {row['step_s']:.3f} | {work.tokens / row['step_s']:,.0f} | {share:.1%} | {row['peak_bytes'] / 2**30:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=["smollm2-135m", "1.5b"])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--token-budget", type=int, default=32_768, help="tokens of a micro-batch, on both sides")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and batch: shows that the script works")
    parser.add_argument("--sglang-python", help="interpreter that has sglang: its generation and syncs are run first")
    parser.add_argument("--no-trl", action="store_true", help="leave TRL out")
    options = parser.parse_args()
    work = Work(GROUPS, GROUP_SIZE, PROMPT, LENGTH, options.token_budget)
    if options.tiny:
        options.shapes, work = ["tiny"], Work(2, 2, 8, 32, 64)
    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor() or platform.machine()
    rate = matmul_rate(options.device, tiny=options.tiny)
    print(json.dumps({"device": where, "torch": torch.__version__, "matmul TFLOP/s": rate / 1e12, **asdict(work)}))
    if options.sglang_python:
        sglang(options.sglang_python, options.device)
    print(json.dumps({"packed attention": kernels(work, options.device)}), flush=True)
    texts: list[str] = []
    for name in options.shapes:
        print(json.dumps({name: correctness(name, work, options.device)}), flush=True)
        sides = {"assay": ours(name, work, options.device, options.steps)}
        if find_spec("trl") is not None and not options.no_trl:
            sides["TRL"] = trl(name, work, options.device, options.steps)
        print(json.dumps({name: sides}), flush=True)
        texts.append(table(name, work, rate, sides))
    print("\n" + "\n\n".join(texts))


if __name__ == "__main__":
    main()
