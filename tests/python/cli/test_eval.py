"""`assay eval` on a small model with weights of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Assay = Callable[..., Any]
    Rows = Callable[..., Path]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from assay.learner.tiny import TinyConfig, tiny_model

    config = TinyConfig(hidden_size=32, layers=1, heads=2, key_value_heads=1, feed_forward_size=64)
    folder = tmp_path_factory.mktemp("tiny") / "model"
    made, tokenizer = tiny_model(config, seed=3)
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def sums(rows: Rows) -> Path:
    return rows(*({"question": f"{n}+1", "answer": f"so #### {n + 1}"} for n in range(3)), name="sums.jsonl")


def options(model: Path, data: Path, out: Path) -> list[object]:
    return [
        *("eval", model, "--tasks", data, "--prompt-field", "question", "--reference-field", "answer", "--out", out),
        *("--gold", "hashes", "--samples", 2, "--k", 1, "--max-new-tokens", 6, "--temperature", 1.0),
    ]


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]


def test_eval(assay: Assay, sums: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = assay(*options(model, sums, out), "--json")
    assert found.code == 0, found.err
    assert found.json["run"] == str(out)
    metrics = found.json["tasks"]["sums"]
    assert metrics["eval/samples"] == 6
    assert {"eval/n", "eval/unjudged", "eval/length_mean", "eval/pass@2", "eval/cons@2", "eval/accuracy"} <= set(
        metrics
    )
    samples = lines(out)
    assert [sample["reference"] for sample in samples] == ["1", "1", "2", "2", "3", "3"]
    assert all(sample["length"] <= 6 for sample in samples)
    assert json.loads((out / "summary.json").read_text())["tasks"]["sums"] == metrics
    # The same again is refused, resuming finds nothing to do, and replacing draws the same.
    assert "holds a run already" in assay(*options(model, sums, out)).mistake
    assert assay(*options(model, sums, out), "--resume", "--json").json == found.json
    table = assay(*options(model, sums, out), "--overwrite").out
    assert "6 samples of 3 problems" in table
    assert lines(out) == samples
    assert assay("report", out, "--no-figures", "--json").code == 0


def test_a_resumed_evaluation_is_the_uninterrupted_one(assay: Assay, sums: Path, model: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = assay(*options(model, sums, whole), "--json").json["tasks"]
    assay(*options(model, sums, cut))
    text = (cut / "samples.jsonl").read_text().splitlines(keepends=True)
    (cut / "samples.jsonl").write_text("".join(text[:3]) + text[3][:40])
    (cut / "summary.json").unlink()
    assert assay(*options(model, sums, cut), "--resume", "--json").json["tasks"] == expected
    assert {json.dumps(row) for row in lines(cut)} == {json.dumps(row) for row in lines(whole)}


def test_a_killed_evaluation_keeps_every_finished_sample(rows: Rows, model: Path, tmp_path: Path) -> None:
    data = rows(*({"prompt": f"{n}+1", "reference": str(n + 1)} for n in range(300)), name="many.jsonl")
    out = tmp_path / "out"
    command = [*(sys.executable, "-m", "assay.cli", "eval", str(model), "--tasks", str(data), "--out", str(out))]
    command += ["--samples", "4", "--max-new-tokens", "60"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = out / "samples.jsonl"
    while process.poll() is None and not (file.exists() and file.stat().st_size):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = [line for line in file.read_bytes().split(b"\n")[:-1] if line]
    assert before
    done = subprocess.run([*command, "--resume", "--json"], capture_output=True, text=True, check=True)
    after = file.read_bytes().split(b"\n")[:-1]
    assert after[: len(before)] == before
    assert len({(row["group_id"], row["index"]) for row in map(json.loads, after)}) == 1200
    assert json.loads(done.stdout)["tasks"]["many"]["eval/samples"] == 1200


def test_ctrl_c_keeps_what_is_finished(
    assay: Assay, sums: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.evaluate import sampling

    judge, calls = sampling.judge, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return judge(*arguments)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(sampling, "judge", interrupted)
        done = assay(*options(model, sums, out))
    assert done.code == 130
    assert f"{out} keeps every finished sample; go on with --resume" in done.err
    assert len(lines(out)) == 4
    assert assay(*options(model, sums, out), "--resume", "--json").json["tasks"]["sums"]["eval/samples"] == 6


def test_rescore(assay: Assay, sums: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    measured = assay(*options(model, sums, out), "--json").json["tasks"]
    assert assay("eval", "--rescore", out, "--json").json == {"run": str(out), "changed": [], "tasks": measured}
    altered = lines(out)
    altered[0] |= {"completion": "<answer>1</answer>"}
    (out / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in altered))
    done = assay("eval", "--rescore", out)
    assert "1 of 6 verdicts differ" in done.out
    again = assay("eval", "--rescore", out, "--json").json
    assert [entry["is"] for entry in again["changed"]] == [True]
    assert again["tasks"]["sums"]["eval/accuracy"] > measured["sums"]["eval/accuracy"]
    assert lines(out) == altered
    assay("eval", "--rescore", out, "--overwrite")
    assert lines(out)[0]["correct"] is True
    assert assay("eval", "--rescore", out, "--json").json["changed"] == []


def test_published_results_stand_beside_a_benchmark(assay: Assay, rows: Rows, model: Path, tmp_path: Path) -> None:
    data = rows({"id": 1, "problem": "1+1", "answer": "2"})
    out = assay(
        *("eval", model, "--tasks", f"aime24={data}", "--samples", 2, "--max-new-tokens", 4, "--template", "r1"),
        *("--out", tmp_path / "out"),
    )
    assert out.code == 2  # the tiny model has no room for the paper's template
    assert "the model has 128 positions" in out.err
    done = assay(
        *("eval", model, "--tasks", f"aime24={data}", "--samples", 2, "--max-new-tokens", 4, "--out", tmp_path / "out")
    )
    assert done.code == 0, done.err
    assert "model (here)" in done.out
    assert "DeepSeek-R1-Zero" in done.out
    assert "71.0" in done.out


def test_contamination(assay: Assay, rows: Rows, model: Path, sums: Path, tmp_path: Path) -> None:
    train = rows({"text": "so 1+1 makes two"}, name="train.jsonl")
    named = ("--tasks", sums, "--prompt-field", "question", "--reference-field", "answer")
    done = assay("eval", *named, "--contamination", train)
    assert done.code == 1
    assert "sums.jsonl:2: 100% of it, first in" in done.out
    found = assay("eval", *named, "--contamination", train, "--json").json["sums"]
    assert found == {
        "problems": 3,
        "found": [{"id": f"{sums}:2", "share": 1.0, "where": f"{train}:1"}],
    }
    assert assay("eval", *named, "--contamination", rows({"text": "else"}, name="clean.jsonl")).code == 0
    out = tmp_path / "out"
    metrics = assay(*options(model, sums, out), "--contamination", train, "--json").json["tasks"]["sums"]
    assert metrics["eval/n_clean"] == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--samples", 2, "--k", 3], "k = 3 needs at least 3 samples"),
        (["--template", "chat"], "no usable chat template"),
        (["--profile", "r2"], "r2"),
        (["--top-p", 0], "sampling.top_p is 0"),
        (["--tasks", "absent.jsonl"], "absent.jsonl: no such file"),
        (["--tasks", "gym:gdc"], "has no task 'gdc'"),
        (["--device", "nowhere"], "--device nowhere"),
        (["--server", "127.0.0.1:1"], "http"),
        (["--resume"], "no evaluation to resume"),
        (["--resume", "--overwrite"], "give one of them"),
        (["--contamination", "absent.jsonl"], "absent.jsonl: no such file"),
        (["--rescore", "."], "leave MODEL and --tasks out"),
    ],
)
def test_mistakes(
    assay: Assay, rows: Rows, model: Path, tmp_path: Path, arguments: list[object], expected: str
) -> None:
    data = rows({"prompt": "1+1", "reference": "2"})
    command = ["eval", model, "--tasks", data, "--max-new-tokens", 2, "--out", tmp_path / "out", *arguments]
    assert expected in assay(*command).mistake
    assert not (tmp_path / "out").exists()


def test_what_is_no_model(assay: Assay, rows: Rows, tmp_path: Path) -> None:
    data = rows({"prompt": "1+1", "reference": "2"})
    assert "not a Hugging Face folder" in assay("eval", tmp_path, "--tasks", data).mistake
    assert "eval needs a MODEL" in assay("eval", "--tasks", data).mistake
    assert "no eval.json" in assay("eval", "--rescore", tmp_path).mistake


def test_samples_of_other_problems_are_not_added(assay: Assay, sums: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assay(*options(model, sums, out))
    assert "started with another seed" in assay(*options(model, sums, out), "--seed", 7, "--resume").mistake
    sums.write_text(sums.read_text().replace("0+1", "5+1"))
    assert "started with another tasks" in assay(*options(model, sums, out), "--resume").mistake
    (out / "samples.jsonl").write_text('{"stage": "sums"}\n')
    assert "samples.jsonl:1: not a sample" in assay("eval", "--rescore", out).mistake
