"""Estimate the velocity of a moving pattern from the exact derivatives of a fitted video."""

import numpy as np

import sinefield as sf

VELOCITY = np.array([3.0, -5.0])
"""Velocity along y and x, in pixels per second."""


def main() -> None:
    t, y, x = np.meshgrid(np.arange(12) / 12, np.arange(32.0), np.arange(32.0), indexing="ij")
    frames = waves(t, y, x).astype(np.uint8)
    video = sf.from_array(frames, step=(1 / 12, 1.0, 1.0), axes=("t", "y", "x"), units=("s", "px", "px"))
    field = sf.fit(video, width=64, depth=2, steps=500)
    slow_motion = field.render((96, 32, 32))
    print(f"fit {field.info.quality['psnr_db']:.1f} dB; rendered at eight times the frame rate: {slow_motion.shape}")

    # Least-squares fit of the brightness constancy ∂u/∂t + v · ∇u = 0 at all pixels.
    slopes = field.render(quantity="gradient").reshape(-1, 3)
    velocity = np.linalg.lstsq(slopes[:, 1:], -slopes[:, 0], rcond=None)[0]
    print(f"velocity {velocity.round(3)} pixels per second, exact {VELOCITY}")
    error = np.linalg.norm(velocity - VELOCITY) / np.linalg.norm(VELOCITY)
    assert error < 0.03, f"the velocity is off by {error:.1%}; expected less than 3%"


def waves(t: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gray levels of two plane waves that move with the velocity."""
    y, x = y - VELOCITY[0] * t, x - VELOCITY[1] * t
    return 127.5 + 60 * np.sin(0.5 * y + 0.2 * x) + 60 * np.sin(0.3 * y - 0.6 * x)


if __name__ == "__main__":
    main()
