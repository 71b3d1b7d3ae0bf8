"""Between the pixels: a picture is fitted on its even rows and columns, and judged on all the others.

    python -m benchmarks.between PICTURE … [--size 512] [--steps 1000] [--omega 30 …]

Pictures are paths or names of samples; their middle is taken, in grey. Prints one Markdown table: PSNR in dB of the
pixels that were fitted, of those between them, and of cubic convolution (Keys 1981) of the same pixels; the default
recipe, and the same with other ω.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.pictures import middle
from sinefield.metrics import psnr
from sinefield.signals import gray, read_image
from sinefield.signals.image import from_pixels
from sinefield.tasks.fit import fit


def bicubic(pixels: np.ndarray) -> np.ndarray:
    """Twice as many rows and columns; the given ones are the even ones."""
    for _ in range(2):
        padded = np.pad(pixels, ((1, 2), (0, 0)), mode="symmetric")
        between = (-padded[:-3] + 9 * padded[1:-2] + 9 * padded[2:-1] - padded[3:]) / 16
        pixels = np.stack([pixels, between], axis=1).reshape(-1, pixels.shape[1]).T
    return pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--omega", type=float, nargs="*", default=[30.0])
    options = parser.parse_args()
    others = "".join(f" ω {omega:g}: fitted | between |" for omega in options.omega)
    print(f"| picture | bicubic | ω auto | fitted | between |{others}")
    print("| --- |" + " ---: |" * (4 + 2 * len(options.omega)))
    for name in options.pictures:
        reference = gray(middle(read_image(name), options.size)).samples.astype(float)
        unseen = np.ones(reference.shape, bool)
        unseen[::2, ::2] = unseen[-1] = unseen[:, -1] = False  # nothing lies beyond the last row and column
        even = from_pixels(reference[::2, ::2, None].astype(np.uint8), "L", name)

        def quality(values: np.ndarray, reference: np.ndarray = reference, unseen: np.ndarray = unseen) -> float:
            return psnr(np.square((values.clip(0, 255) - reference)[unseen] / 127.5).mean())

        cells = [f"{quality(bicubic(reference[::2, ::2])):.2f}"]
        for omega in (None, *options.omega):
            field = fit(even, omega=omega, steps=options.steps)
            y, x = (np.arange(options.size) / 2.0,) * 2
            points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
            values = np.concatenate([field(part).numpy() for part in np.array_split(points, 32)]).reshape(
                reference.shape
            )
            cells += [f"{field.network.omega_first:g}"] if omega is None else []
            cells += [f"{field.info.quality['psnr_db']:.2f}", f"{quality(values):.2f}"]
        print(f"| {even.name.rsplit('/', 1)[-1]} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
