"""The verb `prior` and those that belong to it."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sinefield.cli.console import (
    console,
    field_path,
    parse_counts,
    parse_size,
    print_field_result,
    print_result,
    progress_bar,
    reject_options,
    sheet_path,
    step_progress,
)
from sinefield.cli.options import Checkpoint, Device, Gray, Json, Picture, Quiet, Resume, Seconds, Seed, Size, Steps
from sinefield.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sinefield.priors.data import ImageDataset
    from sinefield.priors.fit_prior import Log
    from sinefield.priors.prior import Prior

prior = typer.Typer(no_args_is_help=True, help="Learn a space of pictures, and complete one from a few of its pixels.")

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of pictures, also in folders of its own.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A prior, as `sinefield prior fit` writes it.")]
Sheet = Annotated[Path, typer.Option("-o", "--output", help="A picture of them, side by side.")]
Refine = Annotated[int | None, typer.Option(min=0, help="Steps of descent of the code on what is seen.")]
ROWS = 6
"""Pictures that are shown."""

SampleSeed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of what is drawn at random.")]

COUNTS = (10, 100, 1000)
"""Pixels that are seen, where nothing else is said."""


@prior.command()
def fit(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The prior; FOLDER.safetensors unless given.")
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Pixels along each side; pictures are cut to a square first.")] = 32,
    gray: Gray = False,
    encoder: Annotated[
        str, typer.Option(help="cnn, set; none: codes are found by descent; meta: a start that fits fast.")
    ] = "cnn",
    head: Annotated[str | None, typer.Option(help="full: all weights are made; low-rank or shift: light ones.")] = None,
    recipe: Annotated[str, typer.Option(help="default, or paper: its sizes, for a machine with CUDA.")] = "default",
    width: Annotated[int | None, typer.Option(min=1, help="Units in a hidden layer of the SIREN.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Its hidden layers after the first.")] = None,
    omega: Annotated[float | None, typer.Option(help="ω of its first layer.")] = None,
    latent: Annotated[int | None, typer.Option(min=1, help="Numbers in a code.")] = None,
    features: Annotated[int | None, typer.Option(min=2, help="Of the encoder.")] = None,
    hidden: Annotated[int | None, typer.Option(min=1, help="Units between a code and the weights.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pictures in a step.")] = None,
    pixels: Annotated[int | None, typer.Option(min=1, help="Of each in a step.")] = None,
    rate: Annotated[float | None, typer.Option(help="The highest learning rate.")] = None,
    holdout: Annotated[float, typer.Option(help="The share of the pictures that is kept out, to judge by.")] = 0.1,
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    log_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Write what TensorBoard shows there.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn a prior from a folder of pictures.

    It stops at whichever comes first of --steps and --seconds; without any, after 20,000 steps. Ctrl-C ends it and
    keeps the best so far.
    """
    from sinefield.priors.fit_prior import STEPS, default_config, fit_prior
    from sinefield.training.device import available

    named = {"width": width, "depth": depth, "omega": omega, "latent": latent, "features": features}
    sizes = _given(**named, hidden=hidden, head=head)
    target, say = field_path(output or Path(f"{folder.resolve().name}.safetensors")), console(quiet)
    available(device), default_config(size, 1, recipe, encoder=encoder, **sizes)  # before a large folder is read
    dataset = _dataset(folder, size, gray, quiet)
    config = default_config(size, dataset.channels, recipe, encoder=encoder, **sizes)
    with nullcontext() if log_dir is None else _board(log_dir, dataset) as log, progress_bar(say, "prior") as bar:
        learned = fit_prior(
            dataset,
            config,
            **_given(batch=batch, pixels=pixels, rate=rate),
            holdout=holdout,
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=step_progress(bar, steps, seconds, STEPS),
            log=log,
        )
    learned.save(target)
    print_field_result(learned, target, None, as_json, quiet)


@prior.command()
def inpaint(
    model: Model,
    picture: Picture,
    output: Annotated[Path, typer.Option("-o", "--output", help="The whole picture, or a .safetensors: its field.")],
    keep: Annotated[int | None, typer.Option(min=1, help="So many random pixels are seen; 100.")] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="PICTURE", help="Of the picture's size; what is white in it is missing.")
    ] = None,
    size: Size = None,
    refine: Refine = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Keep other pixels so many times, and show all that comes of it.")
    ] = None,
    seed: SampleSeed = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Complete a picture from some of its pixels, at any resolution.

    The picture is cut to the square in its middle, as those that the prior was learned from.
    """
    import numpy as np

    from sinefield.field.export import render_to
    from sinefield.files import check_output
    from sinefield.metrics import psnr
    from sinefield.priors.data import middle, random_mask, squared
    from sinefield.priors.inpaint import inpaint as complete
    from sinefield.priors.prior import load_prior
    from sinefield.reports.gallery import gallery, masked
    from sinefield.signals.image import read_image, read_mask
    from sinefield.training.device import available

    if mask is not None:
        reject_options("a mask, which says what is missing", keep=keep, seeds=seeds)
    check_output(output) if seeds is None else sheet_path(output)
    loaded = load_prior(model, device=available(device))
    whole = read_image(picture)
    pixels = loaded.config.size
    reference = squared(whole, pixels, loaded.config.channels)
    if mask is None:
        tries = [random_mask(pixels, keep or min(100, pixels**2), seed + k) for k in range(seeds or 1)]
        fields = [complete(loaded, reference, seen, refine=refine) for seen in tries]
    else:
        holes = read_mask(mask, whole.header.shape)
        side = min(whole.header.shape)
        tries = [~middle(holes, side)]
        fields = [complete(loaded, squared(whole, side, loaded.config.channels), tries[0], refine=refine)]
    field, found = fields[0], []
    for each in fields:
        off = (each.render().reshape(reference.values.shape).astype(float) - reference.values) / 127.5
        found.append(float(np.square(off).mean()))
    if seeds is not None:
        rows = [
            {
                f"{each.made['seen']} pixels": masked(reference.values.squeeze(), seen, reference.header),
                f"completed, {psnr(mse):.1f} dB": each.render(parse_size(size) or 4 * pixels),
                "the truth": reference.values.squeeze(),
            }
            for each, seen, mse in zip(fields, tries, found, strict=True)
        ]
        gallery(output, rows, reference.header)
    elif output.suffix == ".safetensors":
        field.save(output)
    else:
        render_to(output, field, size=parse_size(size))
    print_result({**field.made, "mse": float(np.mean(found)), "file": str(output)}, as_json, quiet)


@prior.command()
def evaluate(
    model: Model,
    folder: Folder,
    context: Annotated[str | None, typer.Option(metavar="N[,…]", help="How many pixels are seen; 10,100,1000.")] = None,
    refine: Refine = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Show some of them: what is seen, completed, the truth.")
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Judge by so many pictures; all.")] = None,
    seed: SampleSeed = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print the mean squared error of completed pictures, beside that of interpolation.

    Of the folder that the prior was learned from, the pictures are taken that were held out then.
    """
    from sinefield.priors.evaluate import errors, interpolation_errors
    from sinefield.priors.fit_prior import unseen
    from sinefield.priors.prior import load_prior
    from sinefield.training.device import available

    if output is not None:
        sheet_path(output)
    loaded = load_prior(model, device=available(device))
    counts = parse_counts(context) if context else [n for n in COUNTS if n <= loaded.config.size**2] or [1]
    if max(counts) > loaded.config.size**2:
        raise InputError(f"--context {context}: the prior's pictures have {loaded.config.size**2:,} pixels")
    dataset = _dataset(folder, loaded.config.size, loaded.config.channels == 1, quiet)
    if dataset.channels != loaded.config.channels:
        raise InputError(f"the prior is of colours, and {folder} holds greys alone")
    indices = unseen(loaded, dataset)
    held = len(indices) < len(dataset)
    indices = indices[:most]
    table: dict[str, list[float]] = {name: [] for name in ("prior", "nearest neighbour", "radial basis functions")}
    say = console(quiet)
    with progress_bar(say, "evaluate") as bar:
        ways = [
            ("prior", lambda count: errors(loaded, dataset, indices, count, refine=refine, seed=seed)),
            ("nearest neighbour", lambda count: interpolation_errors("nearest", dataset, indices, count, seed=seed)),
            ("radial basis functions", lambda count: interpolation_errors("rbf", dataset, indices, count, seed=seed)),
        ]
        for done, (count, (name, evaluate)) in enumerate(product(counts, ways)):
            bar(done / (len(counts) * len(ways)), f"{count} pixels, {name}")
            table[name].append(float(evaluate(count).mean()))
    if output is not None:
        _show(output, loaded, dataset, indices, counts, refine, seed)
    result = {"pictures": len(indices), "held_out": held, "context": counts, "mse": table}
    if as_json:
        print_result(result, as_json, quiet)
    elif not quiet:
        which = "held out" if held else "of the folder"
        shown = Table(title=f"mean squared error on [-1, 1], {len(indices)} pictures {which}", box=None)
        shown.add_column("pixels seen")
        for count in counts:
            shown.add_column(str(count), justify="right")
        for name, row in table.items():
            shown.add_row(name, *(f"{mse:.4f}" for mse in row))
        Console().print(shown)


@prior.command()
def sample(
    model: Model,
    output: Sheet,
    count: Annotated[int, typer.Option(min=1, max=400, help="How many.")] = 24,
    size: Size = None,
    seed: SampleSeed = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw codes at random, and show their pictures."""
    from sinefield.priors.prior import load_prior
    from sinefield.reports.gallery import tiles
    from sinefield.training.device import available

    loaded = load_prior(model, device=available(device))
    _check_codes(loaded)
    fields = [loaded.field(code) for code in loaded.sample(count, seed)]
    columns = min(count, 8)
    rendered = [field.render(parse_size(size) or 2 * loaded.config.size) for field in fields]
    tiles(output, [rendered[start : start + columns] for start in range(0, count, columns)], fields[0].header)
    print_result({"file": str(output), "pictures": count, "seed": seed}, as_json, quiet)


@prior.command()
def interpolate(
    model: Model,
    one: Annotated[str, typer.Argument(metavar="A", help="A picture file, or a sample such as astronaut.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    output: Sheet,
    count: Annotated[int, typer.Option(min=2, max=64, help="Pictures in all, with both ends.")] = 8,
    size: Size = None,
    refine: Annotated[int, typer.Option(min=0, help="Steps of descent to each end's code.")] = 100,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go from one picture to another through the space: A, the pictures of the codes between both, B."""
    import numpy as np

    from sinefield.priors.data import squared
    from sinefield.priors.prior import load_prior, observed
    from sinefield.reports.gallery import tiles
    from sinefield.signals.image import read_image
    from sinefield.training.device import available

    loaded = load_prior(model, device=available(device))
    _check_codes(loaded)
    pixels = loaded.config.size
    ends = [squared(read_image(picture), pixels, loaded.config.channels) for picture in (one, other)]
    everything = np.ones((pixels, pixels), dtype=bool)
    seen = [observed(end, everything, pixels) for end in ends]
    first, last = (loaded.infer(x.to(device), values.to(device), refine)[0] for x, values in seen)
    between = [loaded.field(first + (last - first) * k / (count - 1)) for k in range(count)]
    rendered = [field.render(parse_size(size) or 2 * pixels) for field in between]
    tiles(output, [rendered], between[0].header)
    print_result({"file": str(output), "pictures": count}, as_json, quiet)


def _show(
    output: Path,
    loaded: Prior,
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    counts: list[int],
    refine: int | None,
    seed: int,
) -> None:
    """A row for each of some pictures: for each count what is seen and the picture of it, four times as large."""
    from sinefield.priors.data import random_mask
    from sinefield.priors.inpaint import inpaint as complete
    from sinefield.reports.gallery import gallery, masked

    rows = []
    for index in indices[:ROWS]:
        picture, row = dataset.signal(int(index)), {}
        shown = picture.values.squeeze()
        for count in counts:
            seen = random_mask(dataset.size, count, seed + int(index))
            row[f"{count} pixels"] = masked(shown, seen, picture.header)
            row[f"of {count}"] = complete(loaded, picture, seen, refine=refine).render(4 * dataset.size)
        rows.append(row | {"the truth": shown})
    gallery(output, rows, picture.header)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _board(log_dir: Path, dataset: ImageDataset) -> AbstractContextManager[Log]:
    from sinefield.reports.board import board

    return board(log_dir, dataset)


def _check_codes(loaded: Prior) -> None:
    if loaded.start is not None:
        raise InputError("a meta-learned start has no codes; use it as sinefield fit --prior")


def _dataset(folder: Path, size: int, grays: bool, quiet: bool) -> ImageDataset:
    """The pictures of a folder; those that cannot be read are named."""
    from sinefield.priors.data import read_image_dataset

    with progress_bar(console(quiet), "read") as bar:
        dataset = read_image_dataset(folder, size, grays=grays, progress=bar)
    for _, reason in dataset.skipped[:5]:
        warnings.warn(f"skipped: {reason}", stacklevel=2)
    if len(dataset.skipped) > 1:
        warnings.warn(
            f"{len(dataset.skipped)} of {len(dataset.skipped) + len(dataset)} pictures were skipped", stacklevel=2
        )
    return dataset
