"""Evaluate a sound between its samples, at twelve times the sampling rate, and compare with Fourier interpolation."""

import numpy as np
from scipy.signal import resample

import sinefield as sf

RATE = 4000
"""Sampling rate of the recording, in Hz."""

FACTOR = 12
"""Ratio of the rate of the rendering to that of the recording."""


def main() -> None:
    t = np.arange(800) / RATE
    recorded = bell(t)
    field = sf.fit(sf.from_waveform(recorded[:, None], RATE, name="bell"), width=64, depth=1, steps=600)

    inside = slice(FACTOR * 2, FACTOR * 797)  # both interpolations are less accurate at the ends
    fine = (np.arange(FACTOR * 800) / (FACTOR * RATE))[inside]
    by_field = snr(bell(fine), field.at(fine[:, None])[:, 0])  # field.render(rate=48_000) renders the whole sound
    by_fourier = snr(bell(fine), resample(recorded, FACTOR * 800)[inside])
    print(f"signal-to-noise ratio at 48 kHz: {by_field:.1f} dB by the field, {by_fourier:.1f} dB by Fourier series")
    assert by_field > 45, f"the signal-to-noise ratio is {by_field:.1f} dB; expected more than 45 dB"


def bell(t: np.ndarray) -> np.ndarray:
    """Four partials that decay, the higher ones faster."""
    frequency = 220 * np.array([1, 2, 3, 4.2])[:, None]
    return (np.exp(-t * frequency / 60) * np.sin(2 * np.pi * frequency * t)).sum(axis=0) / 4


def snr(reference: np.ndarray, values: np.ndarray) -> float:
    """Signal-to-noise ratio in dB."""
    return float(10 * np.log10(np.mean(reference**2) / np.mean((values - reference) ** 2)))


if __name__ == "__main__":
    main()
