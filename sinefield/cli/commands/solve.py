"""The verb `solve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sinefield.cli.console import (
    console,
    field_path,
    parse_omega,
    parse_position,
    print_field_result,
    progress_bar,
    reject_options,
    step_progress,
)
from sinefield.cli.options import Activation, Checkpoint, Device, Json, Quiet, Resume, Seconds, Seed, Steps
from sinefield.errors import InputError


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
    optimizer: Annotated[str, typer.Option(help="natural, soap, adam or lbfgs.")] = "natural",
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
    from sinefield.field.field import load
    from sinefield.tasks.solve import STEPS as STEPS_OF_OPTIMISERS
    from sinefield.tasks.solve import solve as solve_problem

    at = None if source is None else parse_position(source)
    every: dict[str, dict[str, Any]] = {
        "poisson": {"waves": waves},
        "helmholtz": {"velocity": velocity, "wavenumber": wavenumber, "source": at},
        "wave": {"velocity": velocity, "walls": walls, "duration": duration, "source": at},
        "eikonal": {"velocity": velocity, "source": at},
    }
    if equation not in every:
        raise InputError(f"there is no equation {equation!r}; choose from {', '.join(every)}")
    given = {name: value for options in every.values() for name, value in options.items() if value is not None}
    reject_options(equation, **{name: value for name, value in given.items() if name not in every[equation]})
    pose: Any = {
        "poisson": problems.square,
        "helmholtz": problems.helmholtz,
        "wave": problems.wave,
        "eikonal": problems.travel_time,
    }[equation]
    options = {name: value for name, value in every[equation].items() if value is not None}
    problem = pose(**options, **({} if points is None else {"size": points}), seed=seed)
    if report is not None:
        from sinefield.reports.folder import prepare

        prepare(report)
    target, say = field_path(output or Path(f"{equation}.safetensors")), console(quiet)
    with progress_bar(say, equation) as bar:
        field = solve_problem(
            problem,
            activation=activation,
            optimizer=optimizer,
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
            progress=step_progress(bar, steps, seconds, STEPS_OF_OPTIMISERS.get(optimizer)),
        )
    field.save(target)
    written = None
    if report is not None and field.made["stopped"] != "interrupted":
        from sinefield.reports.solution import solution_report

        with progress_bar(say, "report") as bar:
            written = solution_report(report, field, problem, lambda done: bar(done, ""))
    print_field_result(field, target, written, as_json, quiet)
