"""The command line: its commands, and how errors are reported."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from sinefield import __version__
from sinefield.cli.commands.bench import bench
from sinefield.cli.commands.blend import blend
from sinefield.cli.commands.compare import compare
from sinefield.cli.commands.fit import fit
from sinefield.cli.commands.fit_many import fit_many
from sinefield.cli.commands.info import info
from sinefield.cli.commands.invert import invert
from sinefield.cli.commands.poisson import poisson
from sinefield.cli.commands.prior import prior
from sinefield.cli.commands.render import render
from sinefield.cli.commands.reproduce import reproduce
from sinefield.cli.commands.solve import solve
from sinefield.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    help="Turn any signal into one small continuous function: sample it at any resolution, differentiate it exactly.",
)


def print_version(wanted: bool) -> bool:
    """Print the version and exit, if wanted."""
    if wanted:
        print(f"sinefield {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


COMMANDS: list[Callable[..., None] | typer.Typer] = [
    *(fit, fit_many, render, info, compare, poisson, blend),
    *(solve, invert, prior, reproduce, bench),
]
for each in COMMANDS:
    if isinstance(each, typer.Typer):
        app.add_typer(each)
    else:
        app.command()(each)

# the base class belongs to click, which newer versions of typer vendor under another name
UsageError: Any = typer.BadParameter.__base__


def main() -> NoReturn:
    """Run a command; an invalid input is reported in one line with exit code 2."""
    quiet = bool({"--quiet", "-q"} & set(sys.argv[1:]))
    code = run(sys.argv[1:], quiet)
    # CPython remembers a KeyboardInterrupt that left an exec, such as that of a dataclass, although it was handled
    # later; `python -m` would then end by SIGINT instead of with the exit code. The next exec resets this.
    exec("")
    sys.exit(code)


def run(arguments: list[str], quiet: bool = False) -> int:
    """Run a command with arguments, and return its exit code; warnings and errors go to stderr."""
    notes = Console(stderr=True, quiet=quiet, markup=False, highlight=False, soft_wrap=True)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: notes.print(f"note: {message}")
        try:
            code = app(arguments, standalone_mode=False) or 0
            if code == 130:
                print("interrupted", file=sys.stderr)
            return int(code)
        except InputError as error:
            line = " ".join(str(error).split())
        except (KeyboardInterrupt, typer.Abort):
            print("interrupted", file=sys.stderr)
            return 130
        except UsageError as error:
            if not arguments:  # the help was printed
                return 0
            line = f"{error.format_message()} (see sinefield --help)"
        except MemoryError:
            line = "there is not enough memory for this; take a smaller --size, or a --crop"
    print(f"error: {line}", file=sys.stderr)
    return 2
