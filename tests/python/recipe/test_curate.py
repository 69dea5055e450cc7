"""What rejection sampling keeps: every filter, duplicates, balance, and that each row that goes says why."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from assay.recipe.curate import balance, counts, curate
from assay.recipe.schema import CollectStage

ENGLISH = "<think>three and two is five; this is the sum of the two</think><answer>5</answer>"


def stage(**options: Any) -> CollectStage:
    return CollectStage.model_validate(
        {"kind": "collect", "sampling": {"max_new_tokens": 9}, "per_prompt": 0, **options}
    )


def row(
    prompt: str, index: int, completion: str = ENGLISH, *, correct: bool | None = True, **more: Any
) -> dict[str, Any]:
    return {
        "key": f"{prompt}/{index}",
        "prompt_id": prompt,
        "completion": completion,
        "correct": correct,
        "status": "scored" if correct is not None else "invalid_reference",
        "finish_reason": "stop",
        **more,
    }


def reasons(rows: list[dict[str, Any]]) -> list[str | None]:
    return [item["rejected"] for item in rows]


def test_wrong_and_unscored_completions_go_and_the_rest_stays():
    rows = curate([row("p", 0), row("p", 1, correct=False), row("q", 0, correct=None)], stage(), {})
    assert reasons(rows) == [None, "wrong", "not scored: invalid_reference"]
    assert [item["pass_rate"] for item in rows] == [0.5, 0.5, None]
    assert [item["bucket"] for item in rows] == [1, 1, None]
    assert counts(rows) == {"kept": 1, "wrong": 1, "not scored": 1}


@pytest.mark.parametrize(
    ("completion", "options", "more", "reason"),
    [
        (ENGLISH, {"language": "en"}, {}, None),
        ("<think>three and two is 五; 三加二是五</think>5", {"language": "en"}, {}, "mixed language"),
        (ENGLISH, {"language": "zh"}, {}, "mixed language"),
        ("<think></think><answer>5</answer>", {}, {}, "does not think"),
        ("<think></think><answer>5</answer>", {"thinks": False}, {}, None),
        (ENGLISH, {}, {"finish_reason": "length"}, "unfinished"),
        (ENGLISH, {"finished": False}, {"finish_reason": "length"}, None),
        ("<think>a\n\n" + "b" * 50 + "</think>5", {"max_paragraph": 40}, {}, "long paragraph"),
        ("<think>a\n \n" + "b" * 30 + "</think>5", {"max_paragraph": 40}, {}, None),
        ("<think>```x```</think>5", {"code_blocks": False}, {}, "code block"),
        ("<think>```x```</think>5", {}, {}, None),
    ],
)
def test_filters(completion: str, options: dict[str, Any], more: dict[str, Any], reason: str | None):
    assert reasons(curate([row("p", 0, completion, **more)], stage(filter=options), {})) == [reason]


def test_of_duplicates_the_first_stays():
    near = ENGLISH.replace("sum", "total")
    rows = [row("p", 0), row("p", 1, ENGLISH.replace(" ", "  ")), row("p", 2, near), row("q", 0)]
    assert reasons(curate(rows, stage(), {})) == [None, "duplicate", None, None]
    rows = [row("p", 0), row("p", 1, near), row("p", 2, "<think>so it is five</think><answer>5</answer>")]
    assert reasons(curate(rows, stage(filter={"near_duplicates": 0.6}), {})) == [None, "near duplicate", None]


def test_duplicates_across_prompts_go_if_asked_for():
    near = ENGLISH.replace("sum", "total")
    rows = [row("p", 0), row("q", 0), row("r", 0, near)]
    kept = curate(rows, stage(filter={"near_duplicates": 0.6, "across_prompts": True}), {})
    assert reasons(kept) == [None, "duplicate", "near duplicate"]
    assert reasons(curate([row("p", 0), row("q", 0)], stage(filter={"near_duplicates": 0.6}), {})) == [None, None]


def test_no_more_of_a_prompt_than_asked_for():
    texts = [ENGLISH.replace("sum", word) for word in ("sum", "total", "result")]
    rows = curate([row("p", i, text) for i, text in enumerate(texts)], stage(per_prompt=2), {})
    assert reasons(rows) == [None, None, "enough of this prompt"]


def test_too_easy_and_too_hard_prompts_go():
    rows = [row("easy", 0), row("easy", 1, ENGLISH + " "), *[row("hard", i, correct=i == 0) for i in range(8)]]
    kept = curate(rows, stage(balance={"min_pass_rate": 0.2, "max_pass_rate": 0.9}), {})
    assert reasons(kept)[:3] == ["too easy", "too easy", "too hard"]


def test_a_reviewers_mark_outranks_the_filters():
    rows = [row("p", 0, "<think></think>5"), row("q", 0), row("r", 0)]
    marked = curate(rows, stage(), {"p/0": "accept", "q/0": "reject"})
    assert reasons(marked) == [None, "reviewer", None]


@pytest.mark.parametrize("max_share", [1.0, 0.5, 0.4, 0.1])
@pytest.mark.parametrize("sizes", [(40, 10, 5), (7,), (3, 3), (100, 1, 1), (0, 0)])
def test_balance_holds_every_bucket_to_its_share_and_cuts_no_more(max_share: float, sizes: tuple[int, ...]):
    rows = [{"key": f"{b}/{i}", "bucket": b, "rejected": None} for b, size in enumerate(sizes) for i in range(size)]
    again = [dict(item) for item in reversed(rows)]
    balance(rows, max_share)
    kept = Counter(item["bucket"] for item in rows if item["rejected"] is None)
    total, buckets = sum(kept.values()), sum(size > 0 for size in sizes)
    for bucket, size in enumerate(sizes):
        share = max(max_share, 1 / buckets) if buckets else 1.0
        assert kept[bucket] <= share * total + 1e-9
        if kept[bucket] < size:
            # One more of it would be too many.
            assert kept[bucket] + 1 > share * (total + 1)
    balance(again, max_share)
    assert {item["key"] for item in again if item["rejected"]} == {item["key"] for item in rows if item["rejected"]}
