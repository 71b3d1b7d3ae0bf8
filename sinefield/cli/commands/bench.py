"""The command `bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import print_result, progress_bar
from sinefield.cli.options import Json, Quiet
from sinefield.errors import InputError
from sinefield.progress import Progress


def bench(
    part: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PART]…", help="steps, derivatives, rendering or quality (default: all)."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write the tables to as well.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure the speed of this machine: training steps, derivatives, rendering and a complete fit.

    Each part is compared with an alternative in the same run. All parts take about three minutes on two cores.
    """
    from sinefield.experiments.bench import TABLES, machine, markdown
    from sinefield.files import atomic, check_output

    for name in part or ():
        if name not in TABLES:
            raise InputError(f"there is no part {name!r}; choose from {', '.join(TABLES)}")
    if output is not None:
        check_output(output)
    names = part or list(TABLES)
    tables: dict[str, list[dict[str, str]]] = {}
    text = machine()
    if not as_json and not quiet:
        print(text)
    with progress_bar(quiet, "bench") as bar:
        for done, name in enumerate(names):
            bar(Progress(done / len(names), name))
            tables[name] = list(TABLES[name]())
            text += f"\n\n{markdown(tables[name])}"
            if not as_json and not quiet:
                print(f"\n{markdown(tables[name])}", flush=True)
            if output is not None:  # written after each part, so that an interruption loses only the current one
                with atomic(output) as temporary:
                    temporary.write_text(text + "\n", encoding="utf-8")
    if as_json:
        print_result({"machine": machine(), **tables}, as_json, quiet)
