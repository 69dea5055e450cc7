"""Which part of the package may import which.

    errors, verdicts, scores, spec, batch  <-  rewards, client, data, plugin, rollout, learner
      <-  integrations, evaluate, recipe, report, plan  <-  cli, commands

The six in the middle do not import each other, and scoring, the client and the data never import torch.
"""

import ast
from pathlib import Path

import pytest

import assay

PACKAGE = Path(assay.__file__).parent
LAYERS = [
    {
        "_native",
        "_attention",
        "_layers",
        "_files",
        "_guarded",
        "_inputs",
        "_transformers",
        "errors",
        "verdicts",
        "scores",
        "spec",
        "batch",
    },
    {"rewards", "client", "data", "plugin", "rollout", "learner"},
    {"integrations", "evaluate", "recipe", "report", "plan"},
    {"cli", "commands"},
]
LAYER = {part: height for height, parts in enumerate(LAYERS) for part in parts}
NO_TORCH = {
    "_guarded",
    "_inputs",
    "errors",
    "verdicts",
    "scores",
    "spec",
    "batch",
    "rewards",
    "client",
    "data",
    "plugin",
}
FILES = sorted(
    path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE
)


def part_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of all modules a file imports anywhere, in functions and for type checking too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and "_pb" not in path.parts:  # generated code imports its neighbours
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_every_part_has_a_layer() -> None:
    assert {part_of(path) for path in FILES} <= set(LAYER)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_arrows(path: Path) -> None:
    part = part_of(path)
    for name in imported(path):
        if name.startswith("assay.") and name.split(".")[1] in LAYER:
            other = name.split(".")[1]
            peers = LAYER[other] == LAYER[part] and LAYER[part] in (0, 3)
            assert other == part or LAYER[other] < LAYER[part] or peers, f"{path} imports {name}"
        if part in NO_TORCH:
            assert name.split(".")[0] not in {"torch", "transformers"}, f"{path} imports {name}"
