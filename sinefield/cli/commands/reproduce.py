"""The verb `reproduce`."""

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

if TYPE_CHECKING:
    from sinefield.training.checkpoint import State


def reproduce(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT…",
            help="all, or some of image, convergence, audio, video, poisson, shape, helmholtz, wave, inversion, prior, "
            "init, derivative, size, outside.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where results, table and pictures go.")
    ] = Path("reproduction"),
    budget: Annotated[
        str, typer.Option(help="small: all of them in 40 minutes on two cores; paper: the full setting, for days.")
    ] = "small",
    share: Annotated[float, typer.Option(help="Of the budget's time, for a first look: 0.05.")] = 1.0,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Where sounds, films, pictures and faces are; may be given again."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and what is held out.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reproduce the paper: each experiment by sine networks and by the others, in one table, with pictures.

    By our recipe and by the paper's. Run again, it goes on where it stopped. Nothing is downloaded: data that are not
    found are named, with their address.
    """
    from sinefield.experiments import EXPERIMENTS
    from sinefield.experiments.experiment import Setting
    from sinefield.experiments.page import cells, write
    from sinefield.experiments.run import missing
    from sinefield.experiments.run import reproduce as run

    names = list(EXPERIMENTS) if "all" in experiments else experiments
    setting = Setting(budget, share, tuple(data or [Path()]), seed, device)
    say = console(quiet)
    for name in names:
        if name in EXPERIMENTS and (lacking := missing(name, setting)):
            say.print(
                f"{name} is left out; it needs {' and '.join(lacking)}, in a folder given by --data", markup=False
            )
    with progress_bar(say, "reproduce") as bar:

        def watch(what: str, done: float, state: State | None) -> None:
            bar(done, what if state is None else f"{what}, step {state.step}")

        try:
            reports = run(names, output, setting, watch=watch)
        except KeyboardInterrupt:
            say.print(f"what was finished is in {output}; the same command goes on from there", markup=False)
            raise
    page = write(output, reports, setting, f"sinefield {shlex.join(sys.argv[1:])}")
    trouble = {report.name: report.trouble for report in reports if report.trouble}
    if as_json:
        rows: list[dict[str, Any]] = [row._asdict() for report in reports for row in report.rows]
        said = {report.name: report.verdicts for report in reports}
        print_result({"page": str(page), "rows": rows, "verdicts": said, "trouble": trouble}, as_json, quiet)
    elif not quiet:
        for report in reports:
            Console().print(f"\n[bold]{report.name}")
            shown = Table(box=None)
            for row in map(cells, report.rows):
                if not shown.columns:
                    for column in list(row)[1:]:
                        shown.add_column(column, overflow="fold")
                shown.add_row(*map(escape, list(row.values())[1:]))
            if shown.columns:
                Console().print(shown)
            for line in (*report.verdicts, *report.trouble):
                Console().print(line, markup=False, highlight=False)
        say.print(f"table and pictures: {page}", markup=False)
    if any("failed" in line for lines in trouble.values() for line in lines):
        raise typer.Exit(1)
