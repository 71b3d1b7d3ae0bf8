"""The verb `compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sinefield.cli.console import console, plain, print_result, progress_bar, read_picture
from sinefield.cli.options import Activation, Depth, Device, Json, Picture, Quiet, Seconds, Seed, Size, Steps, Width

if TYPE_CHECKING:
    from sinefield.training.checkpoint import State


def compare(
    picture: Picture,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the figure and the table go.")
    ] = Path("out/compare"),
    size: Size = None,
    activation: Annotated[
        list[str] | None, typer.Option(help=f"Only this one; may be given again. {Activation}.")
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
    """Fit one picture with every activation under the same budget; 1,000 steps each, unless told otherwise."""
    from sinefield.files import atomic
    from sinefield.networks import NETWORKS
    from sinefield.reports.figures import comparison
    from sinefield.reports.folder import prepare
    from sinefield.serialization import finite
    from sinefield.tasks.compare import compare as compare_activations

    if steps is None and seconds is None:
        steps = 1000
    prepare(output)
    signal = read_picture(picture, size)
    names = tuple(dict.fromkeys(activation or NETWORKS))
    results: dict[str, dict[str, Any]] = {}
    say = console(quiet)
    with progress_bar(say, "compare") as bar:

        def watch(state: State) -> None:
            share = max(state.step / (steps or 10**12), state.seconds / (seconds or 10**12))
            bar((len(results) + share) / len(names), f"{names[len(results)]} {state.psnr:.1f} dB")

        budget = {"steps": steps, "seconds": seconds, "width": width, "depth": depth, "seed": seed}
        fields = compare_activations(signal, names, **budget, device=device, progress=watch)  # type: ignore[arg-type]
        for name, fitted in fields:
            # a figure shows no more pixels than these, and eight networks of a large picture would fill the memory
            shown_at = min(1024, max(signal.header.shape))
            results[name] = {
                **{
                    quantity: fitted.render(shown_at, quantity=quantity)
                    for quantity in ("value", "gradient", "laplacian")
                },
                "made": fitted.made,
            }
            if fitted.made["stopped"] == "interrupted":
                break
    figure, table = output / "compare.png", output / "compare.json"
    comparison(figure, signal.header, signal.samples, results)
    keys = ("psnr_db", "ssim", "seconds", "steps", "parameters", "stopped")
    rows = [{"activation": name, **{key: each["made"][key] for key in keys}} for name, each in results.items()]
    rows.sort(key=lambda row: -(row["psnr_db"] or float("inf")))
    result = {"picture": signal.name, "results": rows, "figure": str(figure), "table": str(table)}
    with atomic(table) as temporary:
        temporary.write_text(json.dumps(finite(result), indent=2, allow_nan=False) + "\n")
    if not as_json and not quiet:
        shown = Table(
            "activation", *[f"[right]{key}" for key in keys[:-1]], title=f"{escape(signal.name)}, same budget for all"
        )
        for row in rows:
            shown.add_row(row["activation"], *[plain(row[key]) for key in keys[:-1]])
        Console().print(shown)
        say.print(f"figure: {figure}", markup=False)
    elif as_json:
        print_result(result, as_json, quiet)
    if any(row["stopped"] == "interrupted" for row in rows):
        raise typer.Exit(130)
