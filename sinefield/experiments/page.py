"""The reproduction as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sinefield.experiments import EXPERIMENTS
from sinefield.experiments.bench import markdown
from sinefield.experiments.experiment import Setting
from sinefield.experiments.run import Report, Row
from sinefield.files import atomic

PAGE = "reproduction.md"


def write(folder: Path, reports: Sequence[Report], setting: Setting, command: str) -> Path:
    """The table, what it says, and the pictures, as Markdown beside these."""
    lines = ["# The paper, reproduced", "", f"`{command}`", ""]
    for each in dict.fromkeys(machine for report in reports for machine in report.machines):
        lines += [f"* {each}"]
    lines += ["", markdown([cells(row) for report in reports for row in report.rows]), ""]
    for report in reports:
        experiment = EXPERIMENTS[report.name]
        lines += [f"## {report.name}", "", f"{experiment.claim}.", ""]
        lines += [f"* {verdict}" for verdict in (*report.verdicts, *report.trouble)]
        if setting.small and experiment.scaled:
            lines += [f"* scaled down: {experiment.scaled}"]
        if report.figure is not None:
            lines += ["", f"![{experiment.claim}]({report.figure.name})"]
        lines += [""]
    path = folder / PAGE
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines))
    return path


def cells(row: Row) -> dict[str, str]:
    """A line of the table, as it is written."""
    return {
        "experiment": row.experiment,
        "what": row.what,
        "network": row.network,
        "recipe": row.recipe,
        "the paper's": row.published,
        "ours": row.written,
        "steps": f"{row.steps:,}" if row.steps else "",
        "seconds": f"{row.seconds:.0f}" if row.steps else "",
    }
