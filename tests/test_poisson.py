"""A picture from its derivatives: against the picture, and against spectral integration of the same estimate."""

import numpy as np
import pytest

import sinefield as sf
from sinefield.errors import InputError
from sinefield.signals import estimate_gradient, grey
from sinefield.signals.image import from_pixels


def blobs(height=40, width=56):
    y, x = np.mgrid[:height, :width]
    value = 120 + 60 * np.sin(x / 6) * np.cos(y / 9) + 40 * np.exp(-((x - 40) ** 2 + (y - 12) ** 2) / 60)
    return from_pixels(value.astype(np.uint8)[..., None], "L", "blobs")


def integrated(gradient):
    """The function whose spectral gradient is closest to a sampled one, mirrored at the edges; up to a constant."""
    parts = []
    for axis in (0, 1):
        part = gradient[..., axis]
        signs = [(-1 if axis == 0 else 1), (-1 if axis == 1 else 1)]
        part = np.concatenate([part, signs[0] * part[::-1]], axis=0)
        parts.append(np.fft.fft2(np.concatenate([part, signs[1] * part[:, ::-1]], axis=1)))
    ky, kx = (2 * np.pi * np.fft.fftfreq(n) for n in parts[0].shape)
    ky, kx = ky[:, None], kx[None]
    square = ky**2 + kx**2
    square[0, 0] = 1
    spectrum = (-1j * ky * parts[0] - 1j * kx * parts[1]) / square
    return np.fft.ifft2(spectrum).real[: gradient.shape[0], : gradient.shape[1]]


def test_the_gradient_gives_the_picture_back_at_its_own_scale():
    signal = blobs()
    field = sf.reconstruct(signal, width=64, depth=2, omega=15, steps=500)
    assert field.made["gradient_psnr_db"] > 35
    assert field.made["psnr_db"] > 30
    truth = integrated(estimate_gradient(signal).values)
    found = field.render().astype(float)
    difference = (found - found.mean()) - (truth - truth.mean())
    assert np.sqrt(np.square(difference).mean()) < 0.05 * np.ptp(signal.values)
    assert found.mean() == pytest.approx(signal.values.mean(), abs=1.0)


def test_the_laplacian_is_learnt():
    field = sf.reconstruct(blobs(), "laplacian", width=64, depth=2, omega=15, steps=800)
    assert field.made["laplacian_psnr_db"] > 25
    assert "gradient_psnr_db" not in field.made


def test_colours_are_reconstructed_together():
    values = np.concatenate([blobs().values, blobs().values[::-1], 255 - blobs().values], -1)
    field = sf.reconstruct(from_pixels(values, "RGB"), width=64, depth=2, omega=15, steps=300)
    assert field.render().shape == (40, 56, 3)
    assert field.made["gradient_psnr_db"] > 25


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="zero everywhere"):
        sf.reconstruct(blobs(), "laplacian", activation="relu", steps=1)
    with pytest.raises(InputError, match="curl"):
        sf.reconstruct(blobs(), "curl", steps=1)
    with pytest.raises(InputError, match="choose from sobel"):
        sf.reconstruct(blobs(), stencil="magic", steps=1)


def test_grey_is_pillows_luma():
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    ours = grey(from_pixels(colours, "RGB")).samples.astype(int)
    assert np.abs(ours - np.asarray(Image.fromarray(colours).convert("L"))).max() <= 1
    with pytest.raises(InputError, match="RGB"):
        grey(from_pixels(np.zeros((3, 3, 4), np.uint8), "CMYK"))
