"""Pictures from a tenth of their pixels, by a space of such pictures. Run: python examples/complete_a_picture.py"""

import numpy as np
from scipy.interpolate import NearestNDInterpolator

import sinefield as sf

SIZE = 16


def main() -> None:
    random = np.random.default_rng(0)
    config = sf.PriorConfig(SIZE, width=32, depth=1, latent=16, features=16, halvings=2)
    prior = sf.learn(dataset(400, random), config, steps=200)

    new, seen = dataset(20, random), random.random((SIZE, SIZE)) < 0.1
    pictures = [new.signal(index) for index in range(len(new))]
    whole = [sf.inpaint(prior, picture, seen, refine=50).render() for picture in pictures]
    nearest = [
        NearestNDInterpolator(np.argwhere(seen), each.samples[seen])(*np.indices(seen.shape)) for each in pictures
    ]
    by_prior, by_nearest = (rms(found, [each.samples for each in pictures]) for found in (whole, nearest))
    print(
        f"{seen.sum()} of {seen.size} pixels seen; off by {by_prior:.1f} greys, the nearest pixel by {by_nearest:.1f}"
    )
    assert by_prior < 25, f"the pictures are off by {by_prior:.1f} greys; it should be less than 25"


def dataset(count: int, random: np.random.Generator) -> sf.ImageDataset:
    """Soft white discs of any place and size."""
    row, column = np.indices((SIZE, SIZE)) / (SIZE - 1)
    y, x, radius = (low + span * random.random((count, 1, 1)) for low, span in ((0.2, 0.6), (0.2, 0.6), (0.15, 0.2)))
    white = 1 / (1 + np.exp(20 * (np.hypot(row - y, column - x) - radius)))
    return sf.ImageDataset(np.uint8(255 * white)[..., None], tuple(map(str, range(count))))


def rms(found: list[np.ndarray], reference: list[np.ndarray]) -> float:
    return float(np.sqrt(np.mean((np.array(found, dtype=float) - np.array(reference)) ** 2)))


if __name__ == "__main__":
    main()
