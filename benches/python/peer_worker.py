"""One grader, asked line by line: run by peers.py under whatever interpreter has the grader, so without assay.

python peer_worker.py NAME SOURCES: reads a JSON pair [gold, answer] a line, writes {"verdict": .., "seconds": ..} a line, where
the verdict is true, false or the name of an exception and the seconds are CPU time. SOURCES holds unpacked wheels whose files are
loaded one by one, since importing the whole of verl or TRL would need torch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

Judge = Callable[[str, str], bool]


def load(name: str, path: Path, package: bool = False) -> types.ModuleType:
    """A module by the path of its file, or a package by its folder."""
    file = path / "__init__.py" if package else path
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(path)] if package else None
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def stub(name: str, **members: object) -> None:
    """A module of that name with these members, and its parents."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        parent = ".".join(parts[:end])
        module = sys.modules.setdefault(parent, types.ModuleType(parent))
        module.__path__ = []
    vars(sys.modules[name]).update(members)


def boxed(answer: str) -> str:
    """What a completion would say."""
    return rf"\boxed{{{answer}}}"


def math_verify(_: Path) -> Judge:
    """math-verify with its defaults, both sides between dollars."""
    from math_verify import parse, verify

    return lambda gold, answer: bool(verify(parse(f"${gold}$"), parse(f"${answer}$")))


def hendrycks(sources: Path) -> Judge:
    """verl's math_reward: the string comparison of hendrycks/math."""
    module = load("math_reward", sources / "verl/verl/utils/reward_score/math_reward.py")
    return lambda gold, answer: module.compute_score(boxed(answer), gold) > 0


def dapo(sources: Path) -> Judge:
    """verl's math_dapo on a line `Answer:`."""
    module = load("math_dapo", sources / "verl/verl/utils/reward_score/math_dapo.py")
    return lambda gold, answer: bool(module.compute_score(f"Answer: {answer}", gold)["acc"])


def prime(sources: Path) -> types.ModuleType:
    """verl's prime_math; the caller keeps the time, so its own limit does nothing."""
    stub("verl.utils.py_functional", timeout_limit=lambda *_args, **_kwargs: lambda function: function)
    return load("prime_math", sources / "verl/verl/utils/reward_score/prime_math", package=True)


def prime_math(sources: Path) -> Judge:
    """verl's prime_math, which runs parts of answers through `eval`: never on texts that a model wrote."""
    module = prime(sources)
    return lambda gold, answer: bool(module.compute_score(boxed(answer), gold)[0])


def prm800k(sources: Path) -> Judge:
    """The grader of PRM800K, which prime_math begins with."""
    module = prime(sources)
    return lambda gold, answer: bool(module.grade_answer(answer, gold))


def trl(sources: Path) -> Judge:
    """TRL's accuracy_reward."""
    stub("trl.import_utils", is_math_verify_available=lambda: True)
    stub("trl.rewards")
    module = load("trl.rewards.accuracy_rewards", sources / "trl/trl/rewards/accuracy_rewards.py")

    def judge(gold: str, answer: str) -> bool:
        completion = [{"role": "assistant", "content": boxed(answer)}]
        return (module.accuracy_reward([completion], [f"${gold}$"])[0] or 0.0) > 0

    return judge


PEERS: dict[str, Callable[[Path], Judge]] = {
    "math-verify": math_verify,
    "TRL accuracy_reward": trl,
    "verl prime_math": prime_math,
    "PRM800K": prm800k,
    "verl math_dapo": dapo,
    "hendrycks/math": hendrycks,
}


def main() -> None:
    """Answers until the input ends."""
    judge = PEERS[sys.argv[1]](Path(sys.argv[2]))
    answers = os.fdopen(os.dup(1), "w")
    print("{}", file=answers, flush=True)  # loaded
    # Graders print; only verdicts may reach the caller.
    os.dup2(2, 1)
    for line in sys.stdin:
        gold, answer = json.loads(line)
        started = time.process_time()
        verdict: bool | str
        try:
            with contextlib.redirect_stdout(sys.stderr):
                verdict = judge(gold, answer)
        except Exception as error:  # noqa: BLE001 - whatever a grader raises is its failure
            verdict = type(error).__name__
        taken = time.process_time() - started
        print(json.dumps({"verdict": verdict, "seconds": taken}), file=answers, flush=True)


if __name__ == "__main__":
    main()
