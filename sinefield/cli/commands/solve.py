"""The command `solve`: one subcommand for each equation, with options from the signature of the equation."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sinefield.cli.console import field_path, finish_field, progress_bar, report_folder
from sinefield.cli.options import (
    Activation,
    Checkpoint,
    Depth,
    Device,
    FieldOut,
    Json,
    Omega,
    Quiet,
    Report,
    Resume,
    Seconds,
    Seed,
    Steps,
    Width,
    parse_omega,
    parse_pair,
)
from sinefield.errors import InputError

FLAGS = {"size": "--points"}
"""Options that are not named after the parameter of the equation."""


class EquationGroup(TyperGroup):
    """The equations that are registered, as subcommands; they are imported when one of them is needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        from sinefield.problems import EQUATIONS

        return list(EQUATIONS)

    def get_command(self, ctx: Any, name: str) -> Any:
        from sinefield.problems import EQUATIONS

        command = typer.Typer(add_completion=False)
        command.command(name)(equation_command(name, EQUATIONS.find(name)))
        return typer.main.get_command(command)


solve = typer.Typer(
    name="solve",
    cls=EquationGroup,
    no_args_is_help=True,
    help="Solve an equation: find a field that satisfies it, and its error where a reference solution is known. "
    "`sinefield solve EQUATION --help` lists the options of an equation.",
)


@solve.callback()
def group() -> None:
    pass


def equation_command(name: str, equation: Callable[..., Any]) -> Callable[..., None]:
    """Return the command of an equation: its own parameters and those of `solve_equation` as options."""
    own = {
        parameter.name: parameter
        for parameter in inspect.signature(equation).parameters.values()
        if parameter.name != "seed"
    }
    shared = list(inspect.signature(solve_equation, eval_str=True).parameters.values())[1:]
    if reserved := sorted(own.keys() & {parameter.name for parameter in shared}):
        raise InputError(f"the equation {name!r} has a parameter {reserved[0]!r}, as all equations have; rename it")
    texts, hints = _argument_texts(equation), typing.get_type_hints(equation)
    positions = {key for key in own if tuple[float, float] in (hints[key], *typing.get_args(hints[key]))}

    def command(**options: Any) -> None:
        given = {key: options.pop(key) for key in own}
        given = {key: parse_pair(value, key) if key in positions and value else value for key, value in given.items()}
        problem = equation(**{key: value for key, value in given.items() if value is not None}, seed=options["seed"])
        solve_equation(problem, **options)

    parameters = []
    for key, parameter in own.items():
        hint, default = (str | None, None) if key in positions else (hints[key], parameter.default)
        metavar = "Y,X" if key in positions else None
        flag = FLAGS.get(key, f"--{key.replace('_', '-')}")
        option = typer.Option(flag, metavar=metavar, help=texts.get(key, ""))
        parameters.append(parameter.replace(annotation=Annotated[hint, option], default=default))
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*parameters, *shared)]
    command.__name__ = name
    command.__doc__ = inspect.getdoc(equation).split("\n\nArgs:")[0] if equation.__doc__ else ""  # type: ignore[union-attr]
    command.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in keywords}
    return command


def solve_equation(
    problem: Any,
    output: FieldOut = None,
    activation: Activation = "sine",
    width: Width = None,
    depth: Depth = None,
    omega: Omega = "auto",
    recipe: Annotated[str, typer.Option(help="default, or paper for Adam and the network of the paper.")] = "default",
    optimizer: Annotated[
        str | None, typer.Option(help="natural, soap, adam or lbfgs (default: set by the recipe).")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FIELD", help="Field file of a solution whose weights are the start.")
    ] = None,
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
    """Solve a problem and write the field."""
    from sinefield.field.field import load
    from sinefield.tasks.solve import solve as solve_problem

    folder, target = report_folder(report), field_path(output or Path(f"{problem.name}.safetensors"))
    with progress_bar(quiet, problem.name) as bar:
        field = solve_problem(
            problem,
            activation=activation,
            width=width,
            depth=depth,
            omega=parse_omega(omega),
            recipe=recipe,
            optimizer=optimizer,
            steps=steps,
            seconds=seconds,
            like=None if like is None else load(like),
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=bar,
        )
    field.save(target)
    files = None
    if folder is not None and field.info.stopped != "interrupted":
        from sinefield.reports import solution_report

        with progress_bar(quiet, "report") as bar:
            files = solution_report(folder, field, problem, bar)
    finish_field(field, target, files, as_json, quiet)


def _argument_texts(function: Callable[..., Any]) -> dict[str, str]:
    """Return the texts of the section Args of a docstring, by the names of the arguments."""
    section = re.search(r"^Args:\n((?:[ ]{4}.*\n?)+)", inspect.getdoc(function) or "", re.MULTILINE)
    texts: dict[str, str] = {}
    for line in section[1].splitlines() if section else ():
        if entry := re.match(r"    ([\w, ]+): (.*)", line):
            names = entry[1].split(", ")
            texts |= dict.fromkeys(names, entry[2])
        elif texts:
            texts |= {name: f"{texts[name]} {line.strip()}" for name in names}
    return texts
