"""`assay eval --server`: every sample is a request of its own, and is kept as soon as it is there."""

from __future__ import annotations

import json

import pytest

from assay.cli import run


@pytest.fixture
def folder(model_path):
    from assay.learner.tiny import TinyConfig, tiny_model

    small = TinyConfig(hidden_size=16, layers=1, heads=2, key_value_heads=1, feed_forward_size=16)
    _, tokenizer = tiny_model(small, seed=0)
    tokenizer.save_pretrained(model_path)
    return model_path


def test_eval_on_a_server_and_what_a_resumed_one_asks_for(folder, fake_server, tmp_path, capsys):
    server = fake_server()
    data, out = tmp_path / "sums.jsonl", tmp_path / "out"
    data.write_text("".join(json.dumps({"prompt": f"{n}+1=", "reference": str(n + 1)}) + "\n" for n in range(4)))
    command = ["eval", str(folder), "--tasks", str(data), "--server", server.url, "--samples", "3", "--out", str(out)]
    command += ["--max-new-tokens", "5", "--json"]
    assert run(command) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["tasks"]["sums"]["eval/samples"] == 12
    assert len(server.requests) == 12
    asked = server.requests[0]["sampling_params"]
    assert (asked["temperature"], asked["top_p"], asked["max_new_tokens"]) == (0.6, 0.95, 5)
    lines = (out / "samples.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["index"] != 1]
    (out / "samples.jsonl").write_text("".join(kept))
    assert run([*command, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["sums"]["eval/samples"] == 12
    assert len(server.requests) == 12 + 4
    after = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert {(row["group_id"], row["index"]) for row in after} == {(p, i) for p in range(4) for i in range(3)}
    assert all(row["prompt"] == f"{row['group_id']}+1=" for row in after)
