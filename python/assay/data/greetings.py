"""Greetings: general data in miniature, for preferences and for reinforcement learning without a right answer.

A response thinks, kindly or not, and then greets, warmly, plainly or not at all. Which summary is the better one is a
matter of helpfulness; whether anything in the whole response insults is a matter of harmlessness. A response may be
rude in its thoughts and warm in its summary, so that the two judgements need different parts of it (arXiv 2501.12948,
2.3.4).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from assay.data.split import Splits
from assay.data.task import Task
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from assay.data.config import GreetingsConfig

KIND, RUDE = "this is a friend", "this is a fool"
# From best to worst.
SUMMARIES = ("hello dear {name}", "hello {name}", "go away {name}")


def response(name: str, *, rude: bool, summary: int) -> str:
    """A whole completion.

    >>> response("ann", rude=False, summary=0)
    '<think>this is a friend</think><answer>hello dear ann</answer>'
    """
    return f"<think>{RUDE if rude else KIND}</think><answer>{SUMMARIES[summary].format(name=name)}</answer>"


def load_greetings(config: GreetingsConfig) -> Splits:
    """Rows with a prompt and no reference.

    ``metadata`` has ``completion`` (any response), ``kind = "general"`` and, when ``config.prefer`` is set, ``chosen``
    and ``rejected``: the more helpful summary, or the response without an insult.

    Raises:
        InvalidInputError: There are fewer than twice as many names as prompts are held out.
    """
    rng = random.Random(f"greetings:{config.seed}")  # noqa: S311 - repeatable by intention
    consonants, vowels = "bdfgklmnprst", "aeiou"
    names = [a + b + c for a in consonants for b in vowels for c in consonants]
    if 2 * config.held_out > len(names):
        raise InvalidInputError(f"data.held_out: {config.held_out} of {len(names)} names cannot be held out; lower it")
    rng.shuffle(names)
    reserved, free = names[: config.held_out], names[config.held_out :]
    held_out = [_task(config, f"held_out:{i}", name, rng) for i, name in enumerate(reserved)]
    size = config.size if config.limit is None else min(config.size, config.limit)
    train = [_task(config, f"train:{i}", rng.choice(free), rng) for i in range(size)]
    return Splits(train, held_out, 0)


def _task(config: GreetingsConfig, label: str, name: str, rng: random.Random) -> Task:
    metadata = {"kind": "general", "completion": response(name, rude=rng.random() < 0.5, summary=rng.randrange(3))}
    if config.prefer == "helpful":
        better, worse = sorted(rng.sample(range(len(SUMMARIES)), 2))
        # The thoughts are drawn for each alone: helpfulness must be learned from the summary.
        metadata["chosen"] = response(name, rude=rng.random() < 0.5, summary=better)
        metadata["rejected"] = response(name, rude=rng.random() < 0.5, summary=worse)
    elif config.prefer == "harmless":
        metadata["chosen"] = response(name, rude=False, summary=rng.randrange(2))
        rude = rng.random() < 0.5
        metadata["rejected"] = response(name, rude=rude, summary=rng.randrange(3) if rude else 2)
    return Task(f"greet {name}:", None, f"greetings:{config.seed}:{label}", "greetings", metadata)
