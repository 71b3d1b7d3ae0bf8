"""How fast a video moves, from the exact derivatives of its field. Run: python examples/video.py"""

import numpy as np

import sinefield as sf

VELOCITY = np.array([3.0, -5.0])
"""Along y and x, in pixels a second."""


def main() -> None:
    t, y, x = np.meshgrid(np.arange(12) / 12, np.arange(32.0), np.arange(32.0), indexing="ij")
    frames = ripples(t, y, x).astype(np.uint8)
    video = sf.from_array(frames, step=(1 / 12, 1.0, 1.0), axes=("t", "y", "x"), units=("s", "px", "px"))
    field = sf.fit(video, width=64, depth=2, steps=500)
    print(f"fit {field.info.quality['psnr_db']:.1f} dB; eight times as slow: {field.render((96, 32, 32)).shape}")

    # what moves keeps its brightness: ∂u/∂t + v · ∇u = 0 at every pixel, in the sense of least squares
    slopes = field.render(quantity="gradient").reshape(-1, 3)
    velocity = np.linalg.lstsq(slopes[:, 1:], -slopes[:, 0], rcond=None)[0]
    print(f"it moves by {velocity.round(3)} pixels a second; exact {VELOCITY}")
    off = np.linalg.norm(velocity - VELOCITY) / np.linalg.norm(VELOCITY)
    assert off < 0.03, f"the velocity is off by {off:.1%}; it should be less than 3%"


def ripples(t: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Greys that move with the velocity."""
    y, x = y - VELOCITY[0] * t, x - VELOCITY[1] * t
    return 127.5 + 60 * np.sin(0.5 * y + 0.2 * x) + 60 * np.sin(0.3 * y - 0.6 * x)


if __name__ == "__main__":
    main()
