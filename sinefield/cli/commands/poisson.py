"""The verb `poisson`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import (
    console,
    field_path,
    fit_progress,
    parse_omega,
    print_field_result,
    progress_bar,
    read_picture,
)
from sinefield.cli.options import (
    Activation,
    Checkpoint,
    Depth,
    Device,
    FieldOut,
    Gray,
    Json,
    OmegaOfDerivatives,
    Picture,
    Quiet,
    Recipe,
    Resume,
    Seconds,
    Seed,
    Size,
    Steps,
    Width,
)


def poisson(
    picture: Picture,
    source: Annotated[str, typer.Option("--from", help="gradient or laplacian.")] = "gradient",
    output: FieldOut = None,
    size: Size = None,
    gray: Gray = False,
    stencil: Annotated[
        str | None, typer.Option(help="sobel, central or fourth (gradient); cross or fourth (Laplacian).")
    ] = None,
    activation: Annotated[str, typer.Option(help=Activation + ".")] = "sine",
    width: Width = None,
    depth: Depth = None,
    omega: OmegaOfDerivatives = "auto",
    recipe: Recipe = "default",
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the picture and a sheet beside the truth there.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reconstruct a picture from its derivatives alone.

    They are estimated from the pixels, per pixel; the pixels themselves are not used, but for their mean at the end.
    """
    from sinefield.reports.derivatives import poisson_report
    from sinefield.reports.folder import prepare
    from sinefield.signals import gray as to_gray
    from sinefield.tasks.reconstruct import reconstruct

    signal = read_picture(picture, size)
    signal = to_gray(signal) if gray else signal
    if report is not None:
        prepare(report)
    target = field_path(output or Path(f"{signal.name}.safetensors"))
    say = console(quiet)
    with progress_bar(say, "poisson") as bar:
        field = reconstruct(
            signal,
            source,
            stencil=stencil,
            activation=activation,
            width=width,
            depth=depth,
            omega=parse_omega(omega),
            recipe=recipe,
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=fit_progress(bar, steps, seconds, recipe, None, signal, activation),
        )
    field.save(target)
    written = None if report is None else poisson_report(report, field, signal)
    print_field_result(field, target, written, as_json, quiet)
