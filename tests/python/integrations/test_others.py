"""verl and OpenRLHF, called as they call."""

import pytest

import assay
from assay.integrations import openrlhf, verl


def test_verl() -> None:
    spec = {"accuracy": 1.0, "format": 0.5}
    right = "<think>1+1</think><answer>2</answer>"
    assert verl.compute_score("math", right, "2", {"split": "train"}, spec=spec, reward_router_address=None) == {
        "score": 1.5,
        "pred": "2",
        "accuracy": 1.0,
        "format": 1.0,
    }
    batch = verl.compute_score_batched(["math"] * 2, [right, "<think>"], ["2", "2"], [None, None])
    assert [row["score"] for row in batch] == [1.0, 0.0]
    assert [row["pred"] for row in batch] == ["2", ""]


def test_a_broken_reference_is_no_reward() -> None:
    with pytest.raises(assay.InvalidInputError, match="item 1: invalid_reference: there is no reference"):
        verl.compute_score_batched(["m"] * 2, ["2", "2"], ["2", None])  # type: ignore[list-item]
    with pytest.raises(assay.LimitError, match="item 0: limit"):
        verl.compute_score("m", "x" * 5_000_000, "2")


def test_openrlhf() -> None:
    prompts = ["What is 1+1?"] * 2
    result = openrlhf.reward_func([f"{prompts[0]} It is 2.", f"{prompts[0]} It is 3."], prompts, ["2", "2"])
    assert result["rewards"].tolist() == result["scores"].tolist() == [1.0, 0.0]
    assert result["extra_logs"]["accuracy"].tolist() == [1.0, 0.0]
    assert result["rewards"][0].item() == 1.0
