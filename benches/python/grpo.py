"""One GRPO step of assay beside TRL's GRPOTrainer: the demo's model, prompts, reward and token counts, in turn.

Each side runs in a process of its own, once with few steps and once with more, so that start-up cancels out.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "demo.toml"
SPEC = {"component": [{"kind": "accuracy", "weight": 0.9, "answer": "number"}, {"kind": "format", "weight": 0.1}]}
FEW, MANY = 4, 24
ROUNDS = 2


def usage() -> dict[str, float]:
    """CPU seconds and peak resident bytes of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024.0}


def cold_start(folder: Path) -> None:
    """The model that both sides start from: the demo's cold start, exported."""
    from assay.recipe import load_recipe, run_recipe

    recipe = load_recipe(RECIPE)
    recipe = recipe.model_copy(update={"stage": recipe.stage[:1]})
    run_recipe(recipe, folder / "cold")


def run_assay(model: Path, steps: int) -> dict[str, float]:
    """`steps` GRPO steps of the demo recipe from the given model."""
    import torch

    from assay.recipe import load_recipe, run_recipe

    recipe = load_recipe(RECIPE, overrides=["model.kind=huggingface", f"model.path={model}"])
    stage = next(stage for stage in recipe.stage if stage.kind == "grpo")
    stage = stage.model_copy(update={"steps": steps, "checkpoint_every": 10_000, "sample_groups": 1})
    with tempfile.TemporaryDirectory() as folder:
        base = usage()
        run_recipe(recipe.model_copy(update={"stage": [stage]}), Path(folder) / "run")
        rows = [json.loads(line) for line in (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()]
    assert torch.get_num_threads() == 1
    return {**usage(), "base": base["peak"], "reward": sum(row["reward/mean"] for row in rows) / len(rows)}


def run_trl(model: Path, steps: int) -> dict[str, float]:
    """The same steps by TRL, with the same reward from the same scorer."""
    import numpy as np
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    import assay
    from assay.data.addition import load_addition
    from assay.recipe import load_recipe

    torch.set_num_threads(1)
    tasks = load_addition(load_recipe(RECIPE).data).train
    scorer = assay.Scorer(SPEC, tokenizer=model / "tokenizer.json", threads=1)
    rewards: list[float] = []

    def reward(completion_ids: list[list[int]], reference: list[str], **_: object) -> list[float]:
        offsets = np.cumsum([0, *map(len, completion_ids)], dtype=np.int64)
        flat = np.asarray([token for ids in completion_ids for token in ids], dtype=np.uint32)
        totals = scorer.score_tokens(flat, offsets, reference).total.tolist()
        rewards.append(sum(totals) / len(totals))
        return totals

    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=128,
            num_generations=8,
            max_completion_length=48,
            max_steps=steps,
            learning_rate=5e-5,
            adam_beta2=0.95,
            beta=0.0,
            epsilon=0.2,
            epsilon_high=0.28,
            temperature=1.0,
            generation_kwargs={"top_k": 0},
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to=[],
            logging_steps=10_000,
            disable_tqdm=True,
        )
        base = usage()
        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
            processing_class=AutoTokenizer.from_pretrained(model),
            reward_funcs=[reward],
            args=settings,
            train_dataset=Dataset.from_list(
                [{"prompt": task.prompt, "reference": task.reference} for task in tasks[:4096]]
            ),
        )
        trainer.train()
    return {**usage(), "base": base["peak"], "reward": sum(rewards) / len(rewards)}


def measure(side: str, model: Path, steps: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, side, str(model), str(steps)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run() -> list[str]:
    """The table of this file."""
    from common import seconds, table

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "cold", folder, "0"], check=True, stdout=subprocess.DEVNULL)
        (config,) = sorted(Path(folder).glob("cold/**/config.json"))[-1:]
        cpu: dict[str, float] = {}
        last: dict[str, dict[str, float]] = {}
        for _ in range(ROUNDS):
            for side in ("assay", "trl"):
                few, many = measure(side, config.parent, FEW), measure(side, config.parent, MANY)
                cpu[side] = min(cpu.get(side, float("inf")), (many["cpu"] - few["cpu"]) / (MANY - FEW))
                last[side] = many
    for side in last:
        assert 0.2 < last[side]["reward"] < 1.0, f"{side} did not train: mean reward {last[side]['reward']}"
    rows = [
        [
            side,
            seconds(cpu[side]),
            f"{last[side]['peak'] / 2**20:,.0f} MiB",
            f"{(last[side]['peak'] - last[side]['base']) / 2**20:,.0f} MiB",
            f"{last[side]['reward']:.3f}",
        ]
        for side in ("assay", "trl")
    ]
    above = [last[side]["peak"] - last[side]["base"] for side in ("assay", "trl")]
    rows.append(
        [
            "ratio",
            f"{cpu['assay'] / cpu['trl']:.2f}x",
            f"{last['assay']['peak'] / last['trl']['peak']:.2f}x",
            f"{above[0] / above[1]:.2f}x",
            "",
        ]
    )
    title = f"One GRPO step, 16 prompts x 8 completions x 48 tokens, 0.56 M parameters, one thread, mean of {MANY - FEW} steps"
    return [table(title, ["", "CPU per step", "peak memory", "peak above imports", "mean reward"], rows)]


if __name__ == "__main__":
    side, where, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if side == "cold":
        cold_start(where)
    else:
        print(json.dumps({"assay": run_assay, "trl": run_trl}[side](where, count)))
