"""The verb `blend`."""

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
    Gray,
    Json,
    OmegaOfDerivatives,
    Quiet,
    Resume,
    Seconds,
    Seed,
    Size,
    Steps,
    Width,
)


def blend(
    one: Annotated[str, typer.Argument(metavar="A", help="A picture file, or a sample such as camera.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another, of the same size; or give a --size.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The field.")] = Path("blend.safetensors"),
    mask: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Clone A into B where this one is white; B is held elsewhere."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="How much of A is in the mix; 0.5 unless given, with a mask 1.")
    ] = None,
    size: Size = None,
    gray: Gray = False,
    activation: Annotated[str, typer.Option(help=Activation + ".")] = "sine",
    width: Width = None,
    depth: Depth = None,
    omega: OmegaOfDerivatives = "auto",
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the picture and a sheet beside A and B there.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Blend two pictures by their gradients: everywhere, or A into B where a mask is white."""
    from sinefield.reports.derivatives import blend_report
    from sinefield.reports.folder import prepare
    from sinefield.signals import gray as to_gray
    from sinefield.signals import read_mask
    from sinefield.tasks.blend import blend as blend_pictures

    pair = [read_picture(picture, size) for picture in (one, other)]
    first, second = [to_gray(signal) for signal in pair] if gray else pair
    where = None if mask is None else read_mask(mask, second.header.shape)
    if report is not None:
        prepare(report)
    target, say = field_path(output), console(quiet)
    with progress_bar(say, "blend") as bar:
        field = blend_pictures(
            first,
            second,
            mask=where,
            share=share,
            activation=activation,
            width=width,
            depth=depth,
            omega=parse_omega(omega),
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=fit_progress(bar, steps, seconds, "default", None, second, activation),
        )
    field.save(target)
    written = None if report is None else blend_report(report, field, first, second, where)
    print_field_result(field, target, written, as_json, quiet)
