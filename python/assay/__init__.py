"""assay: what is this completion worth?

>>> import assay
>>> verdict = assay.verify("1/2", "0.5")
>>> bool(verdict), str(verdict.outcome)
(True, 'equal')
>>> assay.Scorer("accuracy").score(["The answer is 42."], ["42"]).total
array([1.])

The names below are imported when they are first used, so that `import assay` brings in neither torch nor grpc.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay._native import (
        Extraction,
        LanguageMixing,
        SamplingBatcher,
        Verdict,
        __version__,
        extract,
        language_mixing,
        verify,
    )
    from assay.batch import balance, group_advantages, pack
    from assay.client import RemoteScorer, connect
    from assay.errors import (
        AssayError,
        DeadlineError,
        InvalidInputError,
        InvalidSpecError,
        LimitError,
        SandboxError,
        UnavailableError,
    )
    from assay.rewards import Scorer
    from assay.scores import Scores, Status
    from assay.spec import RewardSpec
    from assay.verdicts import Outcome, Source, Stage

__all__ = [
    "AssayError",
    "DeadlineError",
    "Extraction",
    "InvalidInputError",
    "InvalidSpecError",
    "LanguageMixing",
    "LimitError",
    "Outcome",
    "RemoteScorer",
    "RewardSpec",
    "SamplingBatcher",
    "SandboxError",
    "Scorer",
    "Scores",
    "Source",
    "Stage",
    "Status",
    "UnavailableError",
    "Verdict",
    "__version__",
    "balance",
    "connect",
    "extract",
    "group_advantages",
    "language_mixing",
    "pack",
    "verify",
]

_MODULES = {
    "assay._native": (
        "Extraction",
        "LanguageMixing",
        "SamplingBatcher",
        "Verdict",
        "__version__",
        "extract",
        "language_mixing",
        "verify",
    ),
    "assay.batch": ("balance", "group_advantages", "pack"),
    "assay.client": ("RemoteScorer", "connect"),
    "assay.errors": (
        "AssayError",
        "DeadlineError",
        "InvalidInputError",
        "InvalidSpecError",
        "LimitError",
        "SandboxError",
        "UnavailableError",
    ),
    "assay.rewards": ("Scorer",),
    "assay.scores": ("Scores", "Status"),
    "assay.spec": ("RewardSpec",),
    "assay.verdicts": ("Outcome", "Source", "Stage"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Imports a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
