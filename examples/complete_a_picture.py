"""Complete pictures from a tenth of their pixels, with a prior that was fitted to similar pictures."""

import numpy as np
from scipy.interpolate import NearestNDInterpolator

import sinefield as sf

SIZE = 16
"""Side of the pictures, in pixels."""


def main() -> None:
    random = np.random.default_rng(0)
    config = sf.PriorConfig(SIZE, width=32, depth=1, latent=16, features=16, halvings=2)
    prior = sf.fit_prior(discs(400, random), config, steps=200)

    test, known = discs(20, random), random.random((SIZE, SIZE)) < 0.1
    pictures = [test.signal(index) for index in range(len(test))]
    completed = [sf.inpaint(prior, picture, known, refine=50).render() for picture in pictures]
    nearest = [
        NearestNDInterpolator(np.argwhere(known), picture.samples[known])(*np.indices(known.shape))
        for picture in pictures
    ]
    reference = [picture.samples for picture in pictures]
    by_prior, by_nearest = rms(completed, reference), rms(nearest, reference)
    print(f"{known.sum()} of {known.size} pixels are known")
    print(f"rms error in gray levels: {by_prior:.1f} by the prior, {by_nearest:.1f} by the nearest known pixel")
    assert by_prior < 25, f"the rms error is {by_prior:.1f} gray levels; expected less than 25"


def discs(count: int, random: np.random.Generator) -> sf.ImageDataset:
    """White discs with soft edges, random centers and random radii."""
    row, column = np.indices((SIZE, SIZE)) / (SIZE - 1)
    y, x, radius = (low + span * random.random((count, 1, 1)) for low, span in ((0.2, 0.6), (0.2, 0.6), (0.15, 0.2)))
    white = 1 / (1 + np.exp(20 * (np.hypot(row - y, column - x) - radius)))
    return sf.ImageDataset(np.uint8(255 * white)[..., None], tuple(map(str, range(count))))


def rms(pictures: list[np.ndarray], reference: list[np.ndarray]) -> float:
    return float(np.sqrt(np.mean((np.array(pictures, dtype=float) - np.array(reference)) ** 2)))


if __name__ == "__main__":
    main()
