"""Encoders from an observed picture to a latent code (Sitzmann et al. 2020, section 4.4 and supplement 9).

An encoder maps the positions x (b, n, 2) of some pixels, as (y, x) in [-1, 1], and their values (b, n, c) to codes
(b, latent). The result does not depend on the order of the pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn

from sinefield.errors import InputError


class Encoder(nn.Module, ABC):
    """Base class of the maps from observed pixels to codes."""

    @abstractmethod
    def forward(self, x: Tensor, values: Tensor) -> Tensor:
        """Return codes (b, latent), given positions x (b, n, 2) in [-1, 1] and values (b, n, c) of pixels."""


class ConvolutionalEncoder(Encoder):
    """Encode the picture on a grid, with a mask of the observed cells, by a convolutional network.

    The network consists of convolutions, four residual blocks and a linear readout. With 256 features and no halving it
    is the encoder of the paper, except for a factor of 1/5 in the residual blocks: each feature gives one entry of the
    code, by a weighted sum over the cells whose weights are the same for all features. With halvings, the convolutions
    before the blocks are strided, and the readout is a linear layer of all features in the few cells that remain.

    Args:
        channels: Number of channels of the pictures.
        size: Number of cells along each side of the grid. The values of pixels in the same cell are averaged.
        latent: Dimension of a code; without halvings it must equal `features`.
        features: Number of channels of each convolution but the first, which has half as many.
        halvings: Number of strided convolutions, each of which halves the sides of the grid.

    Raises:
        InputError: If `halvings` is negative, or 0 while `latent` differs from `features`.
    """

    def __init__(self, channels: int, size: int, latent: int, features: int = 256, halvings: int = 0):
        super().__init__()
        if halvings == 0 and latent != features:
            raise InputError(f"without halvings, latent must equal features, {features}; it is {latent}")
        if halvings < 0:
            raise InputError(f"halvings must be 0 or more; it is {halvings}")
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
        for module in self.convolutions.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor, values: Tensor) -> Tensor:
        grid = on_grid(x, values, self.size).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.convolutions(grid).flatten(2)
        per_feature = self.readout.in_features == features.shape[-1]
        code: Tensor = self.readout(features if per_feature else features.flatten(1))
        return code.flatten(1)


class ResidualBlock(nn.Module):
    """Residual block x ↦ relu(x + conv(relu(conv(x))) / 5) of 5 x 5 convolutions, initially close to relu(x)."""

    def __init__(self, features: int):
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(features, features, 5, padding=2), nn.ReLU(), nn.Conv2d(features, features, 5, padding=2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the block, of the same shape (b, features, height, width) as x."""
        return torch.relu(x + 0.2 * self.change(x))


class SetEncoder(Encoder):
    """Apply a ReLU network to the position and value of each pixel, and average its output over the pixels.

    Args:
        channels: Number of channels of the pictures.
        size: Not used, since pixels may lie anywhere; it makes the arguments those of `ConvolutionalEncoder`.
        latent: Dimension of a code.
        features: Number of units in a hidden layer.
        layers: Number of hidden layers after the first.
    """

    def __init__(self, channels: int, size: int, latent: int, features: int = 256, layers: int = 2):
        super().__init__()
        self.each = relu_network([2 + channels, *[features] * (layers + 1), latent])

    def forward(self, x: Tensor, values: Tensor) -> Tensor:
        codes: Tensor = self.each(torch.cat([x.to(values.dtype), values], dim=-1))
        return codes.mean(dim=-2)


def relu_network(sizes: list[int]) -> nn.Sequential:
    """Return linear layers of the given sizes, from input to output, with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def on_grid(x: Tensor, values: Tensor, size: int) -> Tensor:
    """Return pictures on a regular grid, with a mask of the observed cells as the last channel.

    Args:
        x: Positions of pixels in [-1, 1], shape (b, n, 2).
        values: Values of the pixels, shape (b, n, c). Values in the same cell are averaged.
        size: Number of cells along each side of the grid.

    Returns:
        Tensor of shape (b, c + 1, size, size), zero in cells without a pixel.
    """
    b, n, c = values.shape
    cell = ((x + 1) / 2 * size).long().clamp(0, size - 1)
    index = (cell[..., 0] * size + cell[..., 1])[:, None]
    sums = values.new_zeros(b, c + 1, size * size)
    entries = torch.cat([values.transpose(1, 2), values.new_ones(b, 1, n)], dim=1)
    sums.scatter_add_(2, index.expand_as(entries), entries)
    count = sums[:, c:].clamp(min=1)
    means = torch.cat([sums[:, :c] / count, sums[:, c:].clamp(max=1)], dim=1)
    return means.reshape(b, c + 1, size, size)


ENCODERS: dict[str, type[Encoder]] = {"cnn": ConvolutionalEncoder, "set": SetEncoder}
"""Encoders by name."""
