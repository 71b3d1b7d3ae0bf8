"""Fits from a meta-learned initialization."""

from __future__ import annotations

import torch
from torch import Tensor

from sinefield.networks import Perceptron, StackedNetworks

INNER_STEPS = 16
"""Steps of Adam from the initialization to a picture."""

INNER_LEARNING_RATE = 2e-3
"""Learning rate of these steps."""


def fit_from_start(start: Perceptron, x: Tensor, values: Tensor) -> StackedNetworks:
    """Fit one network to each of b pictures by a few steps of Adam from the same weights.

    Args:
        start: Network whose weights are the initialization.
        x: Coordinates on [-1, 1], shape (b, n, 2).
        values: Values on [-1, 1], shape (b, n, c).

    Returns:
        The b fitted networks.
    """
    networks = StackedNetworks([start] * len(x)).to(x.device)
    adam = torch.optim.Adam(networks.parameters(), lr=INNER_LEARNING_RATE)
    for _ in range(INNER_STEPS):
        with torch.enable_grad():
            # the loss is summed over the pictures, so each network gets the gradient of its own picture
            loss = (networks(x) - values).square().mean(dim=(1, 2)).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return networks
