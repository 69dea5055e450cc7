"""What gradient checkpointing and torch.compile cost and save: a GRPO step of a model of SmolLM2-135M's shape, random weights.

    python benches/python/learner.py            # every variant in a process of its own, one thread
    python benches/python/learner.py plain

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
GROUPS, SIZE, PROMPT, COMPLETION = 2, 4, 32, 96


def main(name: str) -> None:
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
    shape = {"vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30}
    heads = {"num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True}
    options = PolicyOptions(layout="padded", **VARIANTS[name])
    learner = Learner(Policy(LlamaForCausalLM(LlamaConfig(**shape, **heads)), None, options), OptimizerConfig(lr=1e-6))
    rng = np.random.default_rng(0)
    batch = [
        TrainSequence(group, prompt, rng.integers(0, 49_152, COMPLETION).astype(np.uint32), None, float(rng.normal()))
        for group in range(GROUPS)
        for prompt in [rng.integers(0, 49_152, PROMPT).astype(np.uint32)]
        for _ in range(SIZE)
    ]
    before, times, losses = peak_memory_bytes(), [], []
    for _ in range(2):
        started = time.process_time()
        losses.append(learner.grpo_step(batch, GrpoConfig(token_budget=4096))["grad_norm"])
        times.append(time.process_time() - started)
    peak = (peak_memory_bytes() - before) / 2**20
    print(json.dumps({"name": name, "first": times[0], "later": times[1], "mib": peak, "norms": losses}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        print("| variant | first step, CPU s | later step, CPU s | peak above the model, MiB |")
        norms: list[float] = []
        for each in VARIANTS:
            done = subprocess.run([sys.executable, __file__, each], check=True, capture_output=True, text=True)
            row = json.loads(done.stdout.splitlines()[-1])
            print(f"| {each} | {row['first']:.1f} | {row['later']:.1f} | {row['mib']:,.0f} |", flush=True)
            norms = norms or row["norms"]
            low = "bfloat16" in each
            assert all(abs(a / b - 1) < (0.05 if low else 1e-3) for a, b in zip(norms, row["norms"], strict=True)), row
