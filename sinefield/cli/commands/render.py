"""The verb `render`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import console, parse_crop, parse_size, print_result, progress_bar, reject_options
from sinefield.cli.options import Device, FieldFile, Json, Quiet, Size


def render(
    field: FieldFile,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="A picture, a sound, a video (a folder of .png without suffix), .npy, or over space a mesh: .ply, "
            ".obj, .stl, .off, .glb.",
        ),
    ],
    size: Size = None,
    scale: Annotated[float | None, typer.Option(help="Times the size that was fitted, along each axis.")] = None,
    crop: Annotated[
        str | None,
        typer.Option(metavar="A:B[,…]", help="A part: a range for each axis, in the field's units, as in slicing."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", "--fps", help="Samples or frames for each second of the signal.")
    ] = None,
    slow: Annotated[float, typer.Option(help="Play a video or a sound so many times slower.")] = 1.0,
    quantity: Annotated[
        str,
        typer.Option(
            help="value, gradient, laplacian, along one axis: dt, dy, dx, …; normal or curvature of the levels."
        ),
    ] = "value",
    resolution: Annotated[int | None, typer.Option(min=1, help="Of a mesh: cells along the longest side.")] = None,
    level: Annotated[
        float | None, typer.Option(help="Of a mesh: the value on it; 0 for a shape, else the middle of the range.")
    ] = None,
    up: Annotated[str, typer.Option(metavar="x|y|z", help="Of a picture of a shape: the axis that points up.")] = "y",
    at: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="At the points of a .csv or .parquet, instead of on a grid.")
    ] = None,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample a field, at any resolution.

    A derivative is written as its numbers to .npy and .tif, in value per unit of coordinate; to any other picture or
    video as greys: the gradient's magnitude, or the others with zero at mid-grey.
    """
    from sinefield.field.evaluate import quantity_of
    from sinefield.field.export import render_at, render_mesh, render_to, render_views
    from sinefield.field.field import load
    from sinefield.files import check_output
    from sinefield.signals.formats import kind_of
    from sinefield.training.device import available

    check_output(output)
    loaded = load(field, device=available(device))
    quantity_of(quantity, loaded.header.domain)
    start = time.perf_counter()
    kind = kind_of(output)
    if kind != "shape":
        reject_options(f"{output.name}, which is no mesh", level=level, resolution=resolution)
    with progress_bar(console(quiet), "render") as bar:
        if kind == "shape" and at is None:
            reject_options("a mesh; give a --resolution", size=size, scale=scale, crop=crop, rate=rate)
            reject_options("a mesh, which has its normals anyway", quantity=None if quantity == "value" else quantity)
            shape = render_mesh(output, loaded, level, resolution, lambda done: bar(done, ""))
        elif at is not None:
            shape = render_at(output, loaded, at, quantity, lambda done: bar(done, ""))
        elif loaded.header.kind == "shape" and kind == "image":
            seen = "a picture of a shape, which is seen whole"
            reject_options(seen, scale=scale, crop=crop, rate=rate, quantity=None if quantity == "value" else quantity)
            shape = render_views(output, loaded, parse_size(size), up, lambda done: bar(done, ""))
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
                progress=lambda done: bar(done, ""),
            )
    seconds = round(time.perf_counter() - start, 3)
    print_result({"file": str(output), "layer": quantity, "shape": list(shape), "seconds": seconds}, as_json, quiet)
