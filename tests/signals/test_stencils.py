"""Derivatives of samples against closed forms and scipy."""

import numpy as np
import pytest
from scipy import ndimage

from sinefield.errors import InputError
from sinefield.signals import estimate_gradient, estimate_laplacian, from_array, line_integrals

HY, HX = 0.5, 0.1
Y, X = np.meshgrid(np.arange(30) * HY, np.arange(50) * HX, indexing="ij")
INNER = (slice(3, -3), slice(3, -3))


def signal(values):
    return from_array(values, step=(HY, HX), axes=("y", "x"), units=("m", "s"))


@pytest.mark.parametrize("stencil", ["sobel", "central", "fourth"])
def test_a_quadratic_has_its_exact_gradient_per_unit(stencil):
    slope = estimate_gradient(signal(3 * Y + 2 * X**2), stencil).values
    assert np.allclose(slope[INNER][..., 0], 3.0)
    assert np.allclose(slope[INNER][..., 1], 4 * X[INNER])


@pytest.mark.parametrize(("stencil", "order"), [("cross", 2), ("fourth", 4)])
def test_the_laplacian_has_its_order_of_accuracy(stencil, order):
    errors = []
    for n in (20, 40):
        x = np.linspace(0, 2, n)
        field = from_array(np.sin(3 * x), step=(x[1],))
        errors.append(np.abs(estimate_laplacian(field, stencil).values[5:-5, 0] + 9 * np.sin(3 * x)[5:-5]).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.4)


def test_sobel_is_scipys_over_eight():
    picture = np.random.default_rng(0).random((9, 11))
    ours = estimate_gradient(from_array(picture)).values
    assert np.allclose(ours[..., 0], ndimage.sobel(picture, axis=0) / 8)
    assert np.allclose(ours[..., 1], ndimage.sobel(picture, axis=1) / 8)
    assert np.allclose(estimate_laplacian(from_array(picture)).values[..., 0], ndimage.laplace(picture))


def test_channels_are_kept_apart():
    colors = np.stack([Y, X, Y + X], -1)
    slope = estimate_gradient(from_array(colors, channel_axis=-1, step=(HY, HX)), "central").values
    assert slope.shape == (30, 50, 6)
    assert np.allclose(slope[INNER], [1, 0, 0, 1, 1, 1])


def test_line_integrals_equal_the_differences():
    values = np.sin(Y) + np.cos(2 * X)
    integrals = line_integrals(estimate_gradient(signal(values), "fourth"), 2)
    for axis in (0, 1):
        inner = np.moveaxis(values, axis, 0)[5:-5]
        found = np.moveaxis(integrals[axis].samples[..., 0], axis, 0)[5:-5]
        assert np.abs((found - found[:1]) - (inner - inner[:1])).max() < 0.03 * np.ptp(values)


def test_an_unknown_stencil_is_refused():
    with pytest.raises(InputError, match="choose from sobel"):
        estimate_gradient(signal(Y), "magic")
    with pytest.raises(InputError, match="choose from cross"):
        estimate_laplacian(signal(Y), "magic")
