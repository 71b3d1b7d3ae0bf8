"""The verb `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sinefield.cli.console import (
    console,
    field_path,
    fit_progress,
    parse_crop,
    parse_names,
    parse_omega,
    parse_size,
    print_field_result,
    progress_bar,
    reject_options,
)
from sinefield.cli.options import (
    Activation,
    Checkpoint,
    Depth,
    Device,
    FieldOut,
    Json,
    Omega,
    Quiet,
    Recipe,
    Resume,
    Seconds,
    Seed,
    Size,
    Source,
    Steps,
    Width,
)


def fit(
    source: Source,
    output: FieldOut = None,
    size: Size = None,
    crop: Annotated[
        str | None,
        typer.Option(metavar="A:B[,…]", help="Only a part: a range for each axis, such as 10:60,20:80, or 1.5s:3s."),
    ] = None,
    channel_axis: Annotated[int | None, typer.Option(help="Of an array: the axis that holds channels.")] = None,
    key: Annotated[str | None, typer.Option(help="The name of the array in an .npz file.")] = None,
    coordinates: Annotated[
        str | None, typer.Option(metavar="A,B", help="Of a table: the columns of coordinates.")
    ] = None,
    values: Annotated[
        str | None, typer.Option(metavar="A,B", help="Of a table: the columns of values; the last unless given.")
    ] = None,
    points: Annotated[int | None, typer.Option(min=4, help="Of a mesh: so many points are drawn; 200,000.")] = None,
    supervise: Annotated[
        str | None, typer.Option(metavar="surface|distance", help="Of a mesh: learn its surface, or distances to it.")
    ] = None,
    like: Annotated[Path | None, typer.Option(metavar="FIELD", help="Start from the weights of another field.")] = None,
    prior: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Start from what a prior of pictures makes of it.")
    ] = None,
    activation: Annotated[str, typer.Option(help=Activation + ".")] = "sine",
    width: Width = None,
    depth: Depth = None,
    omega: Omega = "auto",
    recipe: Recipe = "default",
    steps: Steps = None,
    seconds: Seconds = None,
    psnr: Annotated[float | None, typer.Option(help="Stop at so many dB.")] = None,
    holdout: Annotated[float, typer.Option(help="Keep this share of the samples out of the fit, to judge by.")] = 0.0,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write renderings, derivatives, error and a contact sheet there.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a signal: what comes out is a function of its coordinates, of (y, x) for a picture, of t for a sound.

    A scan or a mesh becomes the signed distance to its surface, a function of (x, y, z).

    It stops at whichever comes first of --steps, --seconds and --psnr; without any, after 3,000 steps, a shape after
    1,000, scattered samples after 300.
    Ctrl-C ends the fit and keeps what it has reached.
    """
    from sinefield.field.field import load
    from sinefield.signals.formats import read
    from sinefield.signals.surface import Surface
    from sinefield.tasks.fit import fit as fit_signal

    signal = read(
        source,
        size=parse_size(size),
        crop=parse_crop(crop),
        channel_axis=channel_axis,
        key=key,
        coordinates=parse_names(coordinates),
        values=parse_names(values),
        points=points,
    )
    shape = signal if isinstance(signal, Surface) else None
    if shape is not None:
        reject_options("a shape", psnr=psnr, holdout=holdout or None, like=like, prior=prior)
    else:
        reject_options("what is no scan or mesh", supervise=supervise)
    if like is not None:
        reject_options("a fit that starts --like another field", prior=prior)
    if report is not None:
        from sinefield.reports.folder import prepare

        prepare(report)
    target = field_path(output or Path(f"{signal.name}.safetensors"))
    say = console(quiet)
    with progress_bar(say, "fit") as bar:
        watch = fit_progress(bar, steps, seconds, recipe, psnr, signal, activation)
        options: dict[str, Any] = {
            "activation": activation,
            "width": width,
            "depth": depth,
            "omega": parse_omega(omega),
            "recipe": recipe,
            "steps": steps,
            "seconds": seconds,
            "seed": seed,
            "device": device,
            "checkpoint": checkpoint,
            "resume": resume,
            "progress": watch,
        }
        if shape is not None:
            from sinefield.tasks.shape import fit_shape

            field = fit_shape(shape, supervise=supervise or "surface", **options)
        else:
            start = None if like is None else load(like)
            if prior is not None:
                from sinefield.priors.inpaint import beginning
                from sinefield.priors.prior import load_prior

                start = beginning(load_prior(prior), signal)
            field = fit_signal(signal, psnr=psnr, holdout=holdout, like=start, **options)
    field.save(target)
    written = None
    if report is not None and field.made["stopped"] != "interrupted":
        from sinefield.reports import report as write_report

        try:
            with progress_bar(say, "report") as bar:
                written = write_report(report, field, signal, lambda done: bar(done, ""))
        except KeyboardInterrupt:
            field.made["stopped"] = "interrupted"
    print_field_result(field, target, written, as_json, quiet)
