"""A space of pictures as functions: pixels of one, a code, the weights of a SIREN (Sitzmann et al. 2020, 4.4).

    encoder: pixels ↦ z,    head: z ↦ θ,    Φ(x; θ)

The weights that come out are those of an ordinary field, which is sampled at any resolution.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from sinefield import serialization
from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.field.field import Field
from sinefield.networks import ENCODERS, HEADS, Perceptron, Siren
from sinefield.networks.encoders import on_grid
from sinefield.networks.layers import Affine, Layer, through
from sinefield.signals import Header, Signal

LATENT_WEIGHT, NETWORK_WEIGHT = 0.1, 100.0 / 198_401
"""Of the mean square of a code's entries and of the sum of squares of a network's weights, beside the mean squared
error: the paper's, whose networks have so many weights, and are weighed by their mean."""

WAYS = (*ENCODERS, "none", "meta")
"""To a code: by an encoder, or none: by descent from the middle; or no code, but a start that fits fast."""

RATE, SEARCH = 0.1, 100
"""Of Adam, by which a code is refined, and its steps to one where there is no encoder."""


@dataclass(frozen=True)
class PriorConfig:
    """What a prior is made of.

    Attributes:
        size: pixels along each side of a picture.
        channels: 1 or 3.
        encoder: one of `WAYS`.
        head: one of `sinefield.fields.HEADS`.
        latent: numbers in a code.
        width, depth, omega: of the SIREN, with ω of its first layer.
        features, halvings: of the encoder; see `ConvolutionalEncoder`.
        hidden: units in the hidden layers of the head.
    """

    size: int = 32
    channels: int = 1
    encoder: str = "cnn"
    head: str = "low-rank"
    latent: int = 128
    width: int = 64
    depth: int = 2
    omega: float = 30.0
    features: int = 64
    halvings: int = 3
    hidden: int = 128

    def __post_init__(self) -> None:
        for value, name, choices in ((self.encoder, "encoder", WAYS), (self.head, "head", tuple(HEADS))):
            if value not in choices:
                raise InputError(f"there is no {name} {value!r}; choose from {', '.join(choices)}")
        for name in ("size", "latent", "features", "hidden"):
            if not 1 <= getattr(self, name) <= 16_384:
                raise InputError(f"{name} must be from 1 to 16,384; it is {getattr(self, name)}")
        if self.channels not in (1, 3):
            raise InputError(f"pictures have 1 channel or 3; found {self.channels}")


PAPER = {
    "head": "full",
    "latent": 256,
    "width": 256,
    "depth": 3,
    "omega": 30.0,
    "features": 256,
    "halvings": 0,
    "hidden": 256,
}
"""The sizes of the paper, for a machine with CUDA."""


class Prior(nn.Module):
    """A learned space of pictures.

    Attributes:
        space: what it is made of.
        made: how it was made.
        middle, spread: mean (latent) and a square root of the covariance (latent, latent) of the pictures' codes.
        noise: σ², the mean squared error that is left where all of a picture is seen.
    """

    middle: Tensor
    spread: Tensor
    noise: Tensor

    def __init__(self, config: PriorConfig, made: dict[str, Any] | None = None, seed: int = 0):
        super().__init__()
        self.config, self.made = config, made or {}
        siren = _siren(config, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = ENCODERS[config.encoder](**_sizes(config)) if config.encoder in ENCODERS else None
            self.head = None if config.encoder == "meta" else HEADS[config.head](siren, config.latent, config.hidden)
        self.start = siren if config.encoder == "meta" else None
        self.codes: nn.Parameter | None = None
        self.register_buffer("middle", torch.zeros(config.latent))
        self.register_buffer("spread", 0.1 * torch.eye(config.latent))
        self.register_buffer("noise", torch.tensor(0.01))

    def layers(self, code: Tensor) -> list[Layer]:
        """Of the networks of some codes (b, latent)."""
        if self.head is None:
            raise InputError("a meta-learned start has no codes; start a fit from it")
        layers: list[Layer] = self.head(code)
        return layers

    def forward(self, code: Tensor, x: Tensor) -> Tensor:
        """Values (b, n, c) on [-1, 1] of the pictures of codes (b, latent) at places (n, 2) or (b, n, 2) on [-1, 1]."""
        return through(self.layers(code), x)

    def infer(self, x: Tensor, values: Tensor, refine: int | None = None) -> Tensor:
        """The codes (b, latent) of some pixels.

        Args:
            x: places (b, n, 2), (y, x) on [-1, 1].
            values: (b, n, c) on [-1, 1].
            refine: steps of descent to the likeliest code, from the encoder's; none unless given, 100 without one. With
                z = m + S u, where m and S are the mean and the spread of the codes that were learned, it goes to the
                least Σ |Φ(x) - values|² / σ² + |u|².
        """
        code: Tensor = self.middle.expand(len(x), -1) if self.encoder is None else self.encoder(x, values)
        refine = (SEARCH if self.encoder is None else 0) if refine is None else refine
        if refine == 0:
            return code
        inverse = torch.linalg.pinv(self.spread, rtol=1e-3)
        u = ((code - self.middle) @ inverse.T).detach().requires_grad_()
        adam = torch.optim.Adam([u], lr=RATE, betas=(0.9, 0.99))
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, refine)
        for _ in range(refine):
            with torch.enable_grad():
                # sums over the pictures, each of which goes its own way
                off: Tensor = self(self.middle + u @ self.spread.T, x) - values
                loss = off.square().sum() / self.noise + u.square().sum()
            (u.grad,) = torch.autograd.grad(loss, u)
            adam.step()
            fall.step()
        code = self.middle + u.detach() @ self.spread.T
        return code

    def field(
        self, code: Tensor | None = None, *, siren: Perceptron | None = None, made: dict[str, Any] | None = None
    ) -> Field:
        """The field over a picture's pixels of a code (latent) or of a network, or of the meta-learned start."""
        if siren is None and self.start is not None:
            siren = copy.deepcopy(self.start)
        elif siren is None:
            assert code is not None
            siren = _siren(self.config, 0).to(self.middle.device)
            affine = [layer for layer in self.layers(code[None]) if isinstance(layer, Affine)]
            with torch.no_grad():
                for weight, bias, layer in zip(siren.weights, siren.biases, affine, strict=True):
                    weight.copy_(layer.weight[0])
                    bias.copy_(layer.bias[0, 0])
        return Field(siren, header(self.config), made or {})

    def sample(self, count: int, seed: int = 0) -> Tensor:
        """Codes (count, latent) at random: normal, with the mean and the spread of those that were learned from."""
        noise = torch.randn(count, self.config.latent, generator=Generator().manual_seed(seed))
        return self.middle + noise.to(self.middle) @ self.spread.T

    def save(self, path: str | Path) -> None:
        """Write the prior as one safetensors file with a JSON header.

        Raises:
            InputError: the file cannot be written there.
        """
        serialization.write(Path(path), "prior", self.state_dict(), {"space": asdict(self.config), "made": self.made})


def load_prior(path: str | Path, *, device: torch.device | str = "cpu") -> Prior:
    """Read a prior that `Prior.save` wrote.

    Raises:
        InputError: the file is missing, no prior, of an unknown version, cut short or altered.
    """
    tensors, header = serialization.read(Path(path), "prior")
    try:
        config = PriorConfig(**header["space"])
        with torch.device("meta"):
            expected = {name: tensor.shape for name, tensor in Prior(config).state_dict().items()}
        if expected != {name: tensor.shape for name, tensor in tensors.items()}:
            raise ValueError("its tensors differ")
        prior = Prior(config, dict(header["made"]))
        prior.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path} has a header that does not describe a prior ({one_line(error)})") from error
    return prior.requires_grad_(False).to(device)


def header(config: PriorConfig) -> Header:
    """Of a picture of the space, in pixels and of 8 bits."""
    shape = (config.size, config.size)
    channels = ("R", "G", "B") if config.channels == 3 else ()
    domain = from_samples(shape, axes=("y", "x"), units=("px", "px"))
    return Header("image", domain, shape, channels, "uint8", (0.0,) * config.channels, (255.0,) * config.channels)


def grid(size: int) -> Tensor:
    """The centres (size², 2) of the pixels of a picture on [-1, 1]², row by row."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    return torch.cartesian_prod(axis, axis)


def observed(picture: Signal, seen: NDArray[np.bool_], size: int) -> tuple[Tensor, Tensor]:
    """What a prior sees of a square picture: the cells of its own grid in which there is a pixel that is seen.

    Args:
        picture: square, of any size.
        seen: which of its pixels, of its shape.
        size: of the prior.

    Returns:
        The cells' centres (1, n, 2) on [-1, 1] and the mean of what is seen in each, (1, n, c) on [-1, 1].

    Raises:
        InputError: no pixel is seen.
    """
    rows, columns = np.nonzero(seen)
    if not len(rows):
        raise InputError("none of the picture is seen; keep a pixel or more")
    coords = torch.from_numpy((np.stack([rows, columns], axis=1) + 0.5) / seen.shape * 2 - 1)
    values = (picture.values[rows, columns] - picture.header.middle) / picture.header.half_range
    cells = on_grid(coords[None], torch.from_numpy(values).float()[None], size)[0].flatten(1).T
    known = cells[:, -1] > 0
    return grid(size)[known][None], cells[known, :-1][None]


def _siren(config: PriorConfig, seed: int) -> Siren:
    generator = Generator().manual_seed(seed)
    return Siren(2, config.channels, config.width, config.depth, config.omega, generator=generator)


def _sizes(config: PriorConfig) -> dict[str, int]:
    sizes = {name: getattr(config, name) for name in ("channels", "size", "latent", "features")}
    return sizes | ({"halvings": config.halvings} if config.encoder == "cnn" else {})
