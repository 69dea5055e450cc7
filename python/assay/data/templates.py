"""From the problem to the text a model is asked to continue."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field, model_validator

from assay.data.strict import StrictModel
from assay.data.task import Message, Prompt, prompt_text
from assay.errors import InvalidInputError

# DeepSeek-R1, arXiv:2501.12948, Table 1, word for word.
R1_TEMPLATE = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant "
    "first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning "
    "process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> "
    "reasoning process here </think> <answer> answer here </answer>. User: {prompt}. Assistant:"
)


class ChatTokenizer(Protocol):
    """The part of a Hugging Face tokenizer that a chat template needs."""

    def apply_chat_template(
        self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool, **kwargs: Any
    ) -> Any:
        """The conversation as the model's own markup."""
        ...


class Shot(StrictModel):
    """A solved example shown before the problem."""

    prompt: str
    """The example problem."""
    completion: str
    """Its completion, as the model should write it."""


class Template(StrictModel):
    """How a prompt is put to the model."""

    kind: Literal["raw", "r1", "chat", "text"] = "raw"
    """`raw`: as it stands. `r1`: Table 1 of the DeepSeek-R1 paper. `chat`: the tokenizer's chat template. `text`: yours."""
    text: str | None = None
    """For `text`: the template; `{prompt}` stands where the problem goes, all else is literal."""
    system: str | None = None
    """For `chat`: a system turn put first."""
    shots: list[Shot] = Field(default_factory=list[Shot])
    """Solved examples: earlier turns in `chat`, blocks separated by a blank line elsewhere (in `r1` and `text`, inside the problem)."""
    prefill: str = ""
    """What the assistant's turn begins with, for instance `<think>` (then set `think_in_prompt` in the format reward)."""

    @model_validator(mode="after")
    def _consistent(self) -> Template:
        if self.kind == "text" and "{prompt}" not in (self.text or ""):
            raise ValueError('kind = "text" needs a text with {prompt} where the problem goes')
        if self.kind != "text" and self.text is not None:
            raise ValueError('text is used with kind = "text" only')
        if self.kind != "chat" and self.system is not None:
            raise ValueError('system is used with kind = "chat" only; write it into the text instead')
        return self


def render(prompt: Prompt, template: Template, tokenizer: ChatTokenizer | None = None) -> str:
    """The text the model continues.

    Args:
        prompt: the problem; a list of turns is kept as turns by `chat` and joined by line breaks elsewhere.
        template: how to put it.
        tokenizer: needed for `chat` only.

    Raises:
        InvalidInputError: `chat` without a tokenizer that has a chat template.
    """
    if template.kind == "chat":
        return _chat(prompt, template, tokenizer) + template.prefill
    problem = prompt_text(prompt)
    if template.shots:
        shown = [f"{shot.prompt}\n{shot.completion}" for shot in template.shots]
        problem = "\n\n".join([*shown, problem])
    if template.kind == "r1":
        # The full stop after the prompt is the paper's; a prompt that ends a sentence already keeps its own mark.
        pattern = R1_TEMPLATE.replace("{prompt}.", "{prompt}") if problem.rstrip()[-1:] in ".?!" else R1_TEMPLATE
        problem = problem.rstrip()
    else:
        pattern = template.text or "{prompt}"
    return pattern.replace("{prompt}", problem) + template.prefill


def _chat(prompt: Prompt, template: Template, tokenizer: ChatTokenizer | None) -> str:
    if tokenizer is None:
        raise InvalidInputError('template: kind = "chat" needs the model\'s tokenizer')
    turns: list[Message] = [Message(role="system", content=template.system)] if template.system else []
    for shot in template.shots:
        turns.append(Message(role="user", content=shot.prompt))
        turns.append(Message(role="assistant", content=shot.completion))
    turns += [Message(role="user", content=prompt)] if isinstance(prompt, str) else prompt
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except ValueError as error:
        raise InvalidInputError(
            f'template: the tokenizer has no usable chat template ({str(error).splitlines()[0]}); use kind = "r1" or "text"'
        ) from None
    return str(text)
