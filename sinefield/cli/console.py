"""What the verbs say on a terminal, and how they read what is written there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from sinefield.errors import InputError

if TYPE_CHECKING:
    from sinefield.field.field import Field
    from sinefield.priors.prior import Prior
    from sinefield.signals import Signal
    from sinefield.training.checkpoint import State


def print_field_result(
    field: Field | Prior, target: Path, report: dict[str, str] | None, as_json: bool, quiet: bool
) -> None:
    """What came of a fit; exit code 130 if it was cut short, which `stopped` says."""
    result = {name: value for name, value in field.made.items() if name != "history"} | {"field": str(target)}
    print_result(result if report is None else result | {"report": report}, as_json, quiet)
    if field.made["stopped"] == "interrupted":
        console(quiet).print(f"the best of {field.made['steps']} steps is in {target}", markup=False)
        raise typer.Exit(130)


def read_picture(source: str, size: str | None) -> Signal:
    """A picture, at a size as it was written."""
    from sinefield.signals import read_image, resized

    signal, wanted = read_image(source), parse_size(size)
    return signal if wanted is None else resized(signal, wanted)  # type: ignore[arg-type]


def field_path(path: Path) -> Path:
    from sinefield.files import check_output

    if path.suffix != ".safetensors":
        raise InputError(f"{path}: a field is a .safetensors file; call it {path.stem or 'field'}.safetensors")
    return check_output(path)


def sheet_path(path: Path) -> Path:
    """Where a figure goes."""
    from sinefield.files import check_output

    if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".pdf", ".svg"):
        raise InputError(f"{path}: a sheet of pictures is a .png, .jpg, .webp, .tif, .pdf or .svg file")
    return check_output(path)


def parse_size(text: str | None) -> int | tuple[int, ...] | None:
    """ "256" is the longest side, "640x480" is width x height, "8,480,640" is one number for each axis."""
    if text is None:
        return None
    try:
        if "x" in text:
            width, height = text.split("x")
            return int(height), int(width)
        return int(text) if "," not in text else tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--size {text} is no size; write 256 for the longest side, or 640x480 for both") from error


def parse_omega(text: str) -> float | None:
    try:
        return None if text == "auto" else float(text)
    except ValueError as error:
        raise InputError(f"--omega {text} is no number; write one, or auto") from error


def parse_crop(text: str | None) -> list[tuple[float | None, float | None]] | None:
    if text is None:
        return None
    try:
        ranges = [[bound.strip().removesuffix("s") for bound in part.split(":")] for part in text.split(",")]
        return [(float(start) if start else None, float(stop) if stop else None) for start, stop in ranges]
    except ValueError as error:
        raise InputError(
            f"--crop {text} is no crop; write a range for each axis, such as 10:60,20:80 (rows, columns) or 1.5s:3s"
        ) from error


def parse_position(text: str) -> tuple[float, ...]:
    """ "0,-0.35" is a place (y, x)."""
    try:
        y, x = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"--source {text} is no place; write y,x such as 0,-0.35") from error
    return y, x


def parse_counts(text: str) -> list[int]:
    """ "10,100" is two numbers."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--context {text} is no list of numbers; write 10,100,1000") from error
    if min(counts) < 1:
        raise InputError(f"--context {text}: one pixel at least is seen")
    return counts


def reject_options(what: str, **given: Any) -> None:
    """Raise InputError for an option that was given, though it is not for this."""
    for name, value in given.items():
        if value is not None:
            raise InputError(f"--{name} is not for {what}")


def parse_names(text: str | None) -> list[str] | None:
    """ "lon,lat" is two names."""
    return None if text is None else [name.strip() for name in text.split(",")]


def console(quiet: bool) -> Console:
    return Console(stderr=True, quiet=quiet, highlight=False)


@contextmanager
def progress_bar(console: Console, command: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on a terminal: called with the share that is done and what to say beside it."""
    columns = (
        TextColumn(f"{command} {{task.description}}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[left]}"),
    )
    began: list[float] = []  # when, and with which share done: a resumed fit does not begin at none
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=1.0, left="")

        def update(done: float, text: str) -> None:
            began.extend([time.perf_counter(), done] if not began else [])
            spent, share = time.perf_counter() - began[0], done - began[1]
            minutes, seconds = divmod(round(spent * (1 - done) / share) if share > 0 else 0, 60)
            left = f"{minutes}:{seconds:02} left" if done < 1 else "judging …"
            progress.update(task, completed=done, description=escape(text), left=left)

        yield update


def fit_progress(
    bar: Callable[[float, str], None],
    steps: int | None,
    seconds: float | None,
    recipe: str,
    psnr: float | None,
    signal: Signal,
    activation: str,
) -> Callable[[State], None]:
    from sinefield.training.recipes import default_steps, recipe_for

    most = steps or (None if seconds else default_steps(recipe_for(recipe, signal, activation), psnr))

    def progress(state: State) -> None:
        done = max(state.step / most if most else 0.0, state.seconds / seconds if seconds else 0.0)
        quality = "" if signal.header.kind == "shape" else f"{state.psnr:.1f} dB" if state.history else "…"
        terms = "  ".join(f"{name} {term:.1e}" for name, term in state.terms.items())
        bar(min(done, 1.0), f"step {state.step}  {terms}  {quality}")

    return progress


def step_progress(
    bar: Callable[[float, str], None], steps: int | None, seconds: float | None, usual: int | None
) -> Callable[[State], None]:
    most = steps or (None if seconds else usual)

    def progress(state: State) -> None:
        done = max(state.step / most if most else 0.0, state.seconds / seconds if seconds else 0.0)
        bar(min(done, 1.0), f"step {state.step}  loss {state.loss:.1e}")

    return progress


def print_result(result: dict[str, Any], as_json: bool, quiet: bool) -> None:
    """The result: one JSON object, or a table of it."""
    if as_json:
        from sinefield.serialization import finite

        print(json.dumps(finite(result), allow_nan=False))
        return
    if quiet:
        return
    table = Table(show_header=False, box=None)
    for name, value in result.items():
        table.add_row(name, escape(plain(value)))
    Console().print(table)


def plain(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.6g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}".rstrip("0").rstrip(".")
        case list():
            return (
                "\n".join(plain(item) for item in value)
                if value and isinstance(value[0], dict | list | tuple)
                else ", ".join(map(plain, value))
            )
        case tuple():
            return " … ".join(map(plain, value))
        case dict():
            return "  ".join(f"{name} {plain(item)}" for name, item in value.items())
    return str(value)
