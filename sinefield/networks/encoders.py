"""From an observation to a latent code (Sitzmann et al. 2020, section 4.4 and supplement 9).

An encoder is a function of the places x (b, n, 2) of some pixels, (y, x) on [-1, 1], and of their values (b, n, c),
to codes (b, latent). It does not depend on their order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn

from sinefield.errors import InputError


class Encoder(nn.Module, ABC):
    """What is observed of some pictures ↦ their codes (b, latent)."""

    @abstractmethod
    def forward(self, x: Tensor, values: Tensor) -> Tensor: ...


class ConvolutionalEncoder(Encoder):
    """Convolutions of the sparse picture and its mask, four residual blocks of 5 × 5, and a linear readout.

    With 256 features and no halving it is the paper's, but for a factor of 1/5 in the blocks: the code has an entry for
    each feature, a sum over the pixels whose weights all features share. One that halves the grid by strides before the
    blocks has few cells in the end, and a linear layer of all of them.

    Args:
        channels: of the pictures.
        size: cells along each side of the grid that the pixels are put on; those in one cell are averaged.
        latent: numbers in a code; without halving as many as features.
        features: of every convolution but the first, which has half of them.
        halvings: how often the grid is halved before the blocks.

    Raises:
        InputError: sizes that do not go together.
    """

    def __init__(self, channels: int, size: int, latent: int, features: int = 256, halvings: int = 0):
        super().__init__()
        if halvings == 0 and latent != features:
            raise InputError(f"without halving a code has as many numbers as features, {features}; not {latent}")
        if halvings < 0:
            raise InputError(f"the grid is halved some times or not at all; not {halvings} times")
        self.size = size
        strided: list[nn.Module] = []
        for k in range(max(halvings, 1)):
            before = features if k else features // 2
            strided += [nn.ReLU(), nn.Conv2d(before, features, 3, stride=2 if halvings else 1, padding=1)]
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels + 1, features // 2, 3, padding=1),
            *strided,
            *(ResidualBlock(features) for _ in range(4)),
            nn.Conv2d(features, features, 1),
            nn.ReLU(),
        )
        cells = (-(-size // 2**halvings)) ** 2
        self.readout = nn.Linear(cells, 1) if halvings == 0 else nn.Linear(features * cells, latent)
        for each in self.convolutions.modules():
            if isinstance(each, nn.Conv2d):
                nn.init.kaiming_normal_(each.weight)

    def forward(self, x: Tensor, values: Tensor) -> Tensor:
        seen = on_grid(x, values, self.size).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.convolutions(seen).flatten(2)
        each_alone = self.readout.in_features == features.shape[-1]
        code: Tensor = self.readout(features if each_alone else features.flatten(1))
        return code.flatten(1)


class ResidualBlock(nn.Module):
    """x ↦ relu(x + conv relu conv x / 5), with convolutions of 5 × 5; at first a block changes little."""

    def __init__(self, features: int):
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(features, features, 5, padding=2), nn.ReLU(), nn.Conv2d(features, features, 5, padding=2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + 0.2 * self.change(x))


class SetEncoder(Encoder):
    """The mean over all pixels of what a ReLU network makes of each, of its place and its value.

    Args:
        channels, size, latent: as for `ConvolutionalEncoder`; it needs no grid, and its pixels may lie anywhere.
        features, layers: units in a hidden layer, hidden layers after the first.
    """

    def __init__(self, channels: int, size: int, latent: int, features: int = 256, layers: int = 2):
        super().__init__()
        self.each = relu_network([2 + channels, *[features] * (layers + 1), latent])

    def forward(self, x: Tensor, values: Tensor) -> Tensor:
        each: Tensor = self.each(torch.cat([x.to(values.dtype), values], dim=-1))
        return each.mean(dim=-2)


def relu_network(sizes: list[int]) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def on_grid(x: Tensor, values: Tensor, size: int) -> Tensor:
    """Pixels (b, n, c) at places (b, n, 2) on [-1, 1] as pictures and masks (b, c + 1, size, size)."""
    b, _, c = values.shape
    cell = ((x + 1) / 2 * size).long().clamp(0, size - 1)
    index = (cell[..., 0] * size + cell[..., 1])[:, None]
    sums = values.new_zeros(b, c + 1, size * size)
    ones = values.new_ones(b, 1, values.shape[1])
    entries = torch.cat([values.transpose(1, 2), ones], dim=1)
    sums.scatter_add_(2, index.expand_as(entries), entries)
    count = sums[:, c:].clamp(min=1)
    means = torch.cat([sums[:, :c] / count, sums[:, c:].clamp(max=1)], dim=1)
    return means.reshape(b, c + 1, size, size)


ENCODERS: dict[str, type[Encoder]] = {"cnn": ConvolutionalEncoder, "set": SetEncoder}
"""Encoders by name."""
