"""Time and memory to fit and to render a picture of 400 million pixels, stored as a compressed TIFF.

    python -m benchmarks.giant FOLDER [--size 20000] [--bands 3] [--seconds 60] [--width 64] [--rows 20000]

Makes the picture in FOLDER if it is missing, fits it, and renders the first rows to another TIFF, each in a separate
process. Prints one Markdown table with the peak resident memory, which includes pages of memory-mapped files that the
system can reclaim.
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
"""Rows of the picture that are made at once."""


def make(options: argparse.Namespace) -> str:
    """Write the picture to a TIFF."""
    from sinefield.signals.tiff import write_tiff

    shape, mode = (options.size, options.size), {1: "L", 3: "RGB"}[options.bands]
    write_tiff(path := options.folder / "giant.tif", blocks(options.size, options.bands), shape, mode)
    return f"{options.size:,} × {options.size:,} × {options.bands}, {path.stat().st_size / 1e6:,.0f} MB on disk"


def fit(options: argparse.Namespace) -> str:
    """Fit the picture and save the field."""
    from sinefield.signals import read_image
    from sinefield.tasks.fit import fit

    start = time.perf_counter()
    signal = read_image(options.folder / "giant.tif")
    read = time.perf_counter() - start
    field = fit(signal, seconds=options.seconds, width=options.width)
    field.save(options.folder / "giant.safetensors")
    return f"read in {read:.1f} s, {field.info.steps:,} steps, {field.info.quality['psnr_db']:.2f} dB"


def render(options: argparse.Namespace) -> str:
    """Render the first rows of the field to a TIFF."""
    from sinefield.field.evaluate import window
    from sinefield.field.field import load
    from sinefield.signals.image import write_pixels

    field = load(options.folder / "giant.safetensors")
    domain, shape = window(field.header, crop=[(0, options.rows), (None, None)])
    height, width = shape
    write_pixels(path := options.folder / "render.tif", field.stream(domain, shape), (height, width), field.header)
    return f"{height:,} × {width:,}, {path.stat().st_size / 1e6:,.0f} MB on disk"


STEPS = {"make": make, "fit": fit, "render": render}
"""Functions that do a step and describe the result, by the name of the step."""


def blocks(size: int, bands: int) -> Iterator[Any]:
    """Yield the pixels (n, bands) of consecutive rows: waves of 1 to 100 periods per picture, and 24 discs."""
    import numpy as np

    random = np.random.default_rng(0)
    cycles = np.geomspace(1, 100, 8)
    frequencies = random.uniform(-2 * np.pi, 2 * np.pi, (2, bands, len(cycles))) * cycles / size
    discs = [
        (*random.uniform(0, size, 2), random.uniform(0.02, 0.1) * size, random.uniform(64, 192)) for _ in range(24)
    ]
    x = np.arange(size, dtype=np.float32)
    for top in range(0, size, BLOCK):
        y = np.arange(top, min(top + BLOCK, size), dtype=np.float32)
        waves = [
            (60 / cycles**0.5 * np.sin(np.outer(y, vertical))).astype(np.float32) @ np.sin(np.outer(horizontal, x))
            for vertical, horizontal in zip(*frequencies.astype(np.float32), strict=True)
        ]
        block = np.clip(128 + np.stack(waves, axis=-1), 0, 255).astype(np.uint8)
        for row, column, radius, value in discs:
            if y[0] - radius < row < y[-1] + radius:
                block[np.square(y - row)[:, None] + np.square(x - column) < radius**2] = value
        yield block.reshape(-1, bands)


def peak() -> float:
    """Return the peak resident memory of this process and of those that it started, in MB."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the picture, the field and the rendering")
    parser.add_argument("--size", type=int, default=20_000, help="rows and columns of the picture")
    parser.add_argument("--bands", type=int, choices=(1, 3), default=3, help="1 for grayscale, 3 for color")
    parser.add_argument("--seconds", type=float, default=60.0, help="time of the fit in seconds")
    parser.add_argument("--width", type=int, default=64, help="units in a hidden layer")
    parser.add_argument("--rows", type=int, help="number of rows to render (default: all)")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rows = options.rows or options.size
    if options.step is not None:
        start = time.perf_counter()
        result = STEPS[options.step](options)
        print(f"| {options.step} | {result} | {time.perf_counter() - start:.1f} s | {peak():,.0f} MB |", flush=True)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    print("| step | result | time | peak memory |\n| --- | --- | ---: | ---: |", flush=True)
    for step in STEPS:
        if step != "make" or not (options.folder / "giant.tif").exists():
            # the peak of a new process starts at that of its parent, so this process imports little
            subprocess.run([sys.executable, "-m", "benchmarks.giant", *sys.argv[1:], "--step", step], check=True)


if __name__ == "__main__":
    main()
