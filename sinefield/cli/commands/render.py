"""The command `render`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import print_result, progress_bar
from sinefield.cli.options import (
    Crop,
    Device,
    FieldFile,
    Json,
    Quiet,
    Size,
    parse_crop,
    parse_size,
    reject_options,
)


def render(
    field: FieldFile,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Picture, sound, video (without a suffix a directory of .png), .npy, or of a field over space a mesh: "
            ".ply, .obj, .stl, .off, .glb.",
        ),
    ],
    size: Size = None,
    scale: Annotated[
        float | None, typer.Option(help="Samples per sample of the signal, along each axis (default 1).")
    ] = None,
    crop: Crop = None,
    rate: Annotated[
        float | None, typer.Option("--rate", "--fps", help="Samples or frames per second of the signal.")
    ] = None,
    slow: Annotated[float, typer.Option(help="Factor by which a video or a sound is played more slowly.")] = 1.0,
    quantity: Annotated[
        str,
        typer.Option(
            help="value, gradient or laplacian; dt, dy, dx, … for the derivative along an axis; normal or curvature of "
            "the level sets."
        ),
    ] = "value",
    resolution: Annotated[int | None, typer.Option(min=1, help="Cells of a mesh along the longest side.")] = None,
    level: Annotated[
        float | None,
        typer.Option(help="Value of the field on a mesh (default: 0 for a shape, else the middle of the range)."),
    ] = None,
    up: Annotated[str, typer.Option(metavar="x|y|z", help="Axis that points up in the picture of a shape.")] = "y",
    at: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Evaluate at the points of a .csv or .parquet file instead.")
    ] = None,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample a field at any resolution, and write the samples to a file.

    Derivatives are written to .npy and .tif as numbers, in units of the value per unit of coordinate; to other pictures
    and to videos in grayscale: the magnitude of the gradient, or any other derivative with zero at middle gray.
    """
    from sinefield.field.evaluate import find_quantity
    from sinefield.field.export import render_at, render_mesh, render_to, render_views
    from sinefield.field.field import load
    from sinefield.files import check_output
    from sinefield.signals.formats import format_of
    from sinefield.training.device import resolve_device

    check_output(output)
    loaded = load(field, device=resolve_device(device))
    find_quantity(quantity, loaded.header.domain)
    derivative = None if quantity == "value" else quantity
    kind = format_of(output).name if output.suffix else "frames"
    if kind != "shape":
        reject_options("meshes", level=level, resolution=resolution)
    start = time.perf_counter()
    with progress_bar(quiet, "render") as bar:
        if at is not None:
            shape = render_at(output, loaded, at, quantity, bar)
        elif kind == "shape":
            reject_options("grids; a mesh has a --resolution", size=size, scale=scale, crop=crop, rate=rate)
            reject_options("grids; a mesh always has its normals", quantity=derivative)
            shape = render_mesh(output, loaded, level, resolution, bar)
        elif loaded.header.kind == "shape" and kind == "image":
            grids = "grids; the picture of a shape shows all of it"
            reject_options(grids, scale=scale, crop=crop, rate=rate, quantity=derivative)
            shape = render_views(output, loaded, parse_size(size), up, bar)
        else:
            shape = render_to(
                output,
                loaded,
                quantity,
                size=parse_size(size),
                scale=scale,
                crop=parse_crop(crop),
                rate=rate,
                slow=slow,
                progress=bar,
            )
    seconds = round(time.perf_counter() - start, 3)
    print_result({"file": str(output), "quantity": quantity, "shape": list(shape), "seconds": seconds}, as_json, quiet)
