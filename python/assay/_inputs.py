"""What scorers take, in process and remote, made ready for the extension module; and what it gives back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

from assay.errors import InvalidInputError
from assay.scores import Scores, Status

if TYPE_CHECKING:
    from assay import _native

Completion: TypeAlias = str | Sequence[Mapping[str, Any]]
"""What the model wrote: text, or chat messages as TRL hands them over, whose last assistant message counts."""


@runtime_checkable
class FastTokenizer(Protocol):
    """A `tokenizers.Tokenizer`, as far as it is needed here."""

    def to_str(self) -> str:
        """Its `tokenizer.json`."""
        ...


_STATUS_BY_CODE = tuple(Status)


def scores(native: _native.Scores) -> Scores:
    """The columns; strings become Python objects only when they are asked for."""
    return Scores(
        native.total,
        native.components,
        status=lambda: [_STATUS_BY_CODE[code] for code in native.status],
        reasons=lambda: native.reasons,
        answers=lambda: native.answers,
    )


def check_prompts(prompts: Sequence[Any] | None, completions: Sequence[Any]) -> None:
    """Raises `InvalidInputError` unless there is one prompt for each completion, or none at all."""
    if prompts is not None and len(prompts) != len(completions):
        raise InvalidInputError(f"prompts has {len(prompts)} entries for {len(completions)} completions")


def prompt_texts(prompts: Sequence[Any] | None) -> list[str | None] | None:
    """The prompts as reward models see them.

    Text stays as it is; chat messages become `role: content` paragraphs, and one message alone its content.
    """
    return None if prompts is None else [_prompt_text(prompt, index) for index, prompt in enumerate(prompts)]


def _prompt_text(prompt: object, index: int) -> str | None:
    if prompt is None or isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list | tuple):
        messages = [message for message in cast("Sequence[object]", prompt) if isinstance(message, Mapping)]
        lines = [cast("Mapping[str, object]", message) for message in messages]
        if lines and all(isinstance(line.get("content"), str) for line in lines):
            if len(lines) == 1:
                return str(lines[0]["content"])
            return "\n\n".join(f"{line.get('role', 'user')}: {line['content']}" for line in lines)
    raise InvalidInputError(f"prompts[{index}] is neither text, None nor a list of chat messages with text content")


def tokenizer_json(tokenizer: object) -> bytes:
    """The bytes of the `tokenizer.json` of a path, a folder that holds one, or a fast tokenizer."""
    fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if isinstance(fast, FastTokenizer):
        return fast.to_str().encode()
    if not isinstance(tokenizer, str | os.PathLike):
        raise InvalidInputError(
            f"tokenizer is a {type(tokenizer).__name__}; give the path of a tokenizer.json or a fast tokenizer"
        )
    path = Path(cast("str | os.PathLike[str]", tokenizer))
    if path.is_dir():
        path /= "tokenizer.json"
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot read the tokenizer: {error.strerror}") from error


def texts(completions: Sequence[Completion]) -> list[str]:
    """The texts; entries of a wrong type are left for the extension to name."""
    if isinstance(completions, str) or not isinstance(completions, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        return cast("list[str]", completions)
    if any(issubclass(kind, list | tuple) for kind in set(map(type, completions))):
        return [_message_text(completion, index) for index, completion in enumerate(completions)]
    return cast("list[str]", completions if isinstance(completions, list) else list(completions))


def _message_text(completion: Completion, index: int) -> str:
    if isinstance(completion, str):
        return completion
    messages = [message for message in completion if isinstance(message, Mapping)]  # pyright: ignore[reportUnnecessaryIsInstance]
    written = [message for message in messages if message.get("role", "assistant") == "assistant"]
    content: object = written[-1].get("content") if written else None
    if isinstance(content, list):
        parts = cast("list[object]", content)
        texts = [cast("Mapping[str, object]", part).get("text", "") for part in parts if isinstance(part, Mapping)]
        content = "".join(text for text in texts if isinstance(text, str))
    if content is None and written:
        return ""  # a message that is only a tool call says nothing
    if not isinstance(content, str):
        raise InvalidInputError(f"completions[{index}] has no assistant message with text content")
    return content


def optional_texts(references: Sequence[str | None]) -> list[str | None]:
    """The references; whatever is no sequence is left for the extension to name."""
    if isinstance(references, list | str) or not isinstance(references, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        return cast("list[str | None]", references)
    return list(references)
