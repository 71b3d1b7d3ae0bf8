"""Fields whose function is a closed form, to test what evaluates fields."""

import torch

from sinefield import Siren
from sinefield.domain import box
from sinefield.field.field import Field
from sinefield.networks import Network
from sinefield.networks.layers import Layer
from sinefield.signals import Header


class FunctionLayer(Layer):
    def __init__(self, function):
        self.function = function

    def __call__(self, x):
        return self.function(x)


class ClosedForm(Network):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def layers(self):
        return [FunctionLayer(self.function)]


def closed_form(function, domain=None, kind="shape", channels=(), cells=32):
    """Return a field with the values of a function (n, d) → (n, c), by default over [-1.5, 1.5]³."""
    domain = domain or box((-1.5,) * 3, (1.5,) * 3, ("x", "y", "z"))
    count = max(len(channels), 1)
    header = Header(kind, domain, (cells,) * domain.dim, channels, "float64", (-1.0,) * count, (1.0,) * count)
    field = Field(Siren(domain.dim, count, width=4, depth=0), header)
    field.function = ClosedForm(function)
    return field


def ball(x, radius=0.8, center=(0.1, -0.2, 0.3)):
    """Signed distance (n, 1) to a ball."""
    return (x - x.new_tensor(center)).norm(dim=-1, keepdim=True) - radius


def torus(x, ring=0.8, tube=0.3):
    """Signed distance (n, 1) to a torus about z."""
    return torch.stack([x[:, :2].norm(dim=-1) - ring, x[:, 2]], dim=-1).norm(dim=-1, keepdim=True) - tube
