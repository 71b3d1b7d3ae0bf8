"""Quality between the pixels: a picture is fitted on its even rows and columns and evaluated on the other pixels.

    python -m benchmarks.between PICTURE … [--size 512] [--steps 1000] [--omega 30 …]

The center of each picture is used, in grayscale. Prints one Markdown table: the PSNR in dB at the pixels that were
fitted and at those between them, with the ω that the default recipe chooses and with others, and the PSNR of cubic
convolution (Keys 1981) of the same pixels.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures import center
from sinefield.metrics import psnr
from sinefield.signals import gray, read_image
from sinefield.signals.image import from_pixels
from sinefield.tasks.fit import fit


def bicubic(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return twice as many rows and columns by cubic convolution; the given ones are the even ones."""
    for _ in range(2):
        padded = np.pad(pixels, ((1, 2), (0, 0)), mode="symmetric")
        between = (-padded[:-3] + 9 * padded[1:-2] + 9 * padded[2:-1] - padded[3:]) / 16
        pixels = np.stack([pixels, between], axis=1).reshape(-1, pixels.shape[1]).T
    return pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", help="picture files or names of sample pictures")
    parser.add_argument("--size", type=int, default=512, help="rows and columns of the part that is used")
    parser.add_argument("--steps", type=int, default=1000, help="steps of each fit")
    parser.add_argument("--omega", type=float, nargs="*", default=[30.0], help="ω of the first layer of more fits")
    options = parser.parse_args()
    others = "".join(f" ω {omega:g}: fitted | between |" for omega in options.omega)
    print(f"| picture | bicubic | ω auto | fitted | between |{others}")
    print("| --- |" + " ---: |" * (4 + 2 * len(options.omega)))
    for name in options.pictures:
        reference = gray(center(read_image(name), options.size)).samples.astype(float)
        between = np.ones(reference.shape, bool)
        # the last row and column have no fitted pixels beyond them
        between[::2, ::2] = between[-1] = between[:, -1] = False
        even = from_pixels(reference[::2, ::2, None].astype(np.uint8), "L", name)
        coords = np.stack(np.meshgrid(*(np.arange(n) / 2.0 for n in reference.shape), indexing="ij"), axis=-1)

        def quality(values: NDArray[Any], reference: NDArray[Any] = reference, mask: NDArray[Any] = between) -> str:
            return f"{psnr(np.square((values.clip(0, 255) - reference)[mask] / 127.5).mean()):.2f}"

        cells = [quality(bicubic(reference[::2, ::2]))]
        for omega in (None, *options.omega):
            field = fit(even, omega=omega, steps=options.steps)
            cells += [f"{field.network.omega_first:g}"] if omega is None else []
            cells += [f"{field.info.quality['psnr_db']:.2f}", quality(field(coords)[..., 0])]
        print(f"| {even.name.rsplit('/', 1)[-1]} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
