"""`assay plan` on shipped recipes, on a run, and on mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Assay = Callable[..., Any]

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
DEMO = RECIPES / "demo.toml"
BIG = [RECIPES / "gsm8k.toml", "--model", "DeepSeek-V3", "--set", "model.gradient_checkpointing=true"]


def test_a_plan(assay: Assay, tmp_path: Path) -> None:
    done = assay("plan", *BIG, "--hardware", "h800:512", "--output", tmp_path / "plan.json")
    assert done.code == 0, done.err
    assert "671 B parameters, 37.55 B active; 512 x NVIDIA H800 SXM, sync" in done.out
    assert "assumed: mfu=0.3" in done.out
    found = assay("plan", *BIG, "--hardware", "h800:512", "--json").json
    assert found == json.loads((tmp_path / "plan.json").read_text())
    assert [stage["name"] for stage in found["stages"]] == ["before", "grpo", "after"]
    grpo = found["stages"][1]
    assert grpo["step_seconds"] == pytest.approx(sum(grpo["phases"].values()))
    assert found["total"]["dollars"] == pytest.approx(2 * found["total"]["gpu_hours"])


def test_what_does_not_fit_exits_with_1_and_says_why(assay: Assay) -> None:
    done = assay("plan", *BIG, "--hardware", "h100:4")
    assert done.code == 1
    assert "does not fit: training needs" in done.out


def test_a_simulation_is_the_same_every_time(assay: Assay) -> None:
    arguments = ["plan", *BIG, "--hardware", "h800:512", "--simulate", "--json"]
    first = assay(*arguments).json["simulated"]["grpo"]
    assert set(first) == {"sync", "async"}
    assert assay(*arguments).json["simulated"]["grpo"] == first
    assert "grpo, simulated:" in assay(*arguments[:-1]).out


def test_the_schedule_is_the_recipes_unless_another_is_asked_for(assay: Assay) -> None:
    overlapped = ["--set", 'stage.grpo.pipeline={ kind = "asynchronous", ahead = 2, max_staleness = 3 }']
    arguments = ["plan", *BIG, "--hardware", "h800:512"]
    (found,) = [stage for stage in assay(*arguments, *overlapped, "--json").json["stages"] if stage["kind"] == "rl"]
    assert found["layout"]["schedule"] == "async"
    assert found["step_seconds"] < sum(found["phases"].values())
    assert "512 x NVIDIA H800 SXM, async" in assay(*arguments, *overlapped).out
    assert "512 x NVIDIA H800 SXM, sync" in assay(*arguments, *overlapped, "--schedule", "sync").out
    older, newer = (
        max(
            assay(*arguments, *overlapped, "--simulate", "--json", *bound).json["simulated"]["grpo"]["async"][
                "staleness"
            ]
        )
        for bound in ((), ("--staleness", "0"))
    )
    assert int(newer) == 0
    assert int(older) <= 3


def test_a_run_stands_beside_its_plan(assay: Assay, tmp_path: Path) -> None:
    from assay.recipe import load_recipe
    from assay.recipe.toml import dump_recipe

    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").write_text(dump_recipe(load_recipe(DEMO)))
    stages = [{"name": "grpo", "kind": "grpo", "steps": 60, "seconds": 50.0, "cpu_seconds": 20.0}]
    (run / "summary.json").write_text(json.dumps({"stages": stages}))
    done = assay("plan", run, "--hardware", "local", "--assume", "mfu=0.2")
    assert done.code == 0, done.err
    assert "559,872 parameters" in done.out
    assert "measured" in done.out
    stored = json.loads((run / "plan.json").read_text())
    assert stored["measured"]["grpo"]["cpu_seconds"] == 20.0
    assert stored["assumptions"]["mfu"] == 0.2


def test_checks(assay: Assay) -> None:
    found = {(check["name"], check["what"]): check for check in assay("plan", "--check", "--json").json}
    assert len(found) == 14
    # What the formulas are for: known efficiency in, known rate out.
    exact = found["prime-rl, Qwen3-0.6B, 16k", "tokens/s of the trainer, given its MFU"]
    assert abs(exact["error"]) < 0.02
    assert all(check["source"] for check in found.values())
    assert "published" in assay("plan", "--check").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "plan needs a RECIPE and --hardware"),
        ([DEMO], "plan needs a RECIPE and --hardware"),
        ([DEMO, "--hardware", "h80:8"], "did you mean 'h800'"),
        ([DEMO, "--hardware", "h100:none"], "is no count"),
        ([DEMO, "--hardware", "h100:8", "--model", "DeepSeek-V4"], "known model"),
        ([DEMO, "--hardware", "h100:8", "--assume", "mfo=1"], "did you mean 'mfu'"),
        ([DEMO, "--hardware", "h100:8", "--assume", "mfu=2"], "give a share"),
        ([DEMO, "--hardware", "h100:8", "--assume", "mfu=much"], "is not a number"),
        ([DEMO, "--hardware", "h100:8", "--generate-share", 1], "generate-share"),
        (["absent.toml", "--hardware", "h100:8"], "absent.toml: cannot read the recipe"),
        ([DEMO, "--hardware", "h100:8", "--scale", "huge"], "no scale 'huge'"),
    ],
)
def test_mistakes(assay: Assay, arguments: list[object], expected: str) -> None:
    assert expected in assay("plan", *arguments).mistake


@pytest.mark.parametrize(
    ("recipe", "hardware", "fits"),
    [
        ("r1", "h800:512", True),
        ("r1-sft-rl-rl-sft", "h800:512", True),
        ("r1-zero", "h800:512", True),
        ("r1-zero", "h800:128", False),
        ("distill-qwen-32b", "h800:64", True),
    ],
)
def test_full_recipes_fit_where_they_say(assay: Assay, recipe: str, hardware: str, fits: bool) -> None:
    found = assay("plan", RECIPES / f"{recipe}.toml", "--hardware", hardware, "--json").json
    assert found["fits"] is fits
    if recipe == "r1-zero":
        [grpo] = [stage for stage in found["stages"] if stage["name"] == "grpo"]
        assert (grpo["steps"] * 16, grpo["sequences"]) == (10_400, 8192)
        # 65,536 tokens for a fifth of the steps.
        assert 0.4 * 32_768 * 0.9 < grpo["response_mean"] < 0.4 * 2 * 32_768
