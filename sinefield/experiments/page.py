"""The results of experiments as a page in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sinefield.experiments.bench import markdown
from sinefield.experiments.experiment import EXPERIMENTS, Setting
from sinefield.experiments.run import Report, Row
from sinefield.files import atomic

PAGE = "reproduction.md"
"""Name of the page."""


def write(folder: Path, reports: Sequence[Report], setting: Setting, command: str) -> Path:
    """Write a page with the table of all values and the figure of each experiment.

    Args:
        folder: Folder of the figures.
        reports: Results of the experiments.
        setting: How they were run.
        command: The command that ran them.

    Returns:
        Path of the page.
    """
    lines = ["# Reproduction of the paper", "", f"`{command}`", ""]
    lines += [f"* {machine}" for machine in dict.fromkeys(each for report in reports for each in report.machines)]
    rows = [cells(row) for report in reports for row in report.rows]
    lines += ["", markdown(rows) if rows else "No experiment has results.", ""]
    for report in reports:
        experiment = EXPERIMENTS[report.name]
        lines += [f"## {report.name}", "", f"{experiment.claim}.", ""]
        lines += [f"* {line}" for line in (*report.verdicts, *report.trouble)]
        if setting.small and experiment.scaled_down:
            lines += [f"* Scaled down: {experiment.scaled_down}"]
        if report.figure is not None:
            lines += ["", f"![{experiment.claim}]({report.figure.name})"]
        lines += [""]
    path = folder / PAGE
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines))
    return path


def cells(row: Row) -> dict[str, str]:
    """Return the cells of a row of the table by the titles of the columns."""
    return {
        "experiment": row.experiment,
        "measure": row.measure,
        "network": row.network,
        "recipe": row.recipe,
        "paper": row.published,
        "here": row.formatted,
        "steps": f"{row.steps:,}" if row.steps else "",
        "time (s)": f"{row.seconds:.0f}" if row.steps else "",
    }
