"""The command `blend`."""

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
    Gray,
    Json,
    Omega,
    Optimizer,
    Quiet,
    Report,
    Resume,
    Seconds,
    Seed,
    Size,
    Steps,
    Width,
    parse_omega,
)


def blend(
    one: Annotated[str, typer.Argument(metavar="A", help="Picture file, or a sample picture such as camera.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another picture of the same size; see --size.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Field file to write.")] = Path("blend.safetensors"),
    mask: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Clone A into B where this picture is white; elsewhere B is kept."),
    ] = None,
    share: Annotated[float | None, typer.Option(help="Weight of A, from 0 to 1 (default: 0.5; with a mask 1).")] = None,
    size: Size = None,
    gray: Gray = False,
    activation: Activation = "sine",
    width: Width = None,
    depth: Depth = None,
    omega: Omega = "auto",
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
    """Blend two pictures by their gradients: everywhere, or A into B where a mask is white."""
    from sinefield.signals.image import read_mask
    from sinefield.tasks.blend import blend as blend_pictures

    first, second = (read_picture(picture, size, gray) for picture in (one, other))
    where = None if mask is None else read_mask(mask, second.header.shape)
    folder, target = report_folder(report), field_path(output)
    with progress_bar(quiet, "blend") as bar:
        field = blend_pictures(
            first,
            second,
            mask=where,
            share=share,
            activation=activation,
            width=width,
            depth=depth,
            omega=parse_omega(omega),
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
        from sinefield.reports import blend_report

        files = blend_report(folder, field, first, second, where)
    finish_field(field, target, files, as_json, quiet)
