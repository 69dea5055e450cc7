"""What gradient checkpointing and torch.compile cost and save: a GRPO step on random weights, one thread.

    python benches/python/learner.py                    # every variant of SmolLM2-135M's shape, each in a process of its own
    python benches/python/learner.py demo               # of the demo's shape
    python benches/python/learner.py demo plain compile # some of them

CPU seconds of the first step (compilation included) and of a later one, and the peak of the resident memory above what it was with
the model made. Losses of all variants must agree.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

VARIANTS = {
    "plain": {},
    "checkpointing": {"gradient_checkpointing": True},
    "compile": {"compiled": True},
    "bfloat16": {"compute_dtype": "bfloat16"},
    "bfloat16, checkpointing": {"compute_dtype": "bfloat16", "gradient_checkpointing": True},
}
SHAPES = {
    "smollm2": {"vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30}
    | {"num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True},
    "demo": {"vocab_size": 44, "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 3}
    | {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True},
}
# Groups, completions of each, tokens of a prompt and of a completion, tokens of a micro-batch.
BATCHES = {"smollm2": (2, 4, 32, 96, 4096), "demo": (16, 8, 9, 24, 2048)}


def main(shape: str, name: str) -> None:
    """Takes two steps and prints what they took."""
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from assay.learner.batch import TrainSequence
    from assay.learner.config import GrpoConfig
    from assay.learner.optimizer import OptimizerConfig
    from assay.learner.policy import Policy, PolicyOptions
    from assay.learner.step import Learner
    from assay.recipe.measure import peak_memory_bytes

    torch.set_num_threads(1)
    torch.manual_seed(0)
    options = PolicyOptions(layout="padded", **VARIANTS[name])
    learner = Learner(Policy(LlamaForCausalLM(LlamaConfig(**SHAPES[shape])), None, options), OptimizerConfig(lr=1e-6))
    groups, size, before, after, budget = BATCHES[shape]
    rng, vocabulary = np.random.default_rng(0), SHAPES[shape]["vocab_size"]
    batch = [
        TrainSequence(group, prompt, rng.integers(0, vocabulary, after).astype(np.uint32), None, float(rng.normal()))
        for group in range(groups)
        for prompt in [rng.integers(0, vocabulary, before).astype(np.uint32)]
        for _ in range(size)
    ]
    held, times, losses = peak_memory_bytes(), [], []
    for _ in range(4 if shape == "demo" else 3):
        started = time.process_time()
        losses.append(learner.grpo_step(batch, GrpoConfig(token_budget=budget))["grad_norm"])
        times.append(time.process_time() - started)
    peak = (peak_memory_bytes() - held) / 2**20
    print(json.dumps({"name": name, "first": times[0], "later": min(times[1:]), "mib": peak, "norms": losses}))


if __name__ == "__main__":
    shape, *names = sys.argv[1:] or ["smollm2"]
    if names[:1] == ["run"]:
        main(shape, names[1])
        sys.exit()
    print("| variant | first step, CPU s | least of the later ones, CPU s | peak above the model, MiB |")
    norms: list[float] = []
    for each in names or VARIANTS:
        command = [sys.executable, __file__, shape, "run", each]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        print(f"| {each} | {row['first']:.2f} | {row['later']:.2f} | {row['mib']:,.0f} |", flush=True)
        norms = norms or row["norms"]
        low = "bfloat16" in each
        assert all(abs(a / b - 1) < (0.05 if low else 1e-3) for a, b in zip(norms, row["norms"], strict=True)), row
