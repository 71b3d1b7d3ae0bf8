"""PSNR against its closed form, SSIM against scikit-image."""

import math

import numpy as np
import pytest

from sinefield.metrics import psnr, ssim


def pictures(shape, dtype, peak):
    """A random picture, and the same picture with noise."""
    random = np.random.default_rng(0)
    reference = peak * random.random(shape)
    estimate = np.clip(reference + 0.1 * peak * random.standard_normal(shape), 0, peak)
    return reference.astype(dtype), estimate.astype(dtype)


@pytest.mark.parametrize("shape", [(40, 33, 1), (40, 33, 3), (7, 12, 3), (7, 7, 1)])
@pytest.mark.parametrize(("dtype", "peak"), [("float64", 1.0), ("float64", 2.0), ("uint8", 255), ("uint16", 65535)])
def test_ssim_equals_that_of_scikit_image(shape, dtype, peak):
    metrics = pytest.importorskip("skimage.metrics")
    reference, estimate = pictures(shape, dtype, peak)
    expected = metrics.structural_similarity(
        reference.astype(float), estimate.astype(float), data_range=peak, channel_axis=-1
    )
    assert ssim(reference, estimate, peak) == pytest.approx(expected, abs=1e-10)
    assert expected < 0.999


def test_ssim_of_a_picture_with_itself_is_one():
    picture, _ = pictures((20, 20, 3), "float64", 1.0)
    assert ssim(picture, picture, 1.0) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("shape", [(6, 20, 1), (20, 6, 3)])
def test_ssim_is_undefined_for_a_picture_smaller_than_the_window(shape):
    assert ssim(*pictures(shape, "float64", 1.0), 1.0) is None


@pytest.mark.parametrize("peak", [1.0, 2.0, 255.0])
def test_psnr_of_a_known_error(peak):
    reference, estimate = pictures((20, 20, 3), "float64", peak)
    mse = np.mean((reference - estimate) ** 2)
    assert psnr(mse, peak) == pytest.approx(20 * math.log10(peak / math.sqrt(mse)), abs=1e-10)
    assert psnr(peak**2, peak) == 0
    assert psnr(peak**2 / 1000, peak) == pytest.approx(30)


def test_psnr_of_no_error_and_of_an_infinite_one():
    assert psnr(0.0) == math.inf
    assert psnr(math.inf) == -math.inf
