"""One problem to solve: the row every loader produces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict


class Message(TypedDict):
    """One turn of a chat prompt."""

    role: str
    content: str


Prompt = str | list[Message]
"""Plain text, or the turns of a chat (the last one is what the model answers)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One problem.

    Attributes:
        prompt: what is asked, before any template; never empty.
        reference: the gold answer, or `None` if the dataset has none (an accuracy reward then reports
            `invalid_reference`, it does not guess).
        id: unique inside its source; the `id` field of the row, or `file:line`.
        source: the file or generator the row came from.
        metadata: the row's other fields, as read.
    """

    prompt: Prompt
    reference: str | None
    id: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


def prompt_text(prompt: Prompt) -> str:
    """The words of a prompt without roles: what de-duplication and reports look at."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(message["content"] for message in prompt)
