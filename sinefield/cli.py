"""The verbs. Each imports what it needs when it runs, so that `--help` is there at once."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sinefield.errors import InputError
from sinefield.terminal import (
    console,
    field_path,
    follow,
    follow_steps,
    parse_crop,
    parse_names,
    parse_omega,
    parse_place,
    parse_size,
    plain,
    progress_bar,
    read_picture,
    refuse,
    tell,
    tell_of,
)

if TYPE_CHECKING:
    from sinefield.state import State

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Turn any signal into one small continuous function: sample it at any resolution, differentiate it exactly.",
)

# click's, which newer versions of typer bring along under a name of their own
UsageError: Any = typer.BadParameter.__base__

Picture = Annotated[str, typer.Argument(help="A picture file, or a sample: camera, astronaut, coffee, chelsea, …")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A picture, sound, video, array (.npy, .npz), table (.csv, .parquet), scan or mesh (.ply, .obj, .stl, "
        ".off, .glb, .xyz), or a sample picture: camera, …",
    ),
]
FieldFile = Annotated[Path, typer.Argument(metavar="FIELD", help="A field, as `sinefield fit` writes it.")]
Size = Annotated[str | None, typer.Option(metavar="N|WxH", help="The longest side in pixels, or width x height.")]
Activation = "sine, relu, relu-pe, tanh, softplus, gaussian, finer or wire"
Width = Annotated[int | None, typer.Option(min=1, help="Units in a hidden layer; 256 unless given.")]
Depth = Annotated[int | None, typer.Option(min=0, help="Hidden layers after the first; 3 unless given.")]
FieldOut = Annotated[Path | None, typer.Option("-o", "--output", help="The field; NAME.safetensors unless given.")]
Omega = Annotated[
    str, typer.Option(metavar="auto|ω", help="ω of the first layer; auto is by the spectrum and the sampling rate.")
]
OmegaOfDerivatives = Annotated[str, typer.Option(metavar="auto|ω", help="ω of the first layer; auto is 60.")]
Recipe = Annotated[
    str,
    typer.Option(
        help="default; natural: for measurements of something smooth; paper: the official code to the letter."
    ),
]
Grey = Annotated[bool, typer.Option("--grey", help="Make a colour picture grey first.")]
Checkpoint = Annotated[Path | None, typer.Option(metavar="DIR", help="Save the whole state there now and then.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the state in --checkpoint.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Stop after so many steps.")]
Seconds = Annotated[float | None, typer.Option(help="Stop after so many seconds.")]
Seed = Annotated[int, typer.Option(min=0, help="Of weights, batches and what is held out.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, as the last line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and the JSON if that is asked.")]


@app.command()
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
    from sinefield.field import load
    from sinefield.fit import fit as fit_signal
    from sinefield.signals.formats import read
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
    shape = signal if isinstance(signal, Surface) else None
    if shape is not None:
        refuse("a shape", psnr=psnr, holdout=holdout or None, like=like)
    else:
        refuse("what is no scan or mesh", supervise=supervise)
    if report is not None:
        from sinefield.reports import prepare

        prepare(report)
    target = field_path(output or Path(f"{signal.name}.safetensors"))
    say = console(quiet)
    with progress_bar(say, "fit") as bar:
        watch = follow(bar, steps, seconds, recipe, psnr, signal, activation)
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
            from sinefield.shape import fit_shape

            field = fit_shape(shape, supervise=supervise or "surface", **options)
        else:
            start = None if like is None else load(like)
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
    tell_of(field, target, written, as_json, quiet)


@app.command()
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
    layer: Annotated[
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
    from sinefield.export import render_at, render_mesh, render_to, render_views
    from sinefield.field import load
    from sinefield.files import check_output
    from sinefield.fit import available
    from sinefield.render import layer_of
    from sinefield.signals.formats import kind_of

    check_output(output)
    loaded = load(field, device=available(device))
    layer_of(layer, loaded.header.domain)
    start = time.perf_counter()
    kind = kind_of(output)
    if kind != "shape":
        refuse(f"{output.name}, which is no mesh", level=level, resolution=resolution)
    with progress_bar(console(quiet), "render") as bar:
        if kind == "shape" and at is None:
            refuse("a mesh; give a --resolution", size=size, scale=scale, crop=crop, rate=rate)
            refuse("a mesh, which has its normals anyway", layer=None if layer == "value" else layer)
            shape = render_mesh(output, loaded, level, resolution, lambda done: bar(done, ""))
        elif at is not None:
            shape = render_at(output, loaded, at, layer, lambda done: bar(done, ""))
        elif loaded.header.kind == "shape" and kind == "image":
            seen = "a picture of a shape, which is seen whole"
            refuse(seen, scale=scale, crop=crop, rate=rate, layer=None if layer == "value" else layer)
            shape = render_views(output, loaded, parse_size(size), up, lambda done: bar(done, ""))
        else:
            shape = render_to(
                output,
                loaded,
                layer,
                size=parse_size(size),
                scale=scale,
                crop=parse_crop(crop),
                rate=rate,
                slow=slow,
                progress=lambda done: bar(done, ""),
            )
    seconds = round(time.perf_counter() - start, 3)
    tell({"file": str(output), "layer": layer, "shape": list(shape), "seconds": seconds}, as_json, quiet)


@app.command()
def info(field: FieldFile, as_json: Json = False, quiet: Quiet = False) -> None:
    """Say what a field is: architecture, domain, units, how it was made, the quality it reached."""
    from sinefield.field import load

    loaded = load(field)
    header, domain = loaded.header, loaded.header.domain
    axes = [
        {"name": name, "from": low + step / 2, "to": high - step / 2, "unit": unit, "samples": n, "step": step}
        for name, low, high, unit, n, step in zip(
            domain.axes, domain.lower, domain.upper, domain.units, header.shape, header.step, strict=True
        )
    ]
    tell(
        {
            "field": str(field),
            "bytes": field.stat().st_size,
            "network": type(loaded.network).__name__,
            **loaded.network.config(),
            "kind": header.kind,
            "axes": axes,
            "channels": list(header.channels) or ["value"],
            "samples": header.dtype,
            "range": header.range,
            **{name: value for name, value in loaded.made.items() if name != "history"},
        },
        as_json,
        quiet,
    )


@app.command()
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
    from sinefield.checkpoint import finite
    from sinefield.compare import compare as compare_activations
    from sinefield.fields import NETWORKS
    from sinefield.files import atomic
    from sinefield.plot import comparison
    from sinefield.reports import prepare

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
                **{layer: fitted.render(shown_at, layer=layer) for layer in ("value", "gradient", "laplacian")},
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
        tell(result, as_json, quiet)
    if any(row["stopped"] == "interrupted" for row in rows):
        raise typer.Exit(130)


@app.command()
def poisson(
    picture: Picture,
    source: Annotated[str, typer.Option("--from", help="gradient or laplacian.")] = "gradient",
    output: FieldOut = None,
    size: Size = None,
    grey: Grey = False,
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
    from sinefield.poisson import reconstruct
    from sinefield.reports import poisson_report, prepare
    from sinefield.signals import grey as as_grey

    signal = read_picture(picture, size)
    signal = as_grey(signal) if grey else signal
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
            progress=follow(bar, steps, seconds, recipe, None, signal, activation),
        )
    field.save(target)
    written = None if report is None else poisson_report(report, field, signal)
    tell_of(field, target, written, as_json, quiet)


@app.command()
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
    grey: Grey = False,
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
    from sinefield.poisson import blend as blend_pictures
    from sinefield.reports import blend_report, prepare
    from sinefield.signals import grey as as_grey
    from sinefield.signals import read_mask

    pair = [read_picture(picture, size) for picture in (one, other)]
    first, second = [as_grey(signal) for signal in pair] if grey else pair
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
            progress=follow(bar, steps, seconds, "default", None, second, activation),
        )
    field.save(target)
    written = None if report is None else blend_report(report, field, first, second, where)
    tell_of(field, target, written, as_json, quiet)


@app.command()
def solve(
    equation: Annotated[str, typer.Argument(metavar="EQUATION", help="poisson, helmholtz, wave or eikonal.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The solution; EQUATION.safetensors unless given.")
    ] = None,
    velocity: Annotated[
        str | None,
        typer.Option(help="uniform; square or circle: twice as fast inside; of eikonal uniform or gradient."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="Y,X", help="Where the source or the pulse is, from -1 to 1.")
    ] = None,
    wavenumber: Annotated[float | None, typer.Option(help="Of helmholtz: k in 1/m; 20.")] = None,
    walls: Annotated[str | None, typer.Option(help="Of wave: dirichlet or neumann.")] = None,
    duration: Annotated[float | None, typer.Option(help="Of wave: how long, in s; 0.4.")] = None,
    waves: Annotated[int | None, typer.Option(min=1, help="Of poisson: half waves along each side; 1.")] = None,
    points: Annotated[int | None, typer.Option(min=16, help="Points in a step; 1,024.")] = None,
    activation: Annotated[str, typer.Option(help=Activation + ".")] = "sine",
    optimiser: Annotated[str, typer.Option(help="natural, soap, adam or lbfgs.")] = "natural",
    width: Annotated[int, typer.Option(min=1, help="Units in a hidden layer.")] = 64,
    depth: Annotated[int, typer.Option(min=0, help="Hidden layers after the first.")] = 2,
    omega: Annotated[str, typer.Option(metavar="auto|ω", help="ω of the first layer.")] = "auto",
    like: Annotated[Path | None, typer.Option(metavar="FIELD", help="Go on from another solution.")] = None,
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pictures beside the truth, and a film, there.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Solve an equation: a field that satisfies it, with its error where the solution is known.

    poisson: on a square, zero on its border. helmholtz: the waves of a point in an open plane. wave: a pulse between
    walls. eikonal: how long a wave takes from a point. For an equation of your own see examples/.
    """
    from sinefield import problems
    from sinefield.field import load
    from sinefield.solve import STEPS as STEPS_OF_OPTIMISERS
    from sinefield.solve import solve as solve_problem

    at = None if source is None else parse_place(source)
    every: dict[str, dict[str, Any]] = {
        "poisson": {"waves": waves},
        "helmholtz": {"velocity": velocity, "wavenumber": wavenumber, "source": at},
        "wave": {"velocity": velocity, "walls": walls, "duration": duration, "source": at},
        "eikonal": {"velocity": velocity, "source": at},
    }
    if equation not in every:
        raise InputError(f"there is no equation {equation!r}; choose from {', '.join(every)}")
    given = {name: value for options in every.values() for name, value in options.items() if value is not None}
    refuse(equation, **{name: value for name, value in given.items() if name not in every[equation]})
    pose: Any = {
        "poisson": problems.square,
        "helmholtz": problems.helmholtz,
        "wave": problems.wave,
        "eikonal": problems.travel_time,
    }[equation]
    options = {name: value for name, value in every[equation].items() if value is not None}
    problem = pose(**options, **({} if points is None else {"size": points}), seed=seed)
    if report is not None:
        from sinefield.reports import prepare

        prepare(report)
    target, say = field_path(output or Path(f"{equation}.safetensors")), console(quiet)
    with progress_bar(say, equation) as bar:
        field = solve_problem(
            problem,
            activation=activation,
            optimiser=optimiser,
            width=width,
            depth=depth,
            omega=parse_omega(omega),
            like=None if like is None else load(like),
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=follow_steps(bar, steps, seconds, STEPS_OF_OPTIMISERS.get(optimiser)),
        )
    field.save(target)
    written = None
    if report is not None and field.made["stopped"] != "interrupted":
        from sinefield.reports import solution_report

        with progress_bar(say, "report") as bar:
            written = solution_report(report, field, problem, lambda done: bar(done, ""))
    tell_of(field, target, written, as_json, quiet)


@app.command()
def invert(
    survey: Annotated[
        str,
        typer.Argument(
            metavar="SURVEY",
            help="A .mat of sources, receivers and what these measured; or square or circle, which is simulated.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The field of log c; NAME.safetensors unless given.")
    ] = None,
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a picture of the velocity there.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the velocity of a medium from waves that were measured in it (full-waveform inversion)."""
    from sinefield.invert import STEPS as STEPS_OF_INVERSION
    from sinefield.invert import invert as invert_survey
    from sinefield.problems.inversion import read_survey, simulated

    measured = simulated(survey) if survey in ("square", "circle") else read_survey(Path(survey))
    if report is not None:
        from sinefield.reports import prepare

        prepare(report)
    target, say = field_path(output or Path(f"{measured.name}.safetensors")), console(quiet)
    with progress_bar(say, "invert") as bar:
        watch = follow_steps(bar, steps, seconds, STEPS_OF_INVERSION)
        field = invert_survey(measured, steps=steps, seconds=seconds, seed=seed, device=device, progress=watch)
    field.save(target)
    written = None
    if report is not None:
        from sinefield.reports import medium_report

        written = medium_report(report, field, measured)
    tell_of(field, target, written, as_json, quiet)


@app.command()
def bench(
    part: Annotated[
        list[str] | None, typer.Argument(help="steps, derivatives, rendering, quality; all unless given.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the tables there as well.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Time the parts on this machine, each beside a rival; some three minutes on two cores.

    A training step, steps on derivatives, rendering, and how long a picture takes to 40 dB.
    """
    from sinefield.bench import TABLES, machine, markdown
    from sinefield.files import atomic, check_output

    for name in part or ():
        if name not in TABLES:
            raise InputError(f"there is no part {name!r}; choose from {', '.join(TABLES)}")
    if output is not None:
        check_output(output)
    names, say = part or list(TABLES), console(quiet)
    tables: dict[str, list[dict[str, str]]] = {}
    text = machine()
    if not as_json and not quiet:
        print(text)
    with progress_bar(say, "bench") as bar:
        for done, name in enumerate(names):
            bar(done / len(names), name)
            tables[name] = list(TABLES[name]())
            text += f"\n\n{markdown(tables[name])}"
            if not as_json and not quiet:
                print(f"\n{markdown(tables[name])}", flush=True)
            if output is not None:  # what is measured is kept, though the next part may be cut off
                with atomic(output) as temporary:
                    temporary.write_text(text + "\n")
    if as_json:
        tell({"machine": machine(), **tables}, as_json, quiet)


def main() -> NoReturn:
    """Run a verb; what the user can mend is said in one line, with exit code 2."""
    quiet = bool({"--quiet", "-q"} & set(sys.argv[1:]))
    notes = Console(stderr=True, quiet=quiet, markup=False, highlight=False, soft_wrap=True)
    warnings.showwarning = lambda message, *_: notes.print(f"note: {message}")
    try:
        code = app(standalone_mode=False) or 0
        if code == 130:
            print("interrupted", file=sys.stderr)
        sys.exit(code)
    except InputError as error:
        line = " ".join(str(error).split())
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except UsageError as error:
        if len(sys.argv) == 1:  # no verb: the help has been shown
            sys.exit(0)
        line = f"{error.format_message()} (see sinefield --help)"
    except MemoryError:
        line = "there is not enough memory for this; take a smaller --size, or a --crop"
    print(f"error: {line}", file=sys.stderr)
    sys.exit(2)
