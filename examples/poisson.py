"""A picture from its gradient alone. Run: python examples/poisson.py"""

import sinefield as sf
from sinefield.signals import resized


def main(steps: int = 300, size: int = 96) -> float:
    """Reconstruct the sample picture `camera`; returns the PSNR of the picture in dB."""
    picture = resized(sf.read_image("camera"), size)
    field = sf.reconstruct(picture, "gradient", steps=steps)
    print(f"gradient {field.made['gradient_psnr_db']:.1f} dB, picture {field.made['psnr_db']:.1f} dB")
    return field.made["psnr_db"]


if __name__ == "__main__":
    main()
