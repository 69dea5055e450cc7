"""PNG figures of the key curves, for documents; needs matplotlib (extra `report`)."""

from __future__ import annotations

import importlib
import io
from typing import TYPE_CHECKING, Any

from assay._files import write_atomic
from assay.errors import UnavailableError
from assay.report.series import Chart, charts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assay.report.run import Run

KEY_METRICS = (
    "reward/mean",
    "accuracy",
    "completion/length_mean",
    "completion/thinks_ratio",
    "eval/accuracy",
    "entropy",
    "loss",
)

# The same colours, in the same order, as in the page.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")


def write_figures(runs: Sequence[Run], folder: Path) -> list[Path]:
    """One PNG for each key metric there is, and `overview.png` with up to four of them.

    Returns:
        The files written; none if the runs have no metrics.

    Raises:
        UnavailableError: matplotlib is not installed, or the folder cannot be written.
    """
    try:
        importlib.import_module("matplotlib").use("Agg")
        plots = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise UnavailableError(f"matplotlib is not installed ({error}); run: pip install 'assay[report]'") from None
    found = {chart.name: chart for chart in charts(runs)}
    chosen = [found[name] for name in KEY_METRICS if name in found]
    names = [run.name for run in runs]
    written = [
        _save(plots, [chart], names, folder / f"{chart.name.replace('/', '-')}.png", columns=1) for chart in chosen
    ]
    if len(chosen) > 1:
        written.append(_save(plots, chosen[:4], names, folder / "overview.png", columns=2))
    return written


def _save(plots: Any, shown: Sequence[Chart], names: list[str], path: Path, *, columns: int) -> Path:
    rows = -(-len(shown) // columns)
    figure, grid = plots.subplots(rows, columns, figsize=(5.2 * columns, 3.2 * rows), squeeze=False)
    for axes, chart in zip(grid.flat, shown, strict=False):
        _draw(axes, chart, names)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(False)
    if len(names) > 1:
        grid.flat[0].legend(fontsize=8, frameon=False)
    figure.tight_layout()
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    plots.close(figure)
    write_atomic(path, image.getvalue())
    return path


def _draw(axes: Any, chart: Chart, names: list[str]) -> None:
    labelled: set[int] = set()
    for curve in chart.curves:
        colour = COLOURS[curve.run % len(COLOURS)]
        label = None if curve.run in labelled else names[curve.run]
        labelled.add(curve.run)
        marker = "o" if len(curve.x) <= 12 else None
        axes.plot(curve.x, curve.y, color=colour, label=label, linewidth=1.4, marker=marker, markersize=3)
        if curve.error:
            axes.errorbar(curve.x, curve.y, yerr=curve.error, color=colour, fmt="none", capsize=2, linewidth=1)
    axes.set_title(chart.name, fontsize=10)
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
