"""From a latent code to the weights of a network (Ha et al., "HyperNetworks", 2017; Sitzmann et al. 2020).

A head is a function of codes (b, latent) to the layers of b networks at once, with weights (b, out, in) and biases
(b, 1, out), so that the same rules apply to them as to any other weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from sinefield.networks.encoders import relu_network
from sinefield.networks.layers import Affine, Layer
from sinefield.networks.network import Perceptron

SMALL = 1e-2
"""So much of their usual size have a maker's last weights at the beginning: all codes give nearly one network."""


class Head(nn.Module, ABC):
    """Codes (b, latent) ↦ the layers of b networks like a given one.

    Args:
        network: of the kind that is made; where all codes are alike at the beginning, they make this one.
        latent: numbers in a code.
        width: units in the hidden layer between a code and what it makes.
    """

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__()
        self.shapes = [shape[:2] for shape in network.weight_shapes()]
        self.chained = network.chained
        self.biases = nn.ModuleList(_maker(latent, width, bias) for bias in network.biases)

    @abstractmethod
    def weight(self, index: int, code: Tensor) -> Tensor:
        """Of affine layer `index`: (b, out, in)."""

    def forward(self, code: Tensor) -> list[Layer]:
        return self.chained([Affine(self.weight(k, code), bias(code)[:, None]) for k, bias in enumerate(self.biases)])


class FullHead(Head):
    """One ReLU network with one hidden layer for every weight and every bias: the paper's."""

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__(network, latent, width)
        self.weights = nn.ModuleList(_maker(latent, width, weight) for weight in network.weights)

    def weight(self, index: int, code: Tensor) -> Tensor:
        made: Tensor = self.weights[index](code)
        return made.reshape(-1, *self.shapes[index])


class LowRankHead(Head):
    """Wₗ ⊙ (1 + Uₗ(z) Vₗ(z)) with factors of a small rank: for networks too wide for a full head.

    Source: Skorokhodov et al., "Adversarial Generation of Continuous Images" (factorised multiplicative modulation),
    CVPR 2021.
    """

    RANK = 4

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__(network, latent, width)
        self.weights = nn.ParameterList(weight.detach().clone() for weight in network.weights)
        self.factors = nn.ModuleList(relu_network([latent, width, self.RANK * sum(shape)]) for shape in self.shapes)

    def weight(self, index: int, code: Tensor) -> Tensor:
        factors: Tensor = self.factors[index](code)
        left, right = factors.reshape(len(code), self.RANK, -1).split(list(self.shapes[index]), dim=-1)
        made: Tensor = self.weights[index] * (1 + left.transpose(1, 2) @ right)
        return made


class ShiftHead(Head):
    """Wₗ as it is for all codes: the biases alone are made, that is, the phases.

    Source: Dupont et al., "From data to functa", shift modulations, ICML 2022.
    """

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__(network, latent, width)
        self.weights = nn.ParameterList(weight.detach().clone() for weight in network.weights)

    def weight(self, index: int, code: Tensor) -> Tensor:
        weight: Tensor = self.weights[index]
        return weight.expand(len(code), *self.shapes[index])


HEADS: dict[str, type[Head]] = {"full": FullHead, "low-rank": LowRankHead, "shift": ShiftHead}
"""Heads by name."""


def _maker(latent: int, width: int, begin: Tensor) -> nn.Sequential:
    """A network from a code to the entries of a tensor, all near those of `begin` as long as it has learnt nothing."""
    made = relu_network([latent, width, begin.numel()])
    last = made[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        nn.init.kaiming_normal_(last.weight).mul_(SMALL)
        last.bias.copy_(begin.detach().flatten())
    return made
