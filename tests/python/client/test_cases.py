"""Every row of tests/cases/score.jsonl scores the same, bit for bit, in process and over the network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

import assay

CASES = Path(__file__).parents[2] / "cases" / "score.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
SCORED = [row for row in ROWS if "error" not in row]


def same(remote: assay.Scores, local: assay.Scores) -> None:
    """Equal bit for bit: NaN equals NaN, and 0.0 is not -0.0."""
    assert remote.total.tobytes() == local.total.tobytes()
    assert list(remote.components) == list(local.components)
    for name, values in local.components.items():
        assert remote.components[name].tobytes() == values.tobytes(), name
    assert remote.status == local.status
    assert remote.reasons == local.reasons
    assert remote.answers == local.answers


@pytest.mark.parametrize("door", ["text", "tokens"])
@pytest.mark.parametrize("row", SCORED, ids=lambda row: row["id"])
def test_rows(row: dict[str, Any], door: str, server: Any, tokenizer_file: Path, byte_tokenizer: Tokenizer) -> None:
    local = assay.Scorer(row["spec"], tokenizer=tokenizer_file)
    with assay.connect(server.address, row["spec"], tokenizer=tokenizer_file) as remote:
        if door == "text":
            arguments: tuple[Any, ...] = ([row["completion"]], [row["reference"]])
            same(remote.score(*arguments), local.score(*arguments))
        else:
            ids = np.array(byte_tokenizer.encode(row["completion"]).ids, dtype=np.uint32)
            arguments = (ids, np.array([0, len(ids)]), [row["reference"]])
            same(remote.score_tokens(*arguments), local.score_tokens(*arguments))


def test_a_batch_of_everything(server: Any, tokenizer_file: Path) -> None:
    """All rows at once, many times over, so that the batch travels in many requests and comes back in order."""
    spec = {"accuracy": 1.0, "format": 0.3, "tags": 0.1, "repetition": 0.7}
    rows = SCORED * (2000 // len(SCORED))
    completions, references = [row["completion"] for row in rows], [row["reference"] for row in rows]
    local = assay.Scorer(spec).score(completions, references)
    with assay.connect(server.address, spec) as remote:
        same(remote.score(completions, references), local)
