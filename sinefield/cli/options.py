"""Arguments and options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Picture = Annotated[str, typer.Argument(help="A picture file, or a sample: camera, astronaut, coffee, chelsea, …")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A picture, sound, video, array (.npy, .npz), table (.csv, .parquet), scan or mesh (.ply, .obj, .stl, "
        ".off, .glb, .xyz), or a sample picture: camera, …",
    ),
]
FieldFile = Annotated[Path, typer.Argument(metavar="FIELD", help="A field, as `sinefield fit` writes it.")]
Size = Annotated[str | None, typer.Option(metavar="N|WxH", help="The longest side in pixels, or width x height.")]
Activation = "sine, relu, relu-pe, rbf, tanh, softplus, gaussian, finer or wire"
Width = Annotated[int | None, typer.Option(min=1, help="Units in a hidden layer; 256 unless given.")]
Depth = Annotated[int | None, typer.Option(min=0, help="Hidden layers after the first; 3 unless given.")]
FieldOut = Annotated[Path | None, typer.Option("-o", "--output", help="The field; NAME.safetensors unless given.")]
Omega = Annotated[
    str, typer.Option(metavar="auto|ω", help="ω of the first layer; auto is by the spectrum and the sampling rate.")
]
OmegaOfDerivatives = Annotated[str, typer.Option(metavar="auto|ω", help="ω of the first layer; auto is 60.")]
Recipe = Annotated[
    str,
    typer.Option(
        help="default; natural: for measurements of something smooth; small: for pictures of a thousand pixels; "
        "paper: the official code to the letter."
    ),
]
Gray = Annotated[bool, typer.Option("--grey", help="Make a colour picture grey first.")]
Checkpoint = Annotated[Path | None, typer.Option(metavar="DIR", help="Save the whole state there now and then.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the state in --checkpoint.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Stop after so many steps.")]
Seconds = Annotated[float | None, typer.Option(help="Stop after so many seconds.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of weights, batches and what is held out.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, as the last line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and the JSON if that is asked.")]
