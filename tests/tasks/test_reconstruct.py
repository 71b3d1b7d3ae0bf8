"""Reconstructions from derivatives, compared with the picture and with spectral integration of the same estimate."""

import numpy as np
import pytest
import torch
from scipy import ndimage, sparse
from scipy.sparse.linalg import lsqr, spsolve

import sinefield as sf
from sinefield.constraints.walk_on_spheres import walk_on_spheres
from sinefield.errors import InputError
from sinefield.field.evaluate import evaluate_grid
from sinefield.metrics import psnr
from sinefield.signals import estimate_gradient, gray
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


def test_a_picture_is_reconstructed_from_its_gradient_at_its_own_scale():
    signal = blobs()
    field = sf.reconstruct(signal, width=64, depth=2, omega=15, steps=500)
    assert field.info.quality["gradient_psnr_db"] > 35
    assert field.info.quality["psnr_db"] > 30
    reference = integrated(estimate_gradient(signal).values)
    found = field.render().astype(float)
    difference = (found - found.mean()) - (reference - reference.mean())
    assert np.sqrt(np.square(difference).mean()) < 0.05 * np.ptp(signal.values)
    assert found.mean() == pytest.approx(signal.values.mean(), abs=1.0)


@pytest.mark.slow
def test_a_picture_is_reconstructed_from_its_laplacian():
    field = sf.reconstruct(blobs(), "laplacian", width=64, depth=2, omega=15, steps=800)
    assert field.info.quality["laplacian_psnr_db"] > 25
    assert "gradient_psnr_db" not in field.info.quality


@pytest.mark.slow
def test_color_channels_are_reconstructed_together():
    values = np.concatenate([blobs().values, blobs().values[::-1], 255 - blobs().values], -1)
    field = sf.reconstruct(from_pixels(values, "RGB"), width=64, depth=2, omega=15, steps=300)
    assert field.render().shape == (40, 56, 3)
    assert field.info.quality["gradient_psnr_db"] > 25


def test_invalid_arguments_are_refused():
    with pytest.raises(InputError, match="zero everywhere"):
        sf.reconstruct(blobs(), "laplacian", activation="relu", steps=1)
    with pytest.raises(InputError, match="curl"):
        sf.reconstruct(blobs(), "curl", steps=1)
    with pytest.raises(InputError, match="choose from sobel"):
        sf.reconstruct(blobs(), stencil="magic", steps=1)


def test_gray_is_the_luma_of_pillow():
    from PIL import Image

    colors = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    ours = gray(from_pixels(colors, "RGB")).samples.astype(int)
    assert np.abs(ours - np.asarray(Image.fromarray(colors).convert("L"))).max() <= 1
    with pytest.raises(InputError, match="RGB"):
        gray(from_pixels(np.zeros((3, 3, 4), np.uint8), "CMYK"))


@pytest.mark.parametrize("source", ["gradient", "laplacian"])
def test_the_papers_recipe_takes_the_steps_of_the_official_code(source):
    """The factors 10 and 1e4 on filters of scipy, a picture in [-1, 1], the official loss and Adam, by autograd."""
    signal = from_pixels(blobs(24, 24).values, "L")
    ours = sf.reconstruct(signal, source, recipe="paper", steps=3)
    picture = signal.samples / 127.5 - 1
    if source == "gradient":
        target = np.stack([10 * ndimage.sobel(picture, axis=axis) for axis in (0, 1)], axis=-1).reshape(-1, 2)
    else:
        target = 1e4 * ndimage.laplace(picture).reshape(-1, 1)
    grid = torch.linspace(-1, 1, 24)
    x = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2).requires_grad_()
    siren = sf.Siren(2, 1, generator=torch.Generator().manual_seed(0))
    adam = torch.optim.Adam(siren.parameters(), lr=1e-4)
    for _ in range(3):
        adam.zero_grad()
        derived = torch.autograd.grad(siren(x).sum(), x, create_graph=True)[0]
        if source == "laplacian":
            columns = [torch.autograd.grad(derived[:, k].sum(), x, create_graph=True)[0][:, k] for k in (0, 1)]
            derived = torch.stack(columns).sum(0)[:, None]
        (derived - torch.from_numpy(target).float()).square().sum(-1).mean().backward()
        adam.step()
    factor = (80 if source == "gradient" else 1e4) / 11.5 ** (1 if source == "gradient" else 2)
    for a, b in zip(ours.network.weights, siren.weights, strict=True):
        gain = factor if a is ours.network.weights[-1] else 1
        assert torch.allclose(gain * a, b, rtol=1e-3, atol=2e-6)


def test_the_recipe_of_the_paper_needs_square_pictures():
    with pytest.raises(InputError, match="square"):
        sf.reconstruct(blobs(24, 30), recipe="paper", steps=1)


def test_an_interrupted_reconstruction_is_resumed(tmp_path):
    options = {"width": 16, "depth": 1, "checkpoint": tmp_path}
    whole = sf.reconstruct(blobs(), width=16, depth=1, steps=40)
    sf.reconstruct(blobs(), steps=25, **options)
    cut = sf.reconstruct(blobs(), steps=40, resume=True, **options)
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(InputError, match="from = gradient, not laplacian"):
        sf.reconstruct(blobs(), "laplacian", steps=40, resume=True, **options)


def solved(slopes, held, mask):
    """Least squares of differences between neighbors and their targets, with fixed values outside the mask."""
    index, inside = np.arange(mask.size).reshape(mask.shape), mask.ravel()
    ends = [np.stack([np.delete(index, -1, axis).ravel(), np.delete(index, 0, axis).ravel()]) for axis in (0, 1)]
    (one, other), wanted = np.concatenate(ends, axis=1), np.concatenate([slope.ravel() for slope in slopes])
    counts = inside[one] | inside[other]
    one, other, wanted = one[counts], other[counts], wanted[counts]
    rows, shape = np.arange(len(wanted)), (len(wanted), mask.size)
    matrix = sparse.csc_matrix((np.ones(len(wanted)), (rows, other)), shape)
    matrix -= sparse.csc_matrix((np.ones(len(wanted)), (rows, one)), shape)
    if mask.all():
        free = lsqr(matrix, wanted, atol=1e-10, btol=1e-10, iter_lim=10_000)[0]
        return (free - free.mean() + held.mean()).reshape(mask.shape)
    values, part = held.ravel().astype(float), matrix[:, inside]
    values[inside] = spsolve(part.T @ part, part.T @ (wanted - matrix[:, ~inside] @ values[~inside]))
    return values.reshape(mask.shape)


def stripes(height=40, width=56):
    y, x = np.mgrid[:height, :width]
    return from_pixels((128 + 70 * np.sin(x / 9 + y / 7)).astype(np.uint8)[..., None], "L", "stripes")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.slow
def test_a_blend_is_the_solution_of_its_sparse_poisson_problem(masked):
    one, other = blobs(), stripes()
    y, x = np.mgrid[:40, :56]
    mask = (y - 20) ** 2 + (x - 26) ** 2 < 150 if masked else None
    share = 1.0 if masked else 0.5
    mix = share * one.samples + (1 - share) * other.samples
    slopes = [np.diff(mix, axis=axis) for axis in (0, 1)]
    held = other.samples if masked else mix
    reference = solved(slopes, held, mask if masked else np.ones((40, 56), bool))
    field = sf.blend(one, other, mask=mask, width=64, depth=2, omega=15, steps=600)
    found = evaluate_grid(field.function, field.header.domain, field.header.shape)[..., 0] * 127.5 + 127.5
    for axis in (0, 1):  # the gradients, with their span as the peak
        expected = np.diff(reference, axis=axis)
        error = np.square(np.diff(found, axis=axis) - expected).mean()
        assert psnr(error, np.ptp(expected)) > 25
    assert np.sqrt(np.square(found - reference)[mask if masked else ...].mean()) < 5
    assert np.abs(found - other.samples)[~mask].mean() < 2 if masked else found.mean() == pytest.approx(mix.mean())


def test_a_clone_has_the_values_of_the_target_at_the_border_of_a_rough_mask():
    """The gradient alone leaves an error of 30 gray levels: a smooth error has a small slope."""
    squares = np.kron(np.random.default_rng(0).integers(0, 256, (20, 28)), np.ones((2, 2)))
    y, x = np.mgrid[:40, :56]
    rough, step = [from_pixels(values.astype(np.uint8)[..., None], "L") for values in (squares, 40 + 150 * (x > 26))]
    mask = (y - 20) ** 2 + (x - 26) ** 2 < 600
    reference = solved([np.diff(rough.samples.astype(float), axis=axis) for axis in (0, 1)], step.samples, mask)
    field = sf.blend(rough, step, mask=mask, width=64, depth=2, omega=30, steps=200)
    found = evaluate_grid(field.function, field.header.domain, field.header.shape)[..., 0] * 127.5 + 127.5
    assert np.sqrt(np.square(found - reference)[mask].mean()) < 12


def test_walk_on_spheres_gives_the_mean_of_a_harmonic_function():
    random = np.random.default_rng(0)
    inside = np.zeros((24, 30), bool)
    inside[5:, :20] = True  # up to two edges of the grid, which reflect
    values = np.linspace(0, 1, 24)[:, None] + np.linspace(0, 2, 30) ** 2
    reference = solved([np.diff(0 * values, axis=axis) for axis in (0, 1)], values, inside)
    start = np.flatnonzero(inside)
    leave = walk_on_spheres(inside, (1.0, 1.0))(np.repeat(start, 100), random)
    assert not inside.ravel()[leave].any()
    off = values.ravel()[leave].reshape(-1, 100).mean(axis=1) - reference.ravel()[start]
    assert abs(off.mean()) < 0.02
    assert off.std() < 0.12  # a hundredth of the values' variance, and half a sample at the border


def test_pictures_that_cannot_be_blended_are_refused():
    with pytest.raises(InputError, match=r"56 x 40.*30 x 24"):
        sf.blend(blobs(), blobs(24, 30), steps=1)
    with pytest.raises(InputError, match="from 0 to 1"):
        sf.blend(blobs(), stripes(), share=2.0, steps=1)
    with pytest.raises(InputError, match="same everywhere"):
        sf.blend(blobs(), stripes(), mask=np.ones((40, 56), bool), steps=1)
    with pytest.raises(InputError, match="one size"):
        sf.blend(blobs(), stripes(), mask=np.eye(7, dtype=bool), steps=1)
