"""A picture's exact derivatives, beside the differences of its pixels."""

import numpy as np

import sinefield as sf
from sinefield.signals import resized


def main(steps: int = 300, size: int = 128) -> float:
    """Fit the sample picture `camera`; returns the correlation of its exact slopes with central differences."""
    picture = resized(sf.read_image("camera"), size)
    field = sf.fit(picture, steps=steps)
    slopes = field.render(layer="gradient")  # (height, width, 2): per pixel, along y and along x
    rough = np.stack(np.gradient(picture.samples.astype(float)), axis=-1)
    agreement = float(np.corrcoef(slopes.ravel(), rough.ravel())[0, 1])
    print(f"fit {field.made['psnr_db']:.1f} dB; exact slopes and differences correlate by {agreement:.3f}")
    print("at (40.5, 60.25), between pixels:", field.gradient([40.5, 60.25]).tolist(), "grey levels per pixel")
    return agreement


if __name__ == "__main__":
    main()
