"""The initialization against its own theory: fixed point, arcsine, and the constants of the official code."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import arcsine, kstest

from sinefield.networks import RbfNet, Siren
from sinefield.networks.init import preactivation_std, siren_uniform_
from sinefield.networks.layers import through

WIDTHS = (64, 256, 1024)
DEPTHS = (3, 20)
OMEGA = 30.0


def hidden_layers(width, depth, seed, *, bias=True, shift=0.0):
    """For every hidden layer after the first: (ω W x, ω (W x + b), sin of it), on random points."""
    generator = torch.Generator().manual_seed(seed)
    siren = Siren(2, 1, width=width, depth=depth, generator=generator)
    x = torch.rand(512, 2, generator=generator) * 2 - 1 + shift
    found = []
    with torch.no_grad():
        for index in range(depth + 1):
            affine = siren.affine(index)
            linear = OMEGA * x @ affine.weight.T
            phase = linear + (OMEGA * affine.bias if bias else 0)
            x = torch.sin(phase)
            if index > 0:
                found.append((linear, phase, x))
    return found


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_preactivations_have_the_standard_deviation_of_the_fixed_point(width, depth, bias):
    runs = [hidden_layers(width, depth, seed, bias=bias) for seed in range(max(3, 2048 // width))]
    fixed = preactivation_std(width, OMEGA, bias=bias)
    added = OMEGA**2 / (3 * width) if bias else 0.0
    for index, layer in enumerate(zip(*runs, strict=True)):
        linear = torch.cat([each[0] for each in layer])
        phase = torch.cat([each[1] for each in layer])
        # The first layer's phases are many turns wide, so the layer after it starts at exactly 1. Without a bias that
        # is 12% above the fixed point, and the next layer is the first that is close to it.
        expected = 1.0 if index == 0 and not bias else fixed
        assert linear.std().item() == pytest.approx(expected, rel=0.05), index
        assert phase.std().item() == pytest.approx(math.sqrt(expected**2 + added), rel=0.05), index


def test_the_fixed_point_at_256_is_the_published_one():
    assert preactivation_std(256) == pytest.approx(0.99, abs=0.005)
    assert preactivation_std(256, bias=False) == pytest.approx(0.89, abs=0.005)


@pytest.mark.parametrize("shift", [0.0, 5.0])
@pytest.mark.parametrize("width", WIDTHS)
def test_activations_are_arcsine_distributed_at_every_depth_and_place(width, shift):
    seeds = range(max(2, 512 // width))
    runs = [hidden_layers(width, 20, seed, shift=shift) for seed in seeds]
    for layer in zip(*runs, strict=True):
        values = torch.cat([each[2].flatten() for each in layer]).numpy()
        sample = np.random.default_rng(0).choice(values, 20_000)
        assert kstest(sample, arcsine(loc=-1, scale=2).cdf).statistic < 0.06


def test_nothing_drifts_with_depth():
    runs = [hidden_layers(256, 20, seed) for seed in range(4)]
    spreads = [torch.cat([each[0] for each in layer]).std().item() for layer in zip(*runs, strict=True)]
    slope = np.polyfit(range(len(spreads)), spreads, 1)[0]
    assert abs(slope) * len(spreads) < 0.03


@pytest.mark.parametrize("width", [64, 256])
def test_bounds_are_those_of_the_official_code(width):
    siren = Siren(2, 3, width=width, generator=torch.Generator().manual_seed(0))
    first, *others = siren.weights
    inner = math.sqrt(6 / width) / OMEGA
    assert 0.98 * 0.5 < first.abs().max() <= 0.5
    for weight in others:
        assert 0.95 * inner < weight.abs().max() <= inner
    for weight, bias in zip(siren.weights, siren.biases, strict=True):
        assert bias.abs().max() <= 1 / math.sqrt(weight.shape[1])
    assert siren.biases[1].abs().max() > 0.9 / math.sqrt(width)


def test_weights_are_uniform():
    weight = siren_uniform_(torch.empty(256, 256), omega=30.0, generator=torch.Generator().manual_seed(0))
    bound = math.sqrt(6 / 256) / 30
    assert kstest(weight.flatten().numpy(), "uniform", args=(-bound, 2 * bound)).pvalue > 1e-3


def test_omega_must_be_positive():
    with pytest.raises(ValueError, match="omega"):
        siren_uniform_(torch.empty(4, 4), omega=0.0)


def test_a_seeded_generator_leaves_the_global_one_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, two = (Siren(2, 1, width=8, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize("dim", [1, 3])
def test_radial_basis_functions_begin_with_centres_in_the_domain(dim):
    network = RbfNet(dim, 1, 8, units=50, generator=torch.Generator().manual_seed(0))
    x = torch.rand(40, dim) * 2 - 1
    found = through(network.layers()[:4], x)
    # each is exp(-s² |x - c|²), whose weights of (x + 1)² and (x - 1)² say c
    centers = 1 + 2 * network.weights[0][:, :dim] / network.scale**2
    assert centers.abs().max() <= 1
    assert centers.min() < -0.8
    reference = torch.exp(-(network.scale**2) * (x[:, None] - centers).square().sum(-1))
    assert torch.allclose(found, reference, atol=1e-3)
