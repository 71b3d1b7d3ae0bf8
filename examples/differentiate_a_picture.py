"""A picture's exact derivatives, beside the differences of its pixels."""

import numpy as np

import sinefield as sf
from sinefield.signals import resize


def main() -> None:
    picture = resize(sf.read_image("camera"), 128)
    field = sf.fit(picture, width=128, steps=300)
    slopes = field.render(quantity="gradient")  # (height, width, 2): per pixel, along y and along x
    rough = np.stack(np.gradient(picture.samples.astype(float)), axis=-1)
    agreement = np.corrcoef(slopes.ravel(), rough.ravel())[0, 1]
    print(f"fit {field.info.quality['psnr_db']:.1f} dB; exact slopes and differences correlate by {agreement:.3f}")
    print("at (40.5, 60.25), between pixels:", field.gradient([40.5, 60.25]).tolist(), "grey levels per pixel")
    assert agreement > 0.9, f"exact slopes and differences correlate by {agreement:.3f}; it should be more than 0.9"


if __name__ == "__main__":
    main()
