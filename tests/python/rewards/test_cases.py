"""Every row of tests/cases/score.jsonl, through text and through token ids."""

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
REFUSED = [row for row in ROWS if "error" in row]
DOORS = ["text", "tokens"]


def name(row: dict[str, Any]) -> str:
    return row["id"]


def test_ids_are_unique() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("row", SCORED, ids=name)
def test_scores(row: dict[str, Any], door: str, byte_tokenizer: Tokenizer) -> None:
    scorer = assay.Scorer(row["spec"], tokenizer=byte_tokenizer)
    if door == "text":
        scores = scorer.score([row["completion"]], [row["reference"]])
    else:
        ids = np.array(byte_tokenizer.encode(row["completion"]).ids, dtype=np.uint32)
        scores = scorer.score_tokens(ids, np.array([0, len(ids)]), [row["reference"]])
    [got] = scores.to_list()
    # A row without a reason leaves its wording to the verifier.
    expected = {key: row[key] for key in ("total", "components", "status", "answer", "reason") if key in row}
    assert {key: got[key] for key in expected} == expected, row["why"]
    assert list(got["components"]) == list(row["components"])
    assert (got["total"] is None) == (got["status"] != "scored")
    assert got["reason"] or got["status"] == "scored"


@pytest.mark.parametrize("row", REFUSED, ids=name)
def test_refused(row: dict[str, Any]) -> None:
    assert row["error"] == "invalid_spec"
    with pytest.raises(assay.InvalidSpecError) as raised:
        assay.Scorer(row["spec"])
    assert row["message"] in str(raised.value)
