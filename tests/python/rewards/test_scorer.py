"""The scorer against a naive one in Python, and what it promises about batches."""

import math
import pickle
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

import assay
from assay.scores import Scores
from assay.spec import Accuracy, Format, Length, Repetition, RewardSpec, Tags

SPEC = RewardSpec(
    [
        Accuracy(),
        Format(weight=0.5),
        Tags(weight=0.25),
        Length(mode="cosine", unit="characters", max_length=40, weight=0.125),
        Length(name="overlong", mode="soft_overlong", unit="words", max_length=8, buffer=4),
        Repetition(ngram=2, max_penalty=-0.5),
    ]
)
TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
PIECES = [*TAGS, "4", "5", " ", "\n", "the answer is ", "is ", "\\boxed{4}", "\\boxed{5}", "é", "$", "####", "x y x y "]
COMPLETION = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
REFERENCE = st.sampled_from(["4", "5", "4.0", "", None])
BATCH = st.lists(st.tuples(COMPLETION, REFERENCE), max_size=40)


def naive(completion: str, reference: str | None) -> dict[str, float]:
    """The components of SPEC by the book; NaN where there is no value."""
    if not (reference or "").strip():
        accuracy = math.nan
    else:
        answer = assay.extract(completion)
        verdict = assay.verify(reference, answer.text) if answer else False
        accuracy = math.nan if verdict and verdict.outcome == "undecided" else float(bool(verdict))
        if answer and assay.verify(reference, answer.text).outcome == "undecided":
            accuracy = math.nan
    block = r"((?!</?think>|</?answer>).)*"
    well_formed = re.fullmatch(rf"\s*<think>{block}</think>\s*<answer>{block}</answer>\s*", completion, re.DOTALL)
    low, high = (0.5, 1.0) if accuracy == 1.0 else (-0.5, -1.0)
    progress = min(len(completion) / 40, 1.0)
    words = completion.lower().split()
    pairs = list(pairwise(words))
    return {
        "accuracy": accuracy,
        "format": float(well_formed is not None),
        "tags": sum(completion.count(tag) == 1 for tag in TAGS) / 4,
        "length": math.nan if math.isnan(accuracy) else low + 0.5 * (high - low) * (1 + math.cos(math.pi * progress)),
        "overlong": min(0.0, max(-1.0, (4 - len(words)) / 4)),
        "repetition": -0.5 * (1 - len(set(pairs)) / len(pairs)) if pairs else 0.0,
    }


@given(batch=BATCH)
def test_like_the_naive_scorer(batch: list[tuple[str, str | None]]) -> None:
    scores = assay.Scorer(SPEC).score([completion for completion, _ in batch], [reference for _, reference in batch])
    weights = {component.name: component.weight for component in SPEC.components}
    assert len(scores) == len(batch)
    for index, (completion, reference) in enumerate(batch):
        expected = naive(completion, reference)
        got = {name: values[index] for name, values in scores.components.items()}
        np.testing.assert_allclose(list(got.values()), list(expected.values()), rtol=1e-12, atol=1e-12)
        assert list(got) == list(expected)
        total = sum(weights[name] * value for name, value in expected.items())
        np.testing.assert_allclose(scores.total[index], total, rtol=1e-12, atol=1e-12)
        assert (scores.status[index] == "scored") == (not math.isnan(total))


def same(first: assay.Scores, second: assay.Scores) -> None:
    """Bit for bit."""
    assert first.total.tobytes() == second.total.tobytes()
    assert {name: values.tobytes() for name, values in first.components.items()} == {
        name: values.tobytes() for name, values in second.components.items()
    }
    assert first.status == second.status
    assert first.reasons == second.reasons
    assert first.answers == second.answers


@given(batch=BATCH)
def test_token_ids_score_like_their_text(batch: list[tuple[str, str | None]], byte_tokenizer: Tokenizer) -> None:
    completions, references = [text for text, _ in batch], [reference for _, reference in batch]
    scorer = assay.Scorer(SPEC, tokenizer=byte_tokenizer)
    ids = [byte_tokenizer.encode(text).ids for text in completions]
    offsets = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    flat = np.array([token for row in ids for token in row], dtype=np.uint32)
    same(scorer.score(completions, references), scorer.score_tokens(flat, offsets, references))


def test_neither_batch_nor_order_nor_threads_matter() -> None:
    generator = np.random.default_rng(0)
    completions = ["".join(generator.choice(PIECES, 6)) for _ in range(500)]
    references = [["4", "5", None][index % 3] for index in range(500)]
    whole = assay.Scorer(SPEC, threads=1).score(completions, references)
    for threads in (2, 3, None):
        same(whole, assay.Scorer(SPEC, threads=threads).score(completions, references))
    order = generator.permutation(500)
    shuffled = assay.Scorer(SPEC).score([completions[i] for i in order], [references[i] for i in order])
    assert shuffled.total.tobytes() == whole.total[order].tobytes()
    one_by_one = assay.Scorer(SPEC)
    for index in range(0, 500, 7):
        single = one_by_one.score([completions[index]], [references[index]])
        assert single.total.tobytes() == whole.total[index : index + 1].tobytes()


def test_empty_batch() -> None:
    scores = assay.Scorer(SPEC).score([], [])
    assert len(scores) == 0
    assert scores.total.dtype == np.float64
    assert list(scores.components) == [component.name for component in SPEC.components]
    assert scores.to_list() == scores.status == scores.reasons == scores.answers == []


def test_scores_pickle_and_show_themselves() -> None:
    scores = assay.Scorer({"accuracy": 1.0, "format": 0.5}).score(["It is 4.", "It is 4."], ["4", None])
    same(scores, pickle.loads(pickle.dumps(scores)))
    assert repr(scores) == "Scores(2 items, 1 scored, components=['accuracy', 'format'])"
    assert scores.to_list()[1] == {
        "total": None,
        "components": {"accuracy": None, "format": 0.0},
        "status": "invalid_reference",
        "reason": "there is no reference",
        "answer": None,
    }
    assert all(isinstance(status, assay.Status) for status in scores.status)


def test_scorers_pickle(byte_tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(byte_tokenizer.to_str(), encoding="utf-8")
    for tokenizer in (None, byte_tokenizer, path, str(path), tmp_path):
        scorer = assay.Scorer(SPEC, tokenizer=tokenizer, threads=2)
        again = pickle.loads(pickle.dumps(scorer))
        assert again.spec == scorer.spec == SPEC
        assert repr(again) == repr(scorer)
        same(scorer.score(["It is 4."], ["4"]), again.score(["It is 4."], ["4"]))


def test_chat_messages() -> None:
    scorer = assay.Scorer("accuracy")
    say = "The answer is 4."
    conversations: list[Any] = [
        [{"role": "assistant", "content": say}],
        [
            {"role": "assistant", "content": "5"},
            {"role": "tool", "content": "6"},
            {"role": "assistant", "content": say},
        ],
        [
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "The answer "}, {"type": "text", "text": "is 4."}],
            }
        ],
        [{"role": "assistant", "content": None, "tool_calls": []}],
        say,
    ]
    assert scorer.score(conversations, ["4"] * 5).total.tolist() == [1, 1, 1, 0, 1]
    with pytest.raises(assay.InvalidInputError, match=r"completions\[0\] has no assistant message"):
        scorer.score([[{"role": "user", "content": "4"}]], ["4"])


def tokens(*ids: int) -> np.ndarray:
    return np.array(ids, dtype=np.uint32)


def offsets(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((tokens(1, 2).astype(np.int64), offsets(0, 2), ["4"]), "token_ids must be a contiguous numpy array of uint32"),
        (([1, 2], offsets(0, 2), ["4"]), "got list"),
        ((tokens(1, 2, 3)[::2], offsets(0, 2), ["4"]), "not contiguous"),
        ((tokens(1, 2).reshape(1, 2), offsets(0, 2), ["4"]), "an array of 2 dimensions"),
        ((tokens(1, 2), offsets(0, 2).astype(np.int32), ["4"]), "offsets must be a contiguous numpy array of int64"),
        ((tokens(1, 2), offsets(0, 2), ["4", "5"]), "offsets has 2 entries for 2 references"),
        ((tokens(1, 2), offsets(1, 2), ["4"]), r"offsets\[0\] is 1; it must be 0"),
        ((tokens(1, 2), offsets(0, 2, 1), ["4", "5"]), r"offsets\[2\] is 1, less than the 2 before it"),
        ((tokens(1, 2), offsets(0, 1), ["4"]), "offsets ends at 1, but token_ids has 2 entries"),
        ((tokens(1, 2), offsets(0, 3), ["4"]), "offsets ends at 3, but token_ids has 2 entries"),
        ((tokens(1, 2), offsets(0, -1, 2), ["4", "5"]), r"offsets\[1\] is -1"),
        ((tokens(1, 99999), offsets(0, 1, 2), ["4", "5"]), "completion 1: token_ids: id 99999"),
        ((tokens(1, 2), offsets(0, 2), "4"), r"references must be a list, got str; pass \[references\]"),
        ((tokens(1, 2), offsets(0, 2), [4]), r"references\[0\] must be str or None, got int"),
    ],
)
def test_bad_arrays_are_named(arguments: tuple[Any, ...], message: str, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(assay.InvalidInputError, match=message):
        assay.Scorer("accuracy", tokenizer=byte_tokenizer).score_tokens(*arguments)


@pytest.mark.parametrize(
    ("completions", "references", "message"),
    [
        ("4", ["4"], r"completions must be a list, got str; pass \[completions\]"),
        ({"4"}, ["4"], r"completions must be a list, got set; pass list\(completions\)"),
        ([4], ["4"], r"completions\[0\] must be str, got int"),
        ([None], ["4"], r"completions\[0\] must be str, got NoneType"),
        (["4"], ["4", "5"], "references has 2 entries for 1 completions"),
        (["4"], [4.0], r"references\[0\] must be str or None, got float"),
    ],
)
def test_bad_lists_are_named(completions: Any, references: Any, message: str) -> None:
    with pytest.raises(assay.InvalidInputError, match=message):
        assay.Scorer("accuracy").score(completions, references)
    with pytest.raises(assay.InvalidInputError, match="prompts has 1 entries for 2 completions"):
        assay.Scorer("accuracy").score(["4", "4"], ["4", "4"], prompts=["?"])


def test_tokens_are_needed_only_where_they_count(byte_tokenizer: Tokenizer) -> None:
    by_tokens = RewardSpec([Length(mode="soft_overlong", max_length=4, buffer=2), Repetition(unit="tokens", ngram=1)])
    with pytest.raises(assay.InvalidSpecError, match="component `length` counts tokens"):
        assay.Scorer(by_tokens).score(["abc"], [None])
    with pytest.raises(assay.InvalidSpecError, match="component `accuracy` reads text"):
        assay.Scorer("accuracy").score_tokens(tokens(1), offsets(0, 1), ["4"])
    bare = assay.Scorer(by_tokens).score_tokens(tokens(7, 7, 7), offsets(0, 3), [None])
    assert bare.components["length"].tolist() == [-0.5]
    assert bare.components["repetition"].tolist() == [pytest.approx(-2 / 3)]
    same(bare, assay.Scorer(by_tokens, tokenizer=byte_tokenizer).score(["aaa"], [None]))


def test_limits_are_data() -> None:
    spec = {"accuracy": 1.0, "format": 0.5}
    scores = assay.Scorer(spec).score(["x" * (4 << 20) + "y", f"\\boxed{{{'7' * 70_000}}}", "It is 4."], ["4"] * 3)
    assert [str(status) for status in scores.status] == ["limit", "limit", "scored"]
    assert np.isnan(scores.total[:2]).all()
    assert np.isnan(scores.components["format"][0])  # not read at all
    assert scores.components["format"][1] == 0.0
    assert all(scores.reasons[:2])
    ids, ends = np.zeros((1 << 20) + 1, dtype=np.uint32), offsets(0, (1 << 20) + 1)
    length = RewardSpec([Length(mode="soft_overlong", max_length=4, buffer=2)])
    assert assay.Scorer(length).score_tokens(ids, ends, [None]).status == ["limit"]


@pytest.mark.parametrize("tokenizer", ["missing.json", 3, object()])
def test_bad_tokenizers_are_named(tokenizer: Any) -> None:
    with pytest.raises(assay.InvalidInputError, match="tokenizer"):
        assay.Scorer("accuracy", tokenizer=tokenizer)


def test_broken_tokenizer_file(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(assay.InvalidInputError, match="not a tokenizer"):
        assay.Scorer("accuracy", tokenizer=path)


def test_threads_are_checked() -> None:
    for threads in (0, -1, 5000):
        with pytest.raises(assay.InvalidInputError, match="threads is"):
            assay.Scorer("accuracy", threads=threads)


def test_columns_are_made_once_however_often_they_are_asked_for():
    """Made anew for each item they would cost the square of the batch."""
    made: list[int] = []

    def column() -> list[str]:
        made.append(1)
        return ["scored"] * 3

    scores = Scores(np.ones(3), {}, column, [None] * 3, [None] * 3)
    assert len(scores.to_list()) == 3
    assert scores.status is scores.status
    assert len(made) == 1
