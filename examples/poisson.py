"""Reconstruct a picture from its gradient alone."""

import sinefield as sf
from sinefield.signals import resize


def main() -> None:
    picture = resize(sf.read_image("camera"), 64)
    field = sf.reconstruct(picture, "gradient", width=128, steps=200)
    quality = field.info.quality
    print(f"gradient {quality['gradient_psnr_db']:.1f} dB, picture {quality['psnr_db']:.1f} dB")
    assert quality["psnr_db"] > 22, f"the picture has {quality['psnr_db']:.1f} dB; expected more than 22 dB"


if __name__ == "__main__":
    main()
