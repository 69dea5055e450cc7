"""The TRL adapter, called as TRL calls it."""

import math
import pickle
from typing import Any

import pytest

import assay
from assay.integrations import trl
from assay.spec import Accuracy, Length, RewardSpec

RIGHT = "<think>1+1</think><answer>2</answer>"
CHAT = [[{"role": "assistant", "content": RIGHT}], [{"role": "assistant", "content": "The answer is 3."}]]


def call(reward: trl.Reward, completions: list[Any], **columns: Any) -> list[float | None]:
    """With everything that GRPOTrainer passes."""
    prompts = [[{"role": "user", "content": "?"}]] * len(completions)
    ids = [list(range(5 + index)) for index in range(len(completions))]
    return reward(prompts=prompts, completions=completions, completion_ids=ids, trainer_state=None, **columns)


def test_rewards() -> None:
    assert call(trl.accuracy_reward, CHAT, solution=["2", "2"]) == [1.0, 0.0]
    assert call(trl.accuracy_reward, [RIGHT, RIGHT], solution=["2", None]) == [1.0, None]
    assert call(trl.format_reward, CHAT) == [1.0, 0.0]
    assert call(trl.tag_count_reward, CHAT) == [1.0, 0.0]
    assert call(trl.get_repetition_penalty_reward(1, -1.0), ["a a a a", "a b c"]) == [-0.75, 0.0]
    assert call(trl.get_soft_overlong_punishment(6, 4), ["", ""]) == [-0.75, -1.0]  # 5 and 6 token ids
    cosine = trl.get_cosine_scaled_reward(max_len=len(RIGHT))
    shorter = 0.75 + 0.25 * math.cos(math.pi * len("The answer is 3.") / len(RIGHT))
    assert call(cosine, CHAT, solution=["2", "3"]) == [0.5, pytest.approx(shorter)]


def test_names_and_pickles() -> None:
    for reward in (trl.accuracy_reward, trl.format_reward, trl.get_soft_overlong_punishment(6, 4)):
        call(reward, CHAT, solution=["2", "2"])
        again = pickle.loads(pickle.dumps(reward))
        assert again.__name__ == reward.__name__
        assert call(again, CHAT, solution=["2", "2"]) == call(reward, CHAT, solution=["2", "2"])
    assert trl.accuracy_reward.__name__ == "accuracy_reward"


def test_reference_columns() -> None:
    for column in ("solution", "reference", "answer", "ground_truth"):
        assert call(trl.accuracy_reward, CHAT, **{column: ["2", "3"]}) == [1.0, 1.0]
    own = trl.Reward("accuracy", name="own", reference="gold")
    assert call(own, CHAT, gold=["2", "2"], solution=["9", "9"]) == [1.0, 0.0]
    with pytest.raises(assay.InvalidInputError, match="own: the dataset has no column gold"):
        call(own, CHAT, solution=["2", "2"])


def test_logs() -> None:
    extra: dict[str, list[str]] = {}
    metrics: dict[str, float] = {}
    call(trl.accuracy_reward, CHAT, solution=["2", None], log_extra=extra.__setitem__, log_metric=metrics.__setitem__)
    assert extra == {"accuracy_reward/reason": ["", "there is no reference"]}
    assert metrics == {"accuracy_reward/unscored_ratio": 0.5}


def test_token_ids_are_scored_when_there_is_a_tokenizer() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"2": 0, "3": 1, "is": 2, "answer": 3, "The": 4}, unk_token="2"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    spec = RewardSpec([Accuracy(), Length(mode="soft_overlong", max_length=4, buffer=2, weight=0.5)])
    reward = trl.Reward(spec, tokenizer=tokenizer)
    completions = ["not looked at", "nor this"]
    assert reward(completions=completions, completion_ids=[[0], [4, 3, 2, 1]], solution=["2", "2"]) == [1.0, -0.5]
    assert reward(completions=[], completion_ids=[], solution=[]) == []
