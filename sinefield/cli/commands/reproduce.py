"""The command `reproduce`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sinefield.cli.console import console, print_result, progress_bar
from sinefield.cli.options import Device, Json, Quiet
from sinefield.registry import Registry

EXPERIMENT_NAMES = Registry[Any]("experiment", "sinefield.experiments").declared("register_experiment")

if TYPE_CHECKING:
    from sinefield.experiments.run import Report


def reproduce(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT…",
            help=f"all, or any of {', '.join(EXPERIMENT_NAMES)}.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Directory for results, table and figures.")
    ] = Path("reproduction"),
    budget: Annotated[
        str, typer.Option(help="small, 40 minutes for all experiments on two cores; or paper, the full setting (days).")
    ] = "small",
    share: Annotated[float, typer.Option(help="Share of the time of the budget, such as 0.05 for a first look.")] = 1.0,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Directory with sounds, videos, pictures and faces; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, batches and held-out samples.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reproduce the experiments of the paper with SIREN and its baselines: a table, figures and a page.

    Each experiment is run by the default recipe and by that of the paper. The same command continues an interrupted
    run. Nothing is downloaded: data that are missing are named, with their address.
    """
    from sinefield.experiments import EXPERIMENTS, Setting
    from sinefield.experiments.page import write
    from sinefield.experiments.run import missing
    from sinefield.experiments.run import reproduce as run

    names = list(EXPERIMENTS) if "all" in experiments else experiments
    setting = Setting(budget, share, tuple(data or [Path()]), seed, device)
    screen = console(quiet)
    for name in names:
        if name in EXPERIMENTS and (lacking := missing(name, setting)):
            screen.print(f"{name} is skipped; it needs {' and '.join(lacking)}, in a --data directory", markup=False)
    with progress_bar(quiet, "reproduce") as bar:
        try:
            reports = run(names, output, setting, progress=bar)
        except KeyboardInterrupt:
            screen.print(f"finished trials are in {output}; the same command continues from there", markup=False)
            raise
    page = write(output, reports, setting, f"sinefield {shlex.join(sys.argv[1:])}")
    trouble = {report.name: report.trouble for report in reports if report.trouble}
    if as_json:
        rows = [row._asdict() for report in reports for row in report.rows]
        verdicts = {report.name: report.verdicts for report in reports}
        print_result({"page": str(page), "rows": rows, "verdicts": verdicts, "trouble": trouble}, as_json, quiet)
    elif not quiet:
        for report in reports:
            _print_report(report)
        screen.print(f"table and figures: {page}", markup=False)
    if any("failed" in line for lines in trouble.values() for line in lines):
        raise typer.Exit(1)


def _print_report(report: Report) -> None:
    from sinefield.experiments.page import cells

    Console().print(f"\n[bold]{report.name}")
    table = Table(box=None)
    for row in map(cells, report.rows):
        if not table.columns:
            for column in list(row)[1:]:
                table.add_column(column, overflow="fold")
        table.add_row(*map(escape, list(row.values())[1:]))
    if table.columns:
        Console().print(table)
    for line in (*report.verdicts, *report.trouble):
        Console().print(line, markup=False, highlight=False)
