"""A picture of 400 million pixels as a compressed TIFF: how long and how much memory to fit and to render it.

    python -m benchmarks.giant FOLDER [--size 20000] [--bands 3] [--seconds 60] [--width 64] [--rows 20000]

Makes the picture in FOLDER unless it is there, fits it, and renders so many of its rows to another TIFF; each in a
process of its own. Prints a Markdown table with the peak of resident memory, in which the pages of a mapped file count
that the system could take back.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 512


def make(options: argparse.Namespace) -> str:
    from sinefield.signals.tiff import write_tiff

    shape, mode = (options.size, options.size), {1: "L", 3: "RGB"}[options.bands]
    write_tiff(path := options.folder / "giant.tif", blocks(options.size, options.bands), shape, mode)
    return f"{options.size:,} × {options.size:,} × {options.bands}, {path.stat().st_size / 1e6:,.0f} MB on disk"


def fit(options: argparse.Namespace) -> str:
    from sinefield.signals import read_image
    from sinefield.tasks.fit import fit

    start = time.perf_counter()
    signal = read_image(options.folder / "giant.tif")
    read = time.perf_counter() - start
    field = fit(signal, seconds=options.seconds, width=options.width)
    field.save(options.folder / "giant.safetensors")
    return f"read in {read:.1f} s, {field.info.steps:,} steps, {field.info.quality['psnr_db']:.2f} dB"


def render(options: argparse.Namespace) -> str:
    from sinefield.field.evaluate import window
    from sinefield.field.field import load
    from sinefield.signals.image import write_pixels

    field = load(options.folder / "giant.safetensors")
    domain, (height, width) = window(field.header, crop=[(0, options.rows), (None, None)])
    write_pixels(
        path := options.folder / "render.tif", field.stream(domain, (height, width)), (height, width), field.header
    )
    return f"{height:,} × {width:,}, {path.stat().st_size / 1e6:,.0f} MB on disk"


STEPS = {"make": make, "fit": fit, "render": render}


def blocks(size: int, bands: int) -> Iterator[Any]:
    """Consecutive rows of pixels (n, bands): ripples from the picture's own length to a hundredth of it, and discs."""
    import numpy as np

    random = np.random.default_rng(0)
    cycles = np.geomspace(1, 100, 8)
    turns = random.uniform(-2 * np.pi, 2 * np.pi, (2, bands, len(cycles))) * cycles / size
    discs = [
        (*random.uniform(0, size, 2), random.uniform(0.02, 0.1) * size, random.uniform(64, 192)) for _ in range(24)
    ]
    x = np.arange(size, dtype=np.float32)
    for top in range(0, size, BLOCK):
        y = np.arange(top, min(top + BLOCK, size), dtype=np.float32)
        ripples = [
            (60 / cycles**0.5 * np.sin(np.outer(y, down))).astype(np.float32) @ np.sin(np.outer(across, x))
            for down, across in zip(*turns.astype(np.float32), strict=True)
        ]
        block = np.clip(128 + np.stack(ripples, axis=-1), 0, 255).astype(np.uint8)
        for row, column, radius, value in discs:
            if y[0] - radius < row < y[-1] + radius:
                block[np.square(y - row)[:, None] + np.square(x - column) < radius**2] = value
        yield block.reshape(-1, bands)


def peak() -> float:
    """The most resident memory of this process and of those that it started, in MB."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--bands", type=int, choices=(1, 3), default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--rows", type=int, help="how many to render; all unless given")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rows = options.rows or options.size
    if options.step is not None:
        start = time.perf_counter()
        what = STEPS[options.step](options)
        print(f"| {options.step} | {what} | {time.perf_counter() - start:.1f} s | {peak():,.0f} MB |", flush=True)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    print("| step | | time | peak memory |\n| --- | --- | ---: | ---: |", flush=True)
    for step in STEPS:
        if step != "make" or not (options.folder / "giant.tif").exists():
            # started from here, where little is loaded: a process begins with the peak of the one that starts it
            subprocess.run([sys.executable, "-m", "benchmarks.giant", *sys.argv[1:], "--step", step], check=True)


if __name__ == "__main__":
    main()
