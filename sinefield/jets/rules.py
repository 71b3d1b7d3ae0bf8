"""Which way a field goes: by the rules of its layers or by nested autograd, in sweeps or by plain functions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import nn

from sinefield.networks.concat import Concat
from sinefield.networks.layers import Affine, Gabor, Layer, Pointwise, RealPart, Rescale
from sinefield.networks.network import Network

_warned: set[str] = set()


def ruled_layers(field: nn.Module) -> Sequence[Layer] | None:
    """The layers of a network all of whose layers have a rule; None for anything else."""
    layers = field.layers() if isinstance(field, Network) and not isinstance(field, Concat) else None
    return layers if layers is not None and all(map(_has_rule, layers)) else None


def say_once(field: nn.Module) -> None:
    """Warn, once for each type and at the line of whoever asked for the derivatives, that autograd is used."""
    name = type(field).__name__
    if name not in _warned:
        _warned.add(name)
        warnings.warn(
            f"{name} has layers without a derivative rule; nested autograd is used, exact but slower", stacklevel=3
        )


def traced() -> bool:
    """Whether torch.compile or a transform of torch.func is at work: these follow plain functions alone."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


def _has_rule(layer: Layer) -> bool:
    return isinstance(layer, Affine | Rescale | RealPart | Pointwise | Gabor)
