"""Recipes: their choice by the kind of signal, and the networks and optimizers that they make."""

import numpy as np
import pytest
import torch

import sinefield as sf
from sinefield.errors import InputError
from sinefield.networks import ACTIVATIONS
from sinefield.training.optimizers.natural import Natural
from sinefield.training.optimizers.soap import Soap
from sinefield.training.recipes import DEFAULT, NATURAL, PAPER, build_network, find_recipe
from sinefield.training.spec import NetworkSpec

PICTURE = sf.from_array(np.random.default_rng(0).random((20, 30)))
POINTS = sf.from_points(np.random.default_rng(0).random((50, 2)), np.arange(50.0))


def test_a_signal_gets_the_recipe_of_its_kind():
    assert find_recipe("default", PICTURE) is DEFAULT
    assert find_recipe("default", POINTS) is NATURAL
    assert find_recipe("default", POINTS, "wire") is DEFAULT  # natural gradients need real weights
    assert find_recipe("paper", PICTURE) is PAPER
    sound = sf.from_waveform(np.sin(np.arange(90.0)), 100)
    assert find_recipe("paper", sound).steps == 9001


def test_an_optimizer_replaces_that_of_the_recipe():
    network = sf.Siren(2, 1, width=16)
    assert isinstance(find_recipe("default", PICTURE).make_optimizer(network), Soap)
    assert isinstance(find_recipe("default", PICTURE, optimizer="natural").make_optimizer(network), Natural)
    assert isinstance(find_recipe("default", PICTURE, optimizer="lbfgs").make_optimizer(network), torch.optim.LBFGS)
    adam = find_recipe("default", PICTURE, optimizer="adam")
    assert (adam.steps, adam.optimizer.learning_rate) == (10_000, 1e-4)
    assert find_recipe("default", PICTURE, optimizer="soap").steps == DEFAULT.steps


@pytest.mark.parametrize("optimizer", ["soap", "adam", "natural", "lbfgs"])
def test_each_optimizer_lowers_the_error(optimizer):
    signal = sf.from_array(np.sin(np.arange(60) / 6))
    info = sf.fit(signal, width=24, depth=1, steps=40, optimizer=optimizer).info
    assert info.settings["optimizer"] == optimizer
    assert info.quality["psnr_db"] > {"adam": 8, "soap": 15, "natural": 40, "lbfgs": 40}[optimizer]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_learning_rate_is_that_of_the_activation_at_the_reference_width(activation):
    network = ACTIVATIONS[activation](2, 1, width=64)
    [rest, first] = DEFAULT.make_optimizer(network, scale=0.5).param_groups
    assert rest["lr"] == first["lr"] == pytest.approx(0.5 * network.learning_rate * 2)
    assert sum(len(group["params"]) for group in (rest, first)) == len(list(network.parameters()))


def test_a_network_has_the_sizes_that_are_given_and_else_those_of_the_recipe():
    network = build_network(NetworkSpec(width=10, omega=7.0), PICTURE, DEFAULT, seed=3)
    assert (network.width, network.depth, network.omega_first) == (10, 3, 7.0)
    again = build_network(NetworkSpec(width=10, omega=7.0), PICTURE, DEFAULT, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    assert build_network(NetworkSpec("relu-pe"), PICTURE, DEFAULT).octaves == 4  # 16 cycles: 32 samples, or 30
    assert build_network(NetworkSpec("wire"), PICTURE, DEFAULT).omega_first == 20.0  # its own


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: find_recipe("other", PICTURE), "no recipe 'other'; choose from default, natural, small, paper"),
        (lambda: find_recipe("small", PICTURE, "wire"), "complex weights"),
        (lambda: find_recipe("default", PICTURE, "swish"), "unknown activation 'swish'; choose from sine"),
        (lambda: find_recipe("default", PICTURE, optimizer="sgd"), "no optimizer 'sgd'"),
        (lambda: find_recipe("paper", PICTURE, optimizer="adam"), "fixes the optimizer"),
        (lambda: build_network(NetworkSpec(width=8), PICTURE, PAPER), "fixes width, depth, omega"),
        (lambda: build_network(NetworkSpec("tanh", omega=3.0), PICTURE, DEFAULT), "applies to sine, finer, wire; tanh"),
    ],
)
def test_invalid_options_of_a_recipe_are_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
