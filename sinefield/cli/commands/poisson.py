"""The command `poisson`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import field_path, finish_field, progress_bar, read_picture, report_folder
from sinefield.cli.options import (
    Activation,
    Checkpoint,
    Depth,
    Device,
    FieldOut,
    Gray,
    Json,
    Omega,
    Optimizer,
    Picture,
    Quiet,
    Recipe,
    Report,
    Resume,
    Seconds,
    Seed,
    Size,
    Steps,
    Width,
    parse_omega,
)


def poisson(
    picture: Picture,
    source: Annotated[str, typer.Option("--from", help="gradient or laplacian.")] = "gradient",
    output: FieldOut = None,
    size: Size = None,
    gray: Gray = False,
    stencil: Annotated[
        str | None, typer.Option(help="sobel, central or fourth for the gradient; cross or fourth for the Laplacian.")
    ] = None,
    activation: Activation = "sine",
    width: Width = None,
    depth: Depth = None,
    omega: Omega = "auto",
    recipe: Recipe = "default",
    optimizer: Optimizer = None,
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Report = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reconstruct a picture from its gradient or its Laplacian alone.

    The derivatives are estimated from the pixels. Of the pixels themselves only the mean is used, at the end.
    """
    from sinefield.tasks.reconstruct import reconstruct

    signal = read_picture(picture, size, gray)
    folder, target = report_folder(report), field_path(output or Path(f"{signal.name}.safetensors"))
    with progress_bar(quiet, "poisson") as bar:
        field = reconstruct(
            signal,
            source,
            stencil=stencil,
            activation=activation,
            width=width,
            depth=depth,
            omega=parse_omega(omega),
            recipe=recipe,
            optimizer=optimizer,
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=bar,
        )
    field.save(target)
    files = None
    if folder is not None:
        from sinefield.reports import poisson_report

        files = poisson_report(folder, field, signal)
    finish_field(field, target, files, as_json, quiet)
