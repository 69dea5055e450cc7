"""Plug-ins: a user's reward function, run in worker processes; see docs/components.md.

A plug-in is any function that can be imported, with the signature of TRL's reward functions:

    def f(completions: list[str], references: list[str | None], prompts: list[str | None], **kwargs) -> list[float | None]

Only the arguments that it names, or all if it takes `**kwargs`, are passed, by keyword. It gives one finite number for each
completion, as a list, tuple or array; None, NaN or anything else in a place is that item without a value, and so is a call
that raises, hangs, ends its process or gives another number of values. A coroutine is awaited.
"""
