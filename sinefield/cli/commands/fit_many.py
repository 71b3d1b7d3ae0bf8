"""The command `fit-many`."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinefield.cli.console import print_result, progress_bar
from sinefield.cli.options import Device, Gray, Json, Quiet, Seed, Size, Steps, parse_omega, parse_size
from sinefield.errors import InputError
from sinefield.progress import Progress

if TYPE_CHECKING:
    from sinefield.signals import Signal

MAX_WARNINGS = 5
"""Number of skipped pictures that are named."""


def fit_many(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of small pictures, with its subfolders.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Directory for the field files, one for each picture.")
    ],
    size: Size = None,
    gray: Gray = False,
    width: Annotated[int | None, typer.Option(min=1, help="Units in a hidden layer (default 32).")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Hidden layers after the first (default 2).")] = None,
    omega: Annotated[str, typer.Option(metavar="auto|ω", help="ω of the first layer; auto is 30.")] = "auto",
    steps: Steps = None,
    psnr: Annotated[
        float | None, typer.Option(help="Stop when each of the pictures fitted together reaches this PSNR in dB.")
    ] = None,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Skip pictures whose field file exists.")] = False,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit every picture in a folder, many at once; each field file has the name of its picture.

    Pictures of the same size are fitted together, so set --size if the sizes differ. Each fit stops after 200 steps, or
    at --steps or --psnr. Ctrl-C stops, and keeps the field files that are complete.
    """
    import numpy as np

    from sinefield.files import make_folder
    from sinefield.priors.data import pictures_in
    from sinefield.tasks.fit_many import fit_many as fit_signals

    shape, omega_first = parse_size(size), parse_omega(omega)
    make_folder(output)
    paths = pictures_in(folder)
    targets = _targets(folder, paths, output)
    pending = [(path, target) for path, target in zip(paths, targets, strict=True) if not target.exists()]
    existing = len(paths) - len(pending)
    if existing and not resume:
        raise InputError(f"{output} contains {existing} of these fields; use --resume, or choose another directory")
    skipped: list[str] = []
    outputs: list[Path] = []
    psnrs: list[float] = []
    start, stopped = time.perf_counter(), "done"
    with progress_bar(quiet, "fit") as bar:
        try:
            fitting = fit_signals(
                _read_all(pending, shape, gray, outputs, skipped),
                width=width,
                depth=depth,
                omega=omega_first,
                steps=steps,
                psnr=psnr,
                seed=seed,
                device=device,
            )
            with closing(fitting) as fields:
                for index, field in enumerate(fields):
                    outputs[index].parent.mkdir(parents=True, exist_ok=True)
                    field.save(outputs[index])
                    psnrs.append(field.info.quality["psnr_db"])
                    message = f"{index + 1} pictures  {np.mean(psnrs):.1f} dB"
                    bar(Progress((existing + index + 1) / len(paths), message))
        except KeyboardInterrupt:
            stopped = "interrupted"
    for reason in skipped[:MAX_WARNINGS]:
        warnings.warn(f"skipped: {reason}", stacklevel=2)
    if not psnrs and not existing and stopped == "done":
        raise InputError(f"none of the {len(paths)} pictures in {folder} can be read")
    counts = {"fields": len(psnrs), "existing": existing, "skipped": len(skipped)}
    figures = {"psnr_db_mean": float(np.mean(psnrs)), "psnr_db_min": min(psnrs)} if psnrs else {}
    seconds = round(time.perf_counter() - start, 3)
    print_result({"folder": str(output), **counts, **figures, "seconds": seconds, "stopped": stopped}, as_json, quiet)
    if stopped == "interrupted":
        raise typer.Exit(130)


def _targets(folder: Path, paths: list[Path], output: Path) -> list[Path]:
    """Return the path of the field file of each picture; the suffix of a picture is kept where its name needs it."""
    relative = [path.relative_to(folder) for path in paths]
    stems = [path.with_suffix("") for path in relative]
    count = Counter(stems)
    names = [path if count[stem] > 1 else stem for path, stem in zip(relative, stems, strict=True)]
    if len(set(names)) < len(names):  # a.png.png without its suffix has the name of another picture, a.png
        names = relative
    return [output / f"{name}.safetensors" for name in names]


def _read_all(
    pending: list[tuple[Path, Path]],
    size: int | tuple[int, ...] | None,
    gray: bool,
    outputs: list[Path],
    skipped: list[str],
) -> Iterator[Signal]:
    """Yield the pictures that can be read.

    Args:
        pending: Paths of the pictures and of their field files.
        size: Size to which the pictures are resized.
        gray: Convert the pictures to grayscale.
        outputs: List to which the path of the field file of each picture is appended.
        skipped: List to which the reason is appended for each picture that cannot be read.
    """
    from sinefield.signals import gray as to_gray
    from sinefield.signals import read

    for path, target in pending:
        try:
            signal = read(path, size=size)
            signal = to_gray(signal) if gray else signal
        except InputError as error:
            skipped.append(str(error))
            continue
        outputs.append(target)
        yield signal
