"""PSNR of pictures with the default recipe after a number of passes over the pixels, and the ω that it chooses.

    python -m benchmarks.pictures PICTURE … [--size 512] [--passes 100] [--seed 0]

The center of each picture is used, in color. Prints one Markdown table and the mean PSNR.
"""

from __future__ import annotations

import argparse

from sinefield.signals import Signal, read_image
from sinefield.signals.image import from_pixels
from sinefield.tasks.fit import fit
from sinefield.training.recipes import DEFAULT


def center(signal: Signal, size: int) -> Signal:
    """Return the center of a picture, with at most `size` rows and columns."""
    top, left = (max(n - size, 0) // 2 for n in signal.header.shape)
    pixels = signal.values[top : top + size, left : left + size]
    return from_pixels(pixels, "".join(signal.header.channels) or "L", signal.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", help="picture files or names of sample pictures")
    parser.add_argument("--size", type=int, default=512, help="rows and columns of the part that is used")
    parser.add_argument("--passes", type=float, default=100, help="passes over the pixels")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and batches")
    options = parser.parse_args()
    print("| picture | ω | steps | time | PSNR | SSIM |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    qualities = []
    for name in options.pictures:
        signal = center(read_image(name), options.size)
        steps = round(options.passes * signal.size / DEFAULT.batch_size(signal.size))
        field = fit(signal, steps=steps, seed=options.seed)
        quality = field.info.quality
        qualities.append(quality["psnr_db"])
        print(
            f"| {signal.name} | {field.network.omega_first:g} | {steps:,} | {field.info.seconds:.0f} s "
            f"| {quality['psnr_db']:.2f} dB | {quality['ssim']:.3f} |",
            flush=True,
        )
    print(f"\nmean PSNR {sum(qualities) / len(qualities):.2f} dB")


if __name__ == "__main__":
    main()
