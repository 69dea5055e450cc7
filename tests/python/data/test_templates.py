"""Prompts as the model sees them."""

from __future__ import annotations

from typing import Any

import pytest

from assay.data import Template, render
from assay.data.strict import check
from assay.errors import InvalidInputError, InvalidSpecError


class Tags:
    """A chat template that shows what it was given."""

    chat_template = "x"

    def apply_chat_template(self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool) -> str:
        assert not tokenize
        assert add_generation_prompt
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in conversation) + "<assistant>"


def test_r1_is_table_1_of_the_paper() -> None:
    text = render("What is 2 + 3", Template(kind="r1"))
    assert text.startswith("A conversation between User and Assistant. The user asks a question, and the Assistant")
    assert "i.e., <think> reasoning process here </think> <answer> answer here </answer>. User:" in text
    assert text.endswith("User: What is 2 + 3. Assistant:")
    assert render("What is 2 + 3?", Template(kind="r1")).endswith("User: What is 2 + 3? Assistant:")
    assert render("Why?", Template(kind="r1", prefill=" <think>")).endswith("Assistant: <think>")


def test_text_is_literal_but_for_the_problem() -> None:
    template = check(Template, {"kind": "text", "text": "{x} {prompt} {0}\n"}, where="t")
    assert render("{prompt}{y}", template) == "{x} {prompt}{y} {0}\n"


def test_raw_and_shots() -> None:
    shots = [{"prompt": "1 + 1", "completion": "<answer>2</answer>"}]
    assert render("a", Template()) == "a"
    assert render("2 + 2", check(Template, {"shots": shots}, where="t")) == "1 + 1\n<answer>2</answer>\n\n2 + 2"
    turns = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    assert render(turns, Template()) == "a\nb"  # type: ignore[arg-type]


def test_chat_uses_the_tokenizers_template() -> None:
    shots = [{"prompt": "1", "completion": "2"}]
    template = check(Template, {"kind": "chat", "system": "S", "shots": shots, "prefill": "<think>"}, where="t")
    assert render("q", template, Tags()) == "<system>S<user>1<assistant>2<user>q<assistant><think>"
    with pytest.raises(InvalidInputError, match="needs the model's tokenizer"):
        render("q", template)


def test_a_tokenizer_without_chat_template_is_a_clear_error() -> None:
    class Base:
        def apply_chat_template(self, *_: Any, **__: Any) -> str:
            raise ValueError("Cannot use chat template functions because tokenizer.chat_template is not set\nmore")

    with pytest.raises(InvalidInputError, match="no usable chat template") as caught:
        render("q", Template(kind="chat"), Base())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"kind": "text"}, "needs a text with {prompt}"),
        ({"kind": "text", "text": "no place"}, "needs a text with {prompt}"),
        ({"kind": "r1", "text": "{prompt}"}, 'text is used with kind = "text" only'),
        ({"kind": "raw", "system": "S"}, 'system is used with kind = "chat" only'),
        ({"shots": [{"prompt": "1"}]}, "shots.0.completion: this key is required"),
        ({"shots": [{"prompt": "1", "completion": "2", "x": 1}]}, "shots.0.x: unknown key"),
    ],
)
def test_templates_that_contradict_themselves(table: dict[str, object], expected: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        check(Template, table, where="recipe.toml: data.template")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("recipe.toml: data.template: ")
