"""What the commands print: results, progress, and the files that they check first."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from sinefield.cli.options import parse_size
from sinefield.errors import InputError
from sinefield.progress import Progress, ProgressCallback

if TYPE_CHECKING:
    from sinefield.field.field import Field
    from sinefield.field.info import FitInfo
    from sinefield.signals import Signal

FIGURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".pdf", ".svg")
"""Suffixes of the files that a figure can be written to."""


def print_result(result: dict[str, Any], as_json: bool, quiet: bool) -> None:
    """Print a result as one JSON object, or as a table."""
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


def finish_command(info: FitInfo, target: Path, report: dict[str, str] | None, as_json: bool, quiet: bool) -> None:
    """Print what a training reached, and exit with code 130 if it was interrupted."""
    result = info.summary() | {"file": str(target)}
    print_result(result if report is None else result | {"report": report}, as_json, quiet)
    if info.stopped == "interrupted":
        console(quiet).print(f"interrupted; the best of {info.steps} steps is in {target}", markup=False)
        raise typer.Exit(130)


def finish_field(field: Field, target: Path, report: dict[str, str] | None, as_json: bool, quiet: bool) -> None:
    """Do what `finish_command` does for a field that was saved."""
    finish_command(field.info, target, report, as_json, quiet)


def plain(value: Any) -> str:
    """Format a value for a table."""
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.6g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}".rstrip("0").rstrip(".")
        case list():
            nested = bool(value) and isinstance(value[0], dict | list | tuple)
            return ("\n" if nested else ", ").join(map(plain, value))
        case tuple():
            return " … ".join(map(plain, value))
        case dict():
            return "  ".join(f"{name} {plain(item)}" for name, item in value.items())
    return str(value)


def console(quiet: bool) -> Console:
    """Return the console for everything but results, on stderr."""
    return Console(stderr=True, quiet=quiet, highlight=False)


@contextmanager
def progress_bar(quiet: bool, command: str) -> Iterator[ProgressCallback]:
    """Show a progress bar on a terminal; yields the callback that updates it."""
    screen = console(quiet)
    text = TextColumn(f"{command} {{task.description}}")
    columns = (text, BarColumn(bar_width=None), TextColumn("{task.fields[left]}"))
    first: list[float] = []  # time and share at the first call: a resumed training does not start at zero
    with Bar(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=1.0, left="")

        def update(progress: Progress) -> None:
            first.extend([time.perf_counter(), progress.done] if not first else [])
            elapsed, share = time.perf_counter() - first[0], progress.done - first[1]
            minutes, seconds = divmod(round(elapsed * (1 - progress.done) / share) if share > 0 else 0, 60)
            left = f"{minutes}:{seconds:02} left" if progress.done < 1 else "evaluating …"
            bar.update(task, completed=progress.done, description=escape(progress.message), left=left)

        yield update


def read_picture(source: str, size: str | None, gray: bool = False) -> Signal:
    """Read a picture, at the size that the option gives, in grayscale if asked."""
    from sinefield.signals import image

    signal, wanted = image.read_image(source), parse_size(size)
    signal = signal if wanted is None else image.resize(signal, wanted)  # type: ignore[arg-type]
    return image.gray(signal) if gray else signal


def field_path(path: Path) -> Path:
    """Return the path of a field file to write, after checking it."""
    from sinefield.files import check_output

    if path.suffix != ".safetensors":
        raise InputError(f"{path}: a field is a .safetensors file; call it {path.stem or 'field'}.safetensors")
    return check_output(path)


def figure_path(path: Path) -> Path:
    """Return the path of a figure to write, after checking it."""
    from sinefield.files import check_output

    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise InputError(f"{path}: a figure is a {', '.join(FIGURE_SUFFIXES[:-1])} or {FIGURE_SUFFIXES[-1]} file")
    return check_output(path)


def report_folder(report: Path | None) -> Path | None:
    """Return the directory of a report, after creating it; without Matplotlib, this fails before the fit."""
    if report is not None:
        import sinefield.reports  # noqa: F401
        from sinefield.files import make_folder

        make_folder(report)
    return report
