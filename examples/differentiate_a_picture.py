"""Compare the exact gradient of a fitted picture with finite differences of its pixels."""

import numpy as np

import sinefield as sf
from sinefield.signals import resize


def main() -> None:
    picture = resize(sf.read_image("camera"), 128)
    field = sf.fit(picture, width=128, steps=300)
    gradient = field.render(quantity="gradient")  # (height, width, 2): per pixel along y and along x
    differences = np.stack(np.gradient(picture.samples.astype(float)), axis=-1)
    correlation = np.corrcoef(gradient.ravel(), differences.ravel())[0, 1]
    print(f"fit {field.info.quality['psnr_db']:.1f} dB; correlation of gradient and differences {correlation:.3f}")
    print("gradient between pixels, at (40.5, 60.25):", field.gradient([40.5, 60.25]).tolist(), "gray levels per pixel")
    assert correlation > 0.9, f"the correlation is {correlation:.3f}; expected more than 0.9"


if __name__ == "__main__":
    main()
