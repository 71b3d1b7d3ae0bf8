"""Tests that decide how a module is differentiated: by derivative rules of its layers or by nested autograd."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import nn

from sinefield.networks.concat import Concat
from sinefield.networks.layers import Affine, Gabor, Layer, Pointwise, RealPart, Rescale
from sinefield.networks.network import Network

_warned: set[str] = set()


def layers_with_rules(field: nn.Module) -> Sequence[Layer] | None:
    """Return the layers of a network if each has a derivative rule; None for any other module."""
    layers = field.layers() if isinstance(field, Network) and not isinstance(field, Concat) else None
    return layers if layers is not None and all(map(_has_rule, layers)) else None


def warn_autograd(field: nn.Module) -> None:
    """Warn that autograd is used, once per type, at the line that called `propagate` or `taylor`."""
    name = type(field).__name__
    if name not in _warned:
        _warned.add(name)
        warnings.warn(
            f"{name} has layers without a derivative rule; nested autograd is used, which is exact but slower",
            stacklevel=3,
        )


def is_transformed() -> bool:
    """Return whether torch.compile or a torch.func transform is active, which exclude custom autograd functions."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


def _has_rule(layer: Layer) -> bool:
    return isinstance(layer, Affine | Rescale | RealPart | Pointwise | Gabor)
