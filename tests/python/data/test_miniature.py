"""The tasks of the R1 recipe in miniature: what their demonstrations and preferences are right about."""

from __future__ import annotations

import re

import pytest

from assay.data import load_splits
from assay.data.config import GreetingsConfig, NumberWordsConfig
from assay.data.greetings import response
from assay.data.number_words import CHINESE, ENGLISH, spoken_addition
from assay.errors import InvalidInputError

WORDS = {word: number for words in (ENGLISH, CHINESE) for number, word in enumerate(words)}


def worked_out(thinking: str) -> int:
    """The sum that a chain of thought spells, after checking that each column adds up."""
    result = carry = 0
    columns = re.split(r"; |\uff1b", thinking)
    for place, column in enumerate(columns):
        terms, total = re.split(r" is |是", column)
        digits = [WORDS[word] for word in re.split(r" and |加", terms)]
        assert sum(digits) == WORDS[total], column
        assert digits[2:] == ([1] if carry else [])
        result += (WORDS[total] if place == len(columns) - 1 else WORDS[total] % 10) * 10**place
        carry = WORDS[total] // 10
    return result


def test_demonstrations_add_up_in_either_language():
    splits = load_splits(NumberWordsConfig(digits=2, size=300, held_out=50, seed=3))
    english = chinese = 0
    for task in [*splits.train, *splits.held_out]:
        think, answer = re.fullmatch(r"<think>(.+)</think><answer>(\d+)</answer>", task.metadata["completion"]).groups()
        assert str(worked_out(think)) == answer == task.reference
        english, chinese = english + think.count(" is "), chinese + think.count("是")
    assert 0.4 < english / (english + chinese) < 0.6
    assert not {task.prompt for task in splits.train} & {task.prompt for task in splits.held_out}


@pytest.mark.parametrize("english", [True, False])
def test_a_slip_is_one_off_and_carried_on(english: bool):
    text, result = spoken_addition(37, 45, [english, english], [True, False])
    assert result == 83
    assert ("thirteen" if english else "十三") in text
    assert spoken_addition(99, 99, [True, True], [False, True])[1] == 188


def test_only_english_slips():
    slipped = load_splits(NumberWordsConfig(size=400, english_slips=1.0, english_share=0.5)).train
    for task in slipped:
        completion = task.metadata["completion"]
        answer = re.search(r"<answer>(\d+)", completion).group(1)
        assert (answer == task.reference) == (" is " not in completion)


def test_preferences_are_about_the_part_they_judge():
    for prefer in ("helpful", "harmless"):
        for task in load_splits(GreetingsConfig(size=200, prefer=prefer)).train:
            chosen, rejected = task.metadata["chosen"], task.metadata["rejected"]
            name = task.prompt.removeprefix("greet ").removesuffix(":")
            if prefer == "helpful":
                order = [response(name, rude=rude, summary=s) for s in range(3) for rude in (False, True)]
                assert order.index(chosen) // 2 < order.index(rejected) // 2
            else:
                assert "fool" not in chosen
                assert "go away" not in chosen
                assert "fool" in rejected or "go away" in rejected
    assert all(task.reference is None for task in load_splits(GreetingsConfig(size=5)).train)


@pytest.mark.parametrize("config", [NumberWordsConfig(digits=1, held_out=60), GreetingsConfig(held_out=500)])
def test_more_held_out_than_there_is_room_for_is_refused(config: NumberWordsConfig | GreetingsConfig):
    with pytest.raises(InvalidInputError, match="cannot be held out; lower it"):
        load_splits(config)
