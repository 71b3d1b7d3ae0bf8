"""A sound between its samples, at twelve times its rate. Run: python examples/sound.py"""

import numpy as np
from scipy.signal import resample

import sinefield as sf

RATE, FINER = 4000, 12
"""Samples a second that are seen, and how many times as many are wanted."""


def main() -> None:
    t = np.arange(800) / RATE
    recorded = bell(t)
    field = sf.fit(sf.from_waveform(recorded[:, None], RATE, name="bell"), width=64, depth=1, steps=600)

    between = np.arange(FINER * 2, FINER * 797) / (FINER * RATE)
    found = field.at(between[:, None])  # field.render(rate=48_000) is all of it
    fourier = resample(recorded, FINER * 800)[FINER * 2 : FINER * 797]
    by_field, by_fourier = decibels(bell(between), found), decibels(bell(between), fourier)
    print(f"signal to noise at 48 kHz: {by_field:.1f} dB by the field, {by_fourier:.1f} dB by Fourier's series")
    assert by_field > 45, f"the sound between its samples has {by_field:.1f} dB; it should be more than 45"


def bell(t: np.ndarray) -> np.ndarray:
    """Four partials that fade, the higher the sooner."""
    pitch = 220 * np.array([1, 2, 3, 4.2])[:, None]
    return (np.exp(-t * pitch / 60) * np.sin(2 * np.pi * pitch * t)).sum(axis=0) / 4


def decibels(reference: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(reference**2) / np.mean((found - reference) ** 2)))


if __name__ == "__main__":
    main()
