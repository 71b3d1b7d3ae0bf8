"""Priors over pictures: hypernetworks from a latent code to the weights of a SIREN (Sitzmann et al. 2020, section 4.4).

    encoder: pixels ↦ z,    head: z ↦ θ,    Φ(x; θ)

The generated weights are those of an ordinary field, which can be sampled at any resolution.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from sinefield import serialization
from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.field.field import Field
from sinefield.field.info import FitInfo, from_json
from sinefield.networks import ENCODERS, HEADS, Perceptron, Siren
from sinefield.networks.encoders import on_grid
from sinefield.networks.layers import Affine, Layer, through
from sinefield.signals import Header, Signal

LATENT_WEIGHT = 0.1
"""Weight of the mean square of the entries of the codes in the loss, as in the paper."""

NETWORK_WEIGHT = 100.0 / 198_401
"""Weight of the sum of squares of generated weights in the loss: 100 for the mean over the paper's 198,401 weights."""

CODE_SOURCES = (*ENCODERS, "none", "meta")
"""How codes are obtained: by an encoder, by optimization ("none"), or from a meta-learned initialization ("meta").

With "meta" there are no codes: a network starts from the initialization and is fitted to the pixels.
"""

REFINE_LEARNING_RATE = 0.1
"""Learning rate of Adam for the optimization of a code."""

REFINE_STEPS = 100
"""Steps of Adam to the code of a picture if there is no encoder."""


@dataclass(frozen=True)
class PriorConfig:
    """Sizes and architecture of a prior.

    Attributes:
        size: Pixels along each side of a picture.
        channels: Number of channels, 1 or 3.
        encoder: How codes are obtained, one of `CODE_SOURCES`.
        head: Name of the hypernetwork in `sinefield.networks.HEADS`.
        latent: Dimension of a code.
        width: Units in a hidden layer of the SIREN.
        depth: Hidden layers of the SIREN after the first.
        omega: ω of the first layer of the SIREN.
        features, halvings: Size of the encoder; see `sinefield.networks.ConvolutionalEncoder`.
        hidden: Units in the hidden layers of the head.

    Raises:
        InputError: A size is out of range, or the encoder or the head is unknown.
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
        for value, name, choices in ((self.encoder, "encoder", CODE_SOURCES), (self.head, "head", tuple(HEADS))):
            if value not in choices:
                raise InputError(f"unknown {name} {value!r}; choose from {', '.join(choices)}")
        for name in ("size", "latent", "features", "hidden"):
            if not 1 <= getattr(self, name) <= 16_384:
                raise InputError(f"{name} must be from 1 to 16,384; it is {getattr(self, name)}")
        if self.channels not in (1, 3):
            raise InputError(f"channels must be 1 or 3; it is {self.channels}")


PAPER_SIZES = {
    "head": "full",
    "latent": 256,
    "width": 256,
    "depth": 3,
    "omega": 30.0,
    "features": 256,
    "halvings": 0,
    "hidden": 256,
}
"""Sizes of the paper, for training on a GPU."""


class Prior(nn.Module):
    """A learned distribution over pictures: latent codes, and a map from a code to a network.

    Attributes:
        config: Sizes and architecture.
        info: How the prior was learned, and its error on the held-out pictures.
        start: Meta-learned initialization of the network, if the encoder is "meta"; None otherwise.
        middle: Mean of the codes of the training pictures, shape (latent,).
        spread: Square root of the covariance of these codes, shape (latent, latent).
        noise: σ², the mean squared error of a completed picture of which every pixel was observed.
    """

    middle: Tensor
    spread: Tensor
    noise: Tensor

    def __init__(self, config: PriorConfig, info: FitInfo | None = None, seed: int = 0):
        """Create a prior with random weights.

        Args:
            config: Sizes and architecture.
            info: How the prior was learned.
            seed: Seed of the weights.
        """
        super().__init__()
        self.config, self.info = config, info or FitInfo(task="fit_prior")
        siren = _siren(config, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = ENCODERS[config.encoder](**_encoder_sizes(config)) if config.encoder in ENCODERS else None
            self.head = None if config.encoder == "meta" else HEADS[config.head](siren, config.latent, config.hidden)
        self.start = siren if config.encoder == "meta" else None
        self.codes: nn.Parameter | None = None
        self.register_buffer("middle", torch.zeros(config.latent))
        self.register_buffer("spread", 0.1 * torch.eye(config.latent))
        self.register_buffer("noise", torch.tensor(0.01))

    def layers(self, code: Tensor) -> list[Layer]:
        """Return the layers of the networks of codes (b, latent).

        Raises:
            InputError: The prior is a meta-learned initialization, which has no codes.
        """
        if self.head is None:
            raise InputError("a meta-learned initialization has no codes; use it with sinefield fit --prior")
        layers: list[Layer] = self.head(code)
        return layers

    def forward(self, code: Tensor, x: Tensor) -> Tensor:
        """Return the values (b, n, c) on [-1, 1] of the pictures of some codes.

        Args:
            code: Codes, shape (b, latent).
            x: Coordinates (y, x) on [-1, 1]: shape (n, 2) for all codes, or (b, n, 2) with points for each.
        """
        return through(self.layers(code), x)

    def infer(self, x: Tensor, values: Tensor, refine: int | None = None) -> Tensor:
        """Return the codes (b, latent) of observed pixels.

        The encoder gives a first estimate, z = m without an encoder. Refinement then minimizes

            Σ |Φ(x) - values|² / σ² + |u|²,    z = m + S u

        over u, where m is `middle`, S is `spread` and σ² is `noise`: the most probable code of the distribution.

        Args:
            x: Coordinates (y, x) on [-1, 1], shape (b, n, 2).
            values: Values on [-1, 1], shape (b, n, c).
            refine: Steps of refinement by Adam; 0 by default with an encoder, 100 without.
        """
        code: Tensor = self.middle.expand(len(x), -1) if self.encoder is None else self.encoder(x, values)
        refine = (REFINE_STEPS if self.encoder is None else 0) if refine is None else refine
        if refine == 0:
            return code
        inverse = torch.linalg.pinv(self.spread, rtol=1e-3)
        u = ((code - self.middle) @ inverse.T).detach().requires_grad_()
        adam = torch.optim.Adam([u], lr=REFINE_LEARNING_RATE, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, refine)
        for _ in range(refine):
            with torch.enable_grad():
                # the loss is summed over the pictures, so each row of u gets the gradient of its own picture
                residual: Tensor = self(self.middle + u @ self.spread.T, x) - values
                loss = residual.square().sum() / self.noise + u.square().sum()
            (u.grad,) = torch.autograd.grad(loss, u)
            adam.step()
            schedule.step()
        code = self.middle + u.detach() @ self.spread.T
        return code

    def field(
        self, code: Tensor | None = None, *, siren: Perceptron | None = None, info: FitInfo | None = None
    ) -> Field:
        """Return the field of a code or of a network, in pixels of a picture of `config.size`.

        Args:
            code: A code, shape (latent,).
            siren: A network to use instead of a code. Without both, the field is the meta-learned initialization.
            info: How the field was made.
        """
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
        return Field(siren, header(self.config), info)

    def sample(self, count: int, seed: int = 0) -> Tensor:
        """Return random codes (count, latent) with the mean and the covariance of those of the training pictures."""
        noise = torch.randn(count, self.config.latent, generator=Generator().manual_seed(seed))
        return self.middle + noise.to(self.middle) @ self.spread.T

    def save(self, path: str | Path) -> None:
        """Write the prior to one safetensors file with a JSON header.

        Raises:
            InputError: The file cannot be written.
        """
        entries = {"config": asdict(self.config), "info": asdict(self.info)}
        serialization.write(Path(path), "prior", self.state_dict(), entries)


def load_prior(path: str | Path, *, device: torch.device | str = "cpu") -> Prior:
    """Read a prior that `Prior.save` wrote.

    Args:
        path: Path of the file.
        device: Device of the prior.

    Raises:
        InputError: The file is missing, not a prior, of an unknown version, truncated or altered.
    """
    tensors, entries = serialization.read(Path(path), "prior")
    try:
        config = PriorConfig(**entries["config"])
        with torch.device("meta"):
            expected = {name: tensor.shape for name, tensor in Prior(config).state_dict().items()}
        if expected != {name: tensor.shape for name, tensor in tensors.items()}:
            raise ValueError("its tensors differ")
        prior = Prior(config, from_json({"task": "fit_prior", **entries["info"]}))
        prior.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path} has a header that does not describe a prior ({one_line(error)})") from error
    return prior.requires_grad_(False).to(device)


def header(config: PriorConfig) -> Header:
    """Return the header of the pictures of a prior: 8 bits, with coordinates in pixels."""
    shape = (config.size, config.size)
    channels = ("R", "G", "B") if config.channels == 3 else ()
    domain = from_samples(shape, axes=("y", "x"), units=("px", "px"))
    return Header("image", domain, shape, channels, "uint8", (0.0,) * config.channels, (255.0,) * config.channels)


def pixel_grid(size: int) -> Tensor:
    """Return the centers (size², 2) of the pixels of a square picture on [-1, 1]², as (y, x), row by row."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    return torch.cartesian_prod(axis, axis)


def observe(picture: Signal, seen: NDArray[np.bool_], size: int) -> tuple[Tensor, Tensor]:
    """Average the observed pixels of a square picture over the cells of a grid, which is the input of an encoder.

    Args:
        picture: Square picture of any size.
        seen: Mask of the observed pixels, with the shape of the picture.
        size: Cells along each side of the grid.

    Returns:
        The centers (1, n, 2) on [-1, 1] of the cells that contain an observed pixel, and the mean values (1, n, c) on
        [-1, 1] of the observed pixels in each.

    Raises:
        InputError: No pixel is observed.
    """
    rows, columns = np.nonzero(seen)
    if not len(rows):
        raise InputError("the mask leaves no pixel of the picture; keep at least one pixel")
    coords = torch.from_numpy((np.stack([rows, columns], axis=1) + 0.5) / seen.shape * 2 - 1)
    values = (picture.values[rows, columns] - picture.header.middle) / picture.header.half_range
    cells = on_grid(coords[None], torch.from_numpy(values).float()[None], size)[0].flatten(1).T
    known = cells[:, -1] > 0
    return pixel_grid(size)[known][None], cells[known, :-1][None]


def _siren(config: PriorConfig, seed: int) -> Siren:
    generator = Generator().manual_seed(seed)
    return Siren(2, config.channels, config.width, config.depth, config.omega, generator=generator)


def _encoder_sizes(config: PriorConfig) -> dict[str, int]:
    """Return the arguments of the encoder."""
    sizes = {name: getattr(config, name) for name in ("channels", "size", "latent", "features")}
    return sizes | ({"halvings": config.halvings} if config.encoder == "cnn" else {})
