"""A pure tone, fitted and rendered at twice its rate: what else is heard.

    python -m benchmarks.tone [--pitch 440] [--rate 44100] [--seconds 1] [--steps 300 1000]

Prints one Markdown table: where the spectrum has its peak, and the highest level anywhere else, in dB below it.
"""

from __future__ import annotations

import argparse

import numpy as np

from sinefield.signals.audio import from_waveform
from sinefield.tasks.fit import fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pitch", type=float, default=440.0)
    parser.add_argument("--rate", type=int, default=44_100)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--steps", type=int, nargs="+", default=[300, 1000])
    options = parser.parse_args()
    t = np.arange(int(options.rate * options.seconds)) / options.rate
    signal = from_waveform(0.8 * np.sin(2 * np.pi * options.pitch * t)[:, None].astype(np.float32), options.rate)
    print("| steps | ω | PSNR | peak | all else |\n| ---: | ---: | ---: | ---: | ---: |")
    for steps in options.steps:
        field = fit(signal, steps=steps)
        twice = field.render(rate=2 * options.rate)
        level = np.abs(np.fft.rfft(twice * np.blackman(len(twice))))
        frequency = np.fft.rfftfreq(len(twice), 1 / (2 * options.rate))
        peak = frequency[level.argmax()]
        other = level[np.abs(frequency - peak) > 5 / options.seconds].max() / level.max()
        made = field.made
        print(
            f"| {steps:,} | {made['omega']:g} | {made['psnr_db']:.1f} dB | {peak:.1f} Hz "
            f"| {20 * np.log10(other):.1f} dB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
