"""A picture from its gradient alone. Run: python examples/poisson.py"""

import sinefield as sf
from sinefield.signals import resize


def main() -> None:
    picture = resize(sf.read_image("camera"), 64)
    field = sf.reconstruct(picture, "gradient", width=128, steps=200)
    psnr = field.info.quality["psnr_db"]
    print(f"gradient {field.info.quality['gradient_psnr_db']:.1f} dB, picture {psnr:.1f} dB")
    assert psnr > 22, f"the picture has {psnr:.1f} dB; it should have more than 22"


if __name__ == "__main__":
    main()
