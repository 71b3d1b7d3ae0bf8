"""Spectral purity of a tone that is fitted and rendered at twice its sampling rate.

    python -m benchmarks.tone [--pitch 440] [--rate 44100] [--seconds 1] [--steps 300 1000]

Prints one Markdown table: the frequency of the peak of the spectrum, and the highest level at other frequencies in dB
relative to the peak.
"""

from __future__ import annotations

import argparse

import numpy as np

from sinefield.signals.audio import from_waveform
from sinefield.tasks.fit import fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pitch", type=float, default=440.0, help="frequency of the tone in Hz")
    parser.add_argument("--rate", type=int, default=44_100, help="sampling rate in Hz")
    parser.add_argument("--seconds", type=float, default=1.0, help="duration of the tone in seconds")
    parser.add_argument("--steps", type=int, nargs="+", default=[300, 1000], help="steps of each fit")
    options = parser.parse_args()
    t = np.arange(int(options.rate * options.seconds)) / options.rate
    signal = from_waveform(0.8 * np.sin(2 * np.pi * options.pitch * t)[:, None].astype(np.float32), options.rate)
    print("| steps | ω | PSNR | peak | highest other level |\n| ---: | ---: | ---: | ---: | ---: |")
    for steps in options.steps:
        field = fit(signal, steps=steps)
        samples = field.render(rate=2 * options.rate)
        level = np.abs(np.fft.rfft(samples * np.blackman(len(samples))))
        frequency = np.fft.rfftfreq(len(samples), 1 / (2 * options.rate))
        peak = frequency[level.argmax()]
        other = level[np.abs(frequency - peak) > 5 / options.seconds].max() / level.max()
        info = field.info
        print(
            f"| {steps:,} | {info.settings['omega']:g} | {info.quality['psnr_db']:.1f} dB | {peak:.1f} Hz "
            f"| {20 * np.log10(other):.1f} dB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
