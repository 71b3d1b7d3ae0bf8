"""The verb `bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import console, print_result, progress_bar
from sinefield.cli.options import Json, Quiet
from sinefield.errors import InputError


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
    from sinefield.experiments.bench import TABLES, machine, markdown
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
        print_result({"machine": machine(), **tables}, as_json, quiet)
