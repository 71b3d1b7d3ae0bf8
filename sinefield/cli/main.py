"""The command line."""

from __future__ import annotations

import sys
import warnings
from typing import Any, NoReturn

import typer
from rich.console import Console

from sinefield.cli import commands
from sinefield.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Turn any signal into one small continuous function: sample it at any resolution, differentiate it exactly.",
)
for command in (
    commands.fit,
    commands.fit_many,
    commands.render,
    commands.info,
    commands.compare,
    commands.poisson,
    commands.blend,
    commands.solve,
    commands.invert,
    commands.reproduce,
    commands.bench,
):
    app.command()(command)
app.add_typer(commands.prior, name="prior")

# click's, which newer versions of typer bring along under a name of their own
UsageError: Any = typer.BadParameter.__base__


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
