"""The command `compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sinefield.cli.console import console, plain, print_result, progress_bar, read_picture
from sinefield.cli.options import (
    ACTIVATION_NAMES,
    Depth,
    Device,
    Json,
    Picture,
    Quiet,
    Seconds,
    Seed,
    Size,
    Steps,
    Width,
)

if TYPE_CHECKING:
    from sinefield.field.field import Field

COLUMNS = ("psnr_db", "ssim", "seconds", "steps", "parameters", "stopped")
"""Columns of the table, after the name of the activation."""

MAX_SIDE = 1024
"""Longest side of the pictures in the figure, in pixels."""


def compare(
    picture: Picture,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Directory for the figure and the table.")
    ] = Path("out/compare"),
    size: Size = None,
    activation: Annotated[
        list[str] | None,
        typer.Option(help=f"Activation to compare; may be repeated (default: all): {ACTIVATION_NAMES}."),
    ] = None,
    width: Width = None,
    depth: Depth = None,
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit one picture with every activation in the same budget, 1,000 steps each by default."""
    from sinefield.files import atomic, make_folder
    from sinefield.reports.figures import comparison
    from sinefield.serialization import finite
    from sinefield.tasks.compare import compare as compare_activations

    if steps is None and seconds is None:
        steps = 1000
    make_folder(output)
    signal = read_picture(picture, size)
    side = min(MAX_SIDE, max(signal.header.shape))
    results: dict[str, dict[str, Any]] = {}
    with progress_bar(quiet, "compare") as bar:
        for name, field in compare_activations(
            signal,
            None if activation is None else list(dict.fromkeys(activation)),
            steps=steps,
            seconds=seconds,
            width=width,
            depth=depth,
            seed=seed,
            device=device,
            progress=bar,
        ):
            results[name] = _rendered(field, side)
            if field.info.stopped == "interrupted":
                break
    figure, table = output / "compare.png", output / "compare.json"
    comparison(figure, signal.header, signal.samples, results)
    rows = [{"activation": name, **_row(each["info"].summary())} for name, each in results.items()]
    rows.sort(key=lambda row: -(row["psnr_db"] or float("inf")))
    result = {"picture": signal.name, "results": rows, "figure": str(figure), "table": str(table)}
    with atomic(table) as temporary:
        temporary.write_text(json.dumps(finite(result), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if as_json:
        print_result(result, as_json, quiet)
    elif not quiet:
        _print_table(signal.name, rows)
        console(quiet).print(f"figure: {figure}", markup=False)
    if any(row["stopped"] == "interrupted" for row in rows):
        raise typer.Exit(130)


def _rendered(field: Field, side: int) -> dict[str, Any]:
    """Return what the figure shows of a field; the networks of a large picture would not fit in memory together."""
    quantities = ("value", "gradient", "laplacian")
    return {**{name: field.render(side, quantity=name) for name in quantities}, "info": field.info}


def _row(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: summary[name] for name in COLUMNS}


def _print_table(picture: str, rows: list[dict[str, Any]]) -> None:
    names = COLUMNS[:-1]
    table = Table("activation", *[f"[right]{name}" for name in names], title=f"{escape(picture)}, same budget for all")
    for row in rows:
        table.add_row(row["activation"], *[plain(row[name]) for name in names])
    Console().print(table)
