"""The command `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinefield.cli.console import field_path, finish_field, progress_bar, report_folder
from sinefield.cli.options import (
    Activation,
    Checkpoint,
    Crop,
    Depth,
    Device,
    FieldOut,
    Json,
    Omega,
    Optimizer,
    Psnr,
    Quiet,
    Recipe,
    Report,
    Resume,
    Seconds,
    Seed,
    Size,
    Source,
    Steps,
    Width,
    parse_crop,
    parse_names,
    parse_omega,
    parse_size,
    reject_options,
)

if TYPE_CHECKING:
    from sinefield.field.field import Field
    from sinefield.signals import Signal


def fit(
    source: Source,
    output: FieldOut = None,
    size: Size = None,
    crop: Crop = None,
    channel_axis: Annotated[int | None, typer.Option(help="Axis of an array that holds channels.")] = None,
    key: Annotated[str | None, typer.Option(help="Name of the array in an .npz file.")] = None,
    coordinates: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns of a table that hold coordinates.")
    ] = None,
    values: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns of a table that hold values (default: the last one).")
    ] = None,
    points: Annotated[
        int | None, typer.Option(min=4, help="Number of points to sample from a mesh (default 200,000).")
    ] = None,
    supervise: Annotated[
        str | None,
        typer.Option(metavar="surface|distance", help="Fit a mesh by points on its surface or by distances to it."),
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FIELD", help="Field file whose weights are the start of the fit.")
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Prior file; the fit of a picture starts from its estimate.")
    ] = None,
    activation: Activation = "sine",
    width: Width = None,
    depth: Depth = None,
    omega: Omega = "auto",
    recipe: Recipe = "default",
    optimizer: Optimizer = None,
    steps: Steps = None,
    seconds: Seconds = None,
    psnr: Psnr = None,
    holdout: Annotated[
        float, typer.Option(help="Share of the samples that is excluded from the fit and evaluated separately.")
    ] = 0.0,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Report = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a continuous function to a signal: of (y, x) for a picture, of t for a sound.

    A scan or a mesh becomes the signed distance to its surface, a function of (x, y, z).

    The fit stops at whichever of --steps, --seconds and --psnr comes first; by default after 3,000 steps, for a shape
    after 1,000, for scattered samples after 300. Ctrl-C ends the fit and keeps the best result so far.
    """
    from sinefield.signals import read
    from sinefield.signals.surface import Surface

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
    if isinstance(signal, Surface):
        reject_options("signals other than shapes", psnr=psnr, holdout=holdout or None, like=like, prior=prior)
    else:
        reject_options("scans and meshes", supervise=supervise)
    if like is not None:
        reject_options("fits without --like", prior=prior)
    folder, target = report_folder(report), field_path(output or Path(f"{signal.name}.safetensors"))
    with progress_bar(quiet, "fit") as bar:
        options: dict[str, Any] = {
            "activation": activation,
            "width": width,
            "depth": depth,
            "omega": parse_omega(omega),
            "recipe": recipe,
            "optimizer": optimizer,
            "steps": steps,
            "seconds": seconds,
            "seed": seed,
            "device": device,
            "checkpoint": checkpoint,
            "resume": resume,
            "progress": bar,
        }
        if isinstance(signal, Surface):
            from sinefield.tasks.shape import fit_shape

            field = fit_shape(signal, supervise=supervise or "surface", **options)
        else:
            from sinefield.tasks.fit import fit as fit_signal

            field = fit_signal(signal, psnr=psnr, holdout=holdout, like=_start(signal, like, prior), **options)
    field.save(target)
    finish_field(field, target, _report(folder, field, signal, quiet), as_json, quiet)


def _start(signal: Signal, like: Path | None, prior: Path | None) -> Field | None:
    """Return the field from which a fit starts, if one is given."""
    if like is not None:
        from sinefield.field.field import load

        return load(like)
    if prior is not None:
        from sinefield.priors.inpaint import initial_field
        from sinefield.priors.prior import load_prior

        return initial_field(load_prior(prior), signal)
    return None


def _report(folder: Path | None, field: Field, signal: Signal, quiet: bool) -> dict[str, str] | None:
    """Write the report of a fit that was not interrupted."""
    if folder is None or field.info.stopped == "interrupted":
        return None
    from sinefield.reports import report

    try:
        with progress_bar(quiet, "report") as bar:
            return report(folder, field, signal, bar)
    except KeyboardInterrupt:
        field.info = field.info.interrupted()
        return None
