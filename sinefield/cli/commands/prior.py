"""The command `prior` and its subcommands."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sinefield.cli.console import field_path, figure_path, finish_command, print_result, progress_bar
from sinefield.cli.options import (
    Checkpoint,
    Device,
    Gray,
    Json,
    Picture,
    Quiet,
    Resume,
    Seconds,
    Seed,
    Steps,
    parse_counts,
    parse_size,
    reject_options,
)
from sinefield.errors import InputError
from sinefield.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sinefield.field.field import Field
    from sinefield.priors.data import ImageDataset
    from sinefield.priors.fit_prior import Log
    from sinefield.priors.prior import Prior
    from sinefield.signals import Signal

prior = typer.Typer(
    name="prior",
    no_args_is_help=True,
    help="Learn a prior from a folder of pictures, and complete pictures from a few pixels.",
)

CONTEXT_SIZES = (10, 100, 1000)
"""Numbers of observed pixels that are evaluated by default."""

MAX_ROWS = 6
"""Number of pictures in the figure of an evaluation."""

MAX_COLUMNS = 8
"""Number of sampled pictures in a row."""

MAX_WARNINGS = 5
"""Number of skipped pictures that are named."""

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of pictures, with its subfolders.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Prior file, written by `sinefield prior fit`.")]
Sheet = Annotated[Path, typer.Option("-o", "--output", help="Picture to write, with all results side by side.")]
Refine = Annotated[
    int | None,
    typer.Option(
        min=0, help="Steps of optimization of the code on the observed pixels (default 0; 100 without an encoder)."
    ),
]
OutputSize = Annotated[
    str | None,
    typer.Option(
        "--size", metavar="N|WxH", help="Longest side of each picture to write, in pixels, or width x height."
    ),
]
SampleSeed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the random numbers.")]


@prior.command()
def fit(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Prior file to write (default: FOLDER.safetensors).")
    ] = None,
    size: Annotated[
        int, typer.Option(min=1, help="Pixels along each side, to which the central squares are resized.")
    ] = 32,
    gray: Gray = False,
    encoder: Annotated[
        str,
        typer.Option(
            help="How codes are obtained: by an encoder (`cnn`, `set`), by optimization (`none`), or from a "
            "meta-learned initialization (`meta`)."
        ),
    ] = "cnn",
    head: Annotated[
        str | None,
        typer.Option(help="`full` generates every weight; `low-rank` (default) and `shift` modulate shared weights."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="default; paper, the sizes of the paper, for training on a GPU.")
    ] = "default",
    width: Annotated[
        int | None, typer.Option(min=1, help="Units in a hidden layer of the SIREN (default: set by the recipe).")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=0, help="Hidden layers of the SIREN after the first (default: set by the recipe).")
    ] = None,
    omega: Annotated[
        float | None, typer.Option(help="ω of the first layer of the SIREN (default: set by the recipe).")
    ] = None,
    latent: Annotated[int | None, typer.Option(min=1, help="Dimension of a code (default: set by the recipe).")] = None,
    features: Annotated[
        int | None, typer.Option(min=2, help="Channels or units of the encoder (default: set by the recipe).")
    ] = None,
    hidden: Annotated[
        int | None,
        typer.Option(min=1, help="Units in the hidden layers of the hypernetwork (default: set by the recipe)."),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pictures in a batch (default 32).")] = None,
    pixels: Annotated[
        int | None, typer.Option(min=1, help="Pixels of each picture in a batch (default: a quarter of them).")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Largest learning rate (default 0.0005).")] = None,
    holdout: Annotated[
        float, typer.Option(help="Share of the pictures that is excluded from the training and evaluated.")
    ] = 0.1,
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    log_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Directory of a TensorBoard log.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn a prior from a folder of pictures.

    The training stops at --steps or --seconds, whichever comes first; by default after 20,000 steps. Ctrl-C ends it and
    keeps the best result so far.
    """
    from sinefield.priors.fit_prior import default_config, fit_prior
    from sinefield.training.device import resolve_device

    sizes = _given(width=width, depth=depth, omega=omega, latent=latent, features=features, hidden=hidden, head=head)
    name = folder.resolve().name
    target = field_path(output or Path(f"{name}.safetensors"))
    # checked before a large folder is read
    resolve_device(device)
    default_config(size, 1, recipe, encoder=encoder, **sizes)
    dataset = _read_dataset(folder, size, gray, quiet)
    config = default_config(size, dataset.channels, recipe, encoder=encoder, **sizes)
    with _board(log_dir, dataset) as log, progress_bar(quiet, "prior fit") as bar:
        learned = fit_prior(
            dataset,
            config,
            **_given(batch=batch, pixels=pixels, learning_rate=learning_rate),
            holdout=holdout,
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=bar,
            log=log,
        )
    learned.info = replace(learned.info, source=name)
    learned.save(target)
    finish_command(learned.info, target, None, as_json, quiet)


@prior.command()
def inpaint(
    model: Model,
    picture: Picture,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Completed picture, or its field if the suffix is .safetensors.")
    ],
    keep: Annotated[int | None, typer.Option(min=1, help="Number of random pixels to keep (default 100).")] = None,
    mask: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Mask of the same size as the picture; white pixels are missing."),
    ] = None,
    size: OutputSize = None,
    refine: Refine = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of random choices of pixels; a figure shows all results.")
    ] = None,
    seed: SampleSeed = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Complete a picture from some of its pixels, at any resolution.

    The central square of the picture is used, as in the training of the prior.
    """
    import numpy as np

    from sinefield.field.export import render_to
    from sinefield.files import check_output
    from sinefield.priors.data import middle, random_mask, squared
    from sinefield.priors.inpaint import inpaint as complete
    from sinefield.signals import read_image, read_mask

    if mask is not None:
        reject_options("inpainting without --mask", keep=keep, seeds=seeds)
    check_output(output) if seeds is None else figure_path(output)
    loaded = _load(model, device)
    whole, pixels = read_image(picture), loaded.config.size
    reference = squared(whole, pixels, loaded.config.channels)
    if mask is None:
        kept = keep or min(100, pixels**2)
        masks = [random_mask(pixels, kept, seed + k) for k in range(seeds or 1)]
        fields = [complete(loaded, reference, each, refine=refine) for each in masks]
    else:
        side = min(whole.header.shape)
        masks = [~middle(read_mask(mask, whole.header.shape), side)]
        fields = [complete(loaded, squared(whole, side, loaded.config.channels), masks[0], refine=refine)]
    errors = [_mean_squared_error(field, reference) for field in fields]
    if seeds is not None:
        _draw_masks(output, fields, masks, errors, reference, size)
    elif output.suffix == ".safetensors":
        fields[0].save(output)
    else:
        render_to(output, fields[0], size=parse_size(size))
    info = fields[0].info
    result = {"source": info.source, **info.settings, "mse": float(np.mean(errors)), "file": str(output)}
    print_result(result, as_json, quiet)


@prior.command()
def evaluate(
    model: Model,
    folder: Folder,
    context: Annotated[
        str | None, typer.Option(metavar="N[,…]", help="Numbers of observed pixels (default 10,100,1000).")
    ] = None,
    refine: Refine = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Figure of some pictures: observed pixels, completed picture, reference."),
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Number of pictures to evaluate (default: all).")] = None,
    seed: SampleSeed = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print the mean squared errors of completed pictures, and those of interpolation for comparison.

    If the prior was learned from this folder, only the held-out pictures are evaluated.
    """
    from sinefield.priors.fit_prior import held_out

    if output is not None:
        figure_path(output)
    loaded = _load(model, device)
    pixels = loaded.config.size**2
    counts = parse_counts(context) if context else [n for n in CONTEXT_SIZES if n <= pixels] or [1]
    if max(counts) > pixels:
        raise InputError(f"--context {context}: the pictures of the prior have {pixels:,} pixels")
    dataset = _read_dataset(folder, loaded.config.size, loaded.config.channels == 1, quiet)
    if dataset.channels != loaded.config.channels:
        raise InputError(f"the prior needs RGB pictures; all pictures in {folder} are gray")
    indices = held_out(loaded, dataset)
    held = len(indices) < len(dataset)
    indices = indices[:most]
    table = _evaluate(loaded, dataset, indices, counts, refine, seed, quiet)
    if output is not None:
        _draw_examples(output, loaded, dataset, indices, counts, refine, seed)
    if as_json or quiet:
        print_result({"pictures": len(indices), "held_out": held, "context": counts, "mse": table}, as_json, quiet)
    else:
        subset = "held-out pictures" if held else "pictures"
        _print_errors(f"Mean squared error on [-1, 1] of {len(indices)} {subset}", counts, table)


@prior.command()
def sample(
    model: Model,
    output: Sheet,
    count: Annotated[int, typer.Option(min=1, max=400, help="Number of pictures.")] = 24,
    size: OutputSize = None,
    seed: SampleSeed = 0,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw random codes, and write their pictures."""
    from sinefield.reports.gallery import tiles

    loaded = _load(model, device)
    _check_codes(loaded)
    fields = [loaded.field(code) for code in loaded.sample(count, seed)]
    rendered = [field.render(parse_size(size) or 2 * loaded.config.size) for field in fields]
    columns = min(count, MAX_COLUMNS)
    tiles(output, [rendered[start : start + columns] for start in range(0, count, columns)], fields[0].header)
    print_result({"file": str(output), "pictures": count, "seed": seed}, as_json, quiet)


@prior.command()
def interpolate(
    model: Model,
    one: Annotated[str, typer.Argument(metavar="A", help="First picture: a file, or a sample such as astronaut.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Last picture.")],
    output: Sheet,
    count: Annotated[int, typer.Option(min=2, max=64, help="Number of pictures, including both ends.")] = 8,
    size: OutputSize = None,
    refine: Annotated[int, typer.Option(min=0, help="Steps of optimization of the codes of A and B.")] = 100,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Interpolate between the codes of two pictures, and write the picture of each code in a row."""
    import numpy as np

    from sinefield.priors.data import squared
    from sinefield.priors.prior import observe
    from sinefield.reports.gallery import tiles
    from sinefield.signals import read_image

    loaded = _load(model, device)
    _check_codes(loaded)
    pixels = loaded.config.size
    ends = [squared(read_image(picture), pixels, loaded.config.channels) for picture in (one, other)]
    everything = np.ones((pixels, pixels), dtype=bool)
    observed = [observe(end, everything, pixels) for end in ends]
    first, last = (loaded.infer(x.to(device), values.to(device), refine)[0] for x, values in observed)
    fields = [loaded.field(first + (last - first) * k / (count - 1)) for k in range(count)]
    rendered = [field.render(parse_size(size) or 2 * pixels) for field in fields]
    tiles(output, [rendered], fields[0].header)
    print_result({"file": str(output), "pictures": count}, as_json, quiet)


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given; the others have the defaults of the function that takes them."""
    return {name: value for name, value in options.items() if value is not None}


def _load(model: Path, device: str) -> Prior:
    from sinefield.priors.prior import load_prior
    from sinefield.training.device import resolve_device

    return load_prior(model, device=resolve_device(device))


def _check_codes(loaded: Prior) -> None:
    if loaded.start is not None:
        raise InputError("a meta-learned initialization has no codes; use it with sinefield fit --prior")


def _read_dataset(folder: Path, size: int, grays: bool, quiet: bool) -> ImageDataset:
    """Read the pictures in a folder; warnings name those that cannot be read."""
    from sinefield.priors.data import read_image_dataset

    with progress_bar(quiet, "read") as bar:
        dataset = read_image_dataset(folder, size, grays=grays, progress=bar)
    skipped, total = len(dataset.skipped), len(dataset.skipped) + len(dataset)
    for _, reason in dataset.skipped[:MAX_WARNINGS]:
        warnings.warn(f"skipped: {reason}", stacklevel=2)
    if skipped > 1:
        warnings.warn(f"{skipped} of {total} pictures were skipped", stacklevel=2)
    return dataset


def _board(log_dir: Path | None, dataset: ImageDataset) -> AbstractContextManager[Log | None]:
    if log_dir is None:
        return nullcontext()
    from sinefield.reports.board import board

    return board(log_dir, dataset)


def _mean_squared_error(field: Field, reference: Signal) -> float:
    """Return the mean squared error on [-1, 1] of a completed picture of 8 bits."""
    import numpy as np

    difference = (field.render().reshape(reference.values.shape).astype(float) - reference.values) / 127.5
    return float(np.square(difference).mean())


def _draw_masks(
    output: Path,
    fields: list[Field],
    masks: list[NDArray[np.bool_]],
    errors: list[float],
    reference: Signal,
    size: str | None,
) -> None:
    """Write a figure with a row for each mask: the observed pixels, the completed picture and the reference."""
    from sinefield.metrics import psnr
    from sinefield.reports.gallery import gallery, masked

    picture, header = reference.values.squeeze(), reference.header
    shape = parse_size(size) or 4 * header.shape[0]
    rows = [
        {
            f"{field.info.settings['seen']} pixels": masked(picture, mask, header),
            f"Completed, {psnr(mse):.1f} dB": field.render(shape),
            "Reference": picture,
        }
        for field, mask, mse in zip(fields, masks, errors, strict=True)
    ]
    gallery(output, rows, header)


def _evaluate(
    loaded: Prior,
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    counts: list[int],
    refine: int | None,
    seed: int,
    quiet: bool,
) -> dict[str, list[float]]:
    """Return the mean error of each method for each number of observed pixels."""
    from sinefield.priors.evaluate import inpainting_errors, interpolation_errors

    methods = {
        "prior": lambda count: inpainting_errors(loaded, dataset, indices, count, refine=refine, seed=seed),
        "nearest neighbor": lambda count: interpolation_errors("nearest", dataset, indices, count, seed=seed),
        "radial basis functions": lambda count: interpolation_errors("rbf", dataset, indices, count, seed=seed),
    }
    table: dict[str, list[float]] = {name: [] for name in methods}
    with progress_bar(quiet, "prior evaluate") as bar:
        for done, (count, name) in enumerate(product(counts, methods)):
            bar(Progress(done / (len(counts) * len(methods)), f"{count} pixels, {name}"))
            table[name].append(float(methods[name](count).mean()))
    return table


def _print_errors(title: str, counts: list[int], table: dict[str, list[float]]) -> None:
    shown = Table(title=title, box=None)
    shown.add_column("observed pixels")
    for count in counts:
        shown.add_column(str(count), justify="right")
    for name, row in table.items():
        shown.add_row(name, *(f"{mse:.4f}" for mse in row))
    Console().print(shown)


def _draw_examples(
    output: Path,
    loaded: Prior,
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    counts: list[int],
    refine: int | None,
    seed: int,
) -> None:
    """Write a figure with a row for each of some pictures, completed from each number of pixels."""
    from sinefield.priors.data import random_mask
    from sinefield.priors.inpaint import inpaint as complete
    from sinefield.reports.gallery import gallery, masked

    rows = []
    for index in indices[:MAX_ROWS]:
        picture, row = dataset.signal(int(index)), {}
        reference = picture.values.squeeze()
        for count in counts:
            mask = random_mask(dataset.size, count, seed + int(index))
            row[f"{count} pixels"] = masked(reference, mask, picture.header)
            row[f"From {count} pixels"] = complete(loaded, picture, mask, refine=refine).render(4 * dataset.size)
        rows.append(row | {"Reference": reference})
    gallery(output, rows, picture.header)
