"""Hypernetworks: from a latent code to the weights of a network (Ha et al. 2017; Sitzmann et al. 2020, section 4.4).

A head maps codes (b, latent) to the layers of b networks at once, with weights (b, out, in) and biases (b, 1, out).
The derivative rules of the layers apply to these as to any other weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from sinefield.networks.encoders import relu_network
from sinefield.networks.layers import Affine, Layer
from sinefield.networks.network import Perceptron

OUTPUT_SCALE = 1e-2
"""Initial scale of the output weights of a hypernetwork, small so that all codes start near one network."""


class Head(nn.Module, ABC):
    """Base class of the maps from codes (b, latent) to the layers of b networks.

    Args:
        network: Network whose architecture is generated. Its weights are the initial output for all codes.
        latent: Dimension of a code.
        width: Number of units in the hidden layer of each hypernetwork.
    """

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__()
        self.shapes = [shape[:2] for shape in network.weight_shapes()]
        self.chained = network.chained
        self.biases = nn.ModuleList(_tensor_generator(latent, width, bias) for bias in network.biases)

    @abstractmethod
    def weight(self, index: int, code: Tensor) -> Tensor:
        """Return the weight (b, out, in) of affine layer `index`."""

    def forward(self, code: Tensor) -> list[Layer]:
        """Return the layers of the networks that belong to codes (b, latent)."""
        return self.chained([Affine(self.weight(k, code), bias(code)[:, None]) for k, bias in enumerate(self.biases)])


class FullHead(Head):
    """Generate every weight and bias by a ReLU network with one hidden layer for each tensor, as in the paper."""

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__(network, latent, width)
        self.weights = nn.ModuleList(_tensor_generator(latent, width, weight) for weight in network.weights)

    def weight(self, index: int, code: Tensor) -> Tensor:
        weight: Tensor = self.weights[index](code)
        return weight.reshape(-1, *self.shapes[index])


class LowRankHead(Head):
    """Modulate shared weights by low-rank matrices, Wₗ ⊙ (1 + Uₗ(z) Vₗ(z)), for networks too wide for `FullHead`.

    Source: Skorokhodov et al., "Adversarial Generation of Continuous Images", CVPR 2021 (factorized multiplicative
    modulation).
    """

    RANK = 4
    """Rank of the modulation."""

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__(network, latent, width)
        self.weights = nn.ParameterList(weight.detach().clone() for weight in network.weights)
        self.factors = nn.ModuleList(relu_network([latent, width, self.RANK * sum(shape)]) for shape in self.shapes)

    def weight(self, index: int, code: Tensor) -> Tensor:
        factors: Tensor = self.factors[index](code)
        left, right = factors.reshape(len(code), self.RANK, -1).split(list(self.shapes[index]), dim=-1)
        weight: Tensor = self.weights[index] * (1 + left.transpose(1, 2) @ right)
        return weight


class ShiftHead(Head):
    """Share the weights among all codes and generate only the biases, which shift the phases of the sines.

    Source: Dupont et al., "From data to functa", ICML 2022 (shift modulations).
    """

    def __init__(self, network: Perceptron, latent: int, width: int):
        super().__init__(network, latent, width)
        self.weights = nn.ParameterList(weight.detach().clone() for weight in network.weights)

    def weight(self, index: int, code: Tensor) -> Tensor:
        weight: Tensor = self.weights[index]
        return weight.expand(len(code), *self.shapes[index])


HEADS: dict[str, type[Head]] = {"full": FullHead, "low-rank": LowRankHead, "shift": ShiftHead}
"""Heads by name: `full` generates every weight; `low-rank` and `shift` modulate shared weights."""


def _tensor_generator(latent: int, width: int, initial: Tensor) -> nn.Sequential:
    """Return a network from a code to the entries of a tensor, which start near those of `initial` for all codes."""
    generator = relu_network([latent, width, initial.numel()])
    output = generator[-1]
    assert isinstance(output, nn.Linear)
    with torch.no_grad():
        nn.init.kaiming_normal_(output.weight).mul_(OUTPUT_SCALE)
        output.bias.copy_(initial.detach().flatten())
    return generator
