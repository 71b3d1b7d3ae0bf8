"""The verb `fit-many`."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinefield.cli.console import console, parse_omega, parse_size, print_result, progress_bar
from sinefield.cli.options import Device, Gray, Json, Quiet, Seed, Size, Steps
from sinefield.errors import InputError

if TYPE_CHECKING:
    from sinefield.signals import Signal


def fit_many(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of small pictures, also in folders of its own.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where the fields go, one for each.")],
    size: Size = None,
    gray: Gray = False,
    width: Annotated[int | None, typer.Option(min=1, help="Units in a hidden layer; 32 unless given.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Hidden layers after the first; 2 unless given.")] = None,
    omega: Annotated[str, typer.Option(metavar="auto|ω", help="ω of the first layer; auto is 30.")] = "auto",
    steps: Steps = None,
    psnr: Annotated[
        float | None, typer.Option(help="Stop when the worst of those fitted together has so many dB.")
    ] = None,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was stopped: what is there stays.")] = False,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit every picture of a folder, many at once: one field for each, under the picture's name.

    Pictures of one size are fitted together, so give a --size where they differ. It stops after 200 steps unless told
    otherwise. Ctrl-C keeps the fields that are written.
    """
    import numpy as np

    from sinefield.priors.data import pictures_in
    from sinefield.reports.folder import prepare
    from sinefield.signals import gray as to_gray
    from sinefield.signals.formats import read
    from sinefield.tasks.fit_many import fit_many as fit_population

    wanted = parse_size(size)
    prepare(output)
    paths = pictures_in(folder)
    stems = [path.relative_to(folder).with_suffix("") for path in paths]
    count = Counter(stems)
    names = [path.relative_to(folder) if count[stem] > 1 else stem for path, stem in zip(paths, stems, strict=True)]
    if len(set(names)) < len(names):  # a.png.png without its suffix is a.png
        names = [path.relative_to(folder) for path in paths]
    targets = [output / f"{name}.safetensors" for name in names]
    there = [target.exists() for target in targets]
    if any(there) and not resume:
        raise InputError(f"{output} holds {sum(there)} of these fields already; --resume, or choose another folder")
    skipped: list[str] = []
    taken: list[Path] = []

    def signals() -> Iterator[Signal]:
        for path, target, done in zip(paths, targets, there, strict=True):
            if done:
                continue
            try:
                signal = read(path, size=wanted)
                signal = to_gray(signal) if gray else signal
            except InputError as error:
                skipped.append(str(error))
                continue
            taken.append(target)
            yield signal

    began, found = time.perf_counter(), []
    stopped = "done"
    with progress_bar(console(quiet), "fit") as bar:
        try:
            fitting = fit_population(
                signals(),
                width=width,
                depth=depth,
                omega=parse_omega(omega),
                steps=steps,
                psnr=psnr,
                seed=seed,
                device=device,
            )
            with closing(fitting) as fields:
                for index, field in enumerate(fields):
                    taken[index].parent.mkdir(parents=True, exist_ok=True)
                    field.save(taken[index])
                    found.append(field.made["psnr_db"])
                    bar((sum(there) + index + 1) / len(paths), f"{index + 1} pictures  {np.mean(found):.1f} dB")
        except KeyboardInterrupt:
            stopped = "interrupted"
    for reason in skipped[:5]:
        warnings.warn(f"skipped: {reason}", stacklevel=2)
    if not found and not any(there) and stopped == "done":
        raise InputError(f"none of the {len(paths)} pictures in {folder} can be read")
    numbers = {"psnr_db_mean": float(np.mean(found)), "psnr_db_least": min(found)} if found else {}
    seconds = round(time.perf_counter() - began, 3)
    counts = {"fields": len(found), "there_already": sum(there), "skipped": len(skipped)}
    print_result({"folder": str(output), **counts, **numbers, "seconds": seconds, "stopped": stopped}, as_json, quiet)
    if stopped == "interrupted":
        raise typer.Exit(130)
