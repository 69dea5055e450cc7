"""What importing assay brings in, and what it offers."""

import subprocess
import sys

import pytest

import assay

PUBLIC = {
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
}
HEAVY = ["torch", "transformers", "grpc", "google.protobuf", "pydantic", "typer", "rich", "datasets", "matplotlib"]


def test_public_surface() -> None:
    """A name is added here on purpose or not at all."""
    assert set(assay.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(assay, name) is not None
    assert set(dir(assay)) == PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'scorer'"):
        _ = assay.scorer  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "code",
    [
        "import assay",
        "import assay; assay.verify('1', '1'); assay.Scorer('accuracy').score(['1'], ['1'])",
        "import assay.integrations.trl, assay.integrations.verl, assay.integrations.openrlhf",
    ],
)
def test_imports_are_light(code: str) -> None:
    check = f"import sys; {code}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_connect_needs_no_torch() -> None:
    code = "import sys, assay; assay.connect; print(*(n for n in ('torch', 'transformers') if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
