"""Fitting from a meta-learned initialization."""

from __future__ import annotations

import torch
from torch import Tensor

from sinefield.networks import Perceptron, StackedNetworks

INNER, INNER_RATE = 16, 2e-3
"""Steps of Adam from a start to a signal, and their rate."""


def fitted(start: Perceptron, x: Tensor, values: Tensor) -> StackedNetworks:
    """Networks that were fitted from one start to places (b, n, 2) and values (b, n, c) in a few steps of Adam."""
    many = StackedNetworks([start] * len(x)).to(x.device)
    adam = torch.optim.Adam(many.parameters(), lr=INNER_RATE)
    for _ in range(INNER):
        with torch.enable_grad():
            # a sum over the pictures, each of which goes its own way
            error = (many(x) - values).square().mean(dim=(1, 2)).sum()
        adam.zero_grad()
        error.backward()
        adam.step()
    return many
