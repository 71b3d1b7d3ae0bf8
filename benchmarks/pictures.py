"""The default recipe over pictures: PSNR after so many passes over the pixels, and ω as it was chosen.

    python -m benchmarks.pictures PICTURE … [--size 512] [--passes 100] [--seed 0]

Pictures are paths or names of samples, in their colours, cropped to their middle. Prints one Markdown
table and the mean.
"""

from __future__ import annotations

import argparse

from sinefield.signals import Signal, read_image
from sinefield.signals.image import from_pixels
from sinefield.tasks.fit import fit
from sinefield.training.recipes import RECIPES


def middle(signal: Signal, size: int) -> Signal:
    """At most so many rows and columns about the middle of a picture."""
    top, left = (max(n - size, 0) // 2 for n in signal.header.shape)
    pixels = signal.values[top : top + size, left : left + size]
    return from_pixels(pixels, "".join(signal.header.channels) or "L", signal.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--passes", type=float, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| picture | ω | steps | time | PSNR | SSIM |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    reached = []
    for name in options.pictures:
        signal = middle(read_image(name), options.size)
        steps = round(options.passes * signal.size / RECIPES["default"].samples(signal.size))
        field = fit(signal, steps=steps, seed=options.seed)
        made = field.made
        reached.append(made["psnr_db"])
        print(
            f"| {signal.name} | {field.network.omega_first:g} | {steps:,} | {made['seconds']:.0f} s "
            f"| {made['psnr_db']:.2f} dB | {made['ssim']:.3f} |",
            flush=True,
        )
    print(f"\nmean {sum(reached) / len(reached):.2f} dB")


if __name__ == "__main__":
    main()
