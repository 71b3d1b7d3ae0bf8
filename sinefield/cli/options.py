"""Arguments and options that several commands share, and how their values are parsed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sinefield.errors import InputError
from sinefield.registry import Registry

_declared = Registry[Any]("activation", "sinefield.networks").declared("register_activation")
ACTIVATION_NAMES = ", ".join(sorted(_declared, key=lambda name: name != "sine"))
"""Names of the activations, read from the sources so that `--help` loads no PyTorch."""

Picture = Annotated[
    str,
    typer.Argument(
        metavar="PICTURE", help="Picture file, or a sample picture such as camera, astronaut, coffee or chelsea."
    ),
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Picture, sound, video, array (.npy, .npz), table (.csv, .parquet), scan or mesh (.ply, .obj, .stl, "
        ".off, .glb, .xyz), or a sample picture such as camera.",
    ),
]
FieldFile = Annotated[Path, typer.Argument(metavar="FIELD", help="Field file, written by `sinefield fit`.")]
Size = Annotated[
    str | None, typer.Option(metavar="N|WxH", help="Longest side in pixels, or width x height; resizes the picture.")
]
Crop = Annotated[
    str | None,
    typer.Option(
        metavar="A:B[,…]", help="Part to use: a range in coordinates for each axis, such as 10:60,20:80 or 1.5s:3s."
    ),
]
Gray = Annotated[bool, typer.Option("--gray", help="Convert a color picture to grayscale first.")]
Activation = Annotated[str, typer.Option(help=f"Activation of the network: {ACTIVATION_NAMES}.")]
Width = Annotated[int | None, typer.Option(min=1, help="Units in a hidden layer (default: set by the recipe).")]
Depth = Annotated[int | None, typer.Option(min=0, help="Hidden layers after the first (default: set by the recipe).")]
Omega = Annotated[
    str, typer.Option(metavar="auto|ω", help="ω of the first layer; auto chooses it by the spectrum of the signal.")
]
Recipe = Annotated[
    str,
    typer.Option(
        help="default; natural, for measurements of something smooth; small, for pictures of about a thousand pixels; "
        "paper, the settings of the official code."
    ),
]
Optimizer = Annotated[str | None, typer.Option(help="soap, adam, natural or lbfgs (default: set by the recipe).")]
FieldOut = Annotated[
    Path | None, typer.Option("-o", "--output", help="Field file to write (default: NAME.safetensors).")
]
Checkpoint = Annotated[Path | None, typer.Option(metavar="DIR", help="Directory for periodic checkpoints.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue from the state in the --checkpoint directory.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Stop after this number of steps.")]
Seconds = Annotated[float | None, typer.Option(help="Stop after this time in seconds.")]
Psnr = Annotated[float | None, typer.Option(help="Stop at this PSNR in dB.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of weights, batches and held-out samples.")]
Device = Annotated[str, typer.Option(help="Device: cpu, cuda, cuda:1, …")]
Report = Annotated[Path | None, typer.Option(metavar="DIR", help="Directory for a report with figures.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on the last line of stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors, and the JSON object with --json.")]


def parse_size(text: str | None) -> int | tuple[int, ...] | None:
    """Parse "256" (the longest side), "640x480" (width x height) or "8,480,640" (one number for each axis)."""
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
    """Parse a number or "auto"."""
    try:
        return None if text == "auto" else float(text)
    except ValueError as error:
        raise InputError(f"--omega {text} is no number; write one, or auto") from error


def parse_crop(text: str | None) -> list[tuple[float | None, float | None]] | None:
    """Parse "10:60,20:80" or "1.5s:3s", one range for each axis."""
    if text is None:
        return None
    try:
        ranges = [[bound.strip().removesuffix("s") for bound in part.split(":")] for part in text.split(",")]
        return [(float(start) if start else None, float(stop) if stop else None) for start, stop in ranges]
    except ValueError as error:
        raise InputError(
            f"--crop {text} is no crop; write a range for each axis, such as 10:60,20:80 (rows, columns) or 1.5s:3s"
        ) from error


def parse_pair(text: str, option: str) -> tuple[float, float]:
    """Parse "0,-0.35", a position (y, x)."""
    try:
        y, x = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"--{option} {text} is no pair of numbers; write y,x such as 0,-0.35") from error
    return y, x


def parse_counts(text: str) -> list[int]:
    """Parse "10,100", a list of positive numbers."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--context {text} is no list of numbers; write 10,100,1000") from error
    if min(counts) < 1:
        raise InputError(f"--context {text}: each number of pixels must be at least 1")
    return counts


def parse_names(text: str | None) -> list[str] | None:
    """Parse "lon,lat", a list of names."""
    return None if text is None else [name.strip() for name in text.split(",")]


def reject_options(applies_to: str, **given: Any) -> None:
    """Raise InputError for the first option that was given although it does not apply.

    Args:
        applies_to: What the options apply to, such as "scans and meshes".
        given: Values of the options by name; None for an option that was not given.
    """
    for name, value in given.items():
        if value is not None:
            raise InputError(f"--{name.replace('_', '-')} applies only to {applies_to}")
