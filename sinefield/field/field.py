"""A signal as a continuous function."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor

from sinefield import serialization
from sinefield.domain import Domain
from sinefield.errors import InputError, one_line
from sinefield.field.evaluate import Points, assemble, cell_centers, evaluate_points, find_quantity, window
from sinefield.field.info import FitInfo, from_json
from sinefield.jets import propagate
from sinefield.networks import ACTIVATIONS, Network, OnDomain, Perceptron
from sinefield.networks.hard_constraint import HardConstraint, describe, from_description
from sinefield.networks.layers import Layer, Rescale
from sinefield.progress import ProgressCallback
from sinefield.signals import Crop, Header
from sinefield.signals.signal import check_shape

if TYPE_CHECKING:
    import xarray

LARGE_OFFSET = 1000
"""Ratio of the middle to half the range of the values above which values are computed in float64."""


class Field(Network):
    """Φ: coordinates in the user's units ↦ values in the user's units, with exact derivatives.

    A field is an `nn.Module`. Coordinate k runs along axis k of the array that was fitted, so the field of a picture
    takes (y, x) in pixels. Its parameters are frozen; `field.requires_grad_()` makes them trainable again.

    Calling a field, `at`, `gradient` and `laplacian` follow one convention: coordinates of shape (…, d) give values of
    shape (…, c), gradients of shape (…, c, d) and Laplacians of shape (…, c), in the user's units; a tensor gives a
    tensor that can be differentiated, anything else an array.

    Attributes:
        function: The network over its domain, with values on [-1, 1].
        header: Shape, domain, units, channels and range of values of the signal.
        info: How the field was made, and the quality that was reached.
    """

    middle: Tensor
    half_range: Tensor

    def __init__(
        self,
        network: Perceptron,
        header: Header,
        info: FitInfo | None = None,
        network_domain: Domain | None = None,
        hard_constraint: HardConstraint | None = None,
    ):
        """Create a field.

        Args:
            network: Network from [-1, 1]ᵈ to values on [-1, 1].
            header: Header of the signal.
            info: How the field was made.
            network_domain: Domain that is mapped to [-1, 1]ᵈ, where its scale is not that of `header.domain`.
            hard_constraint: A constraint that the field satisfies exactly; its values are then the user's own, with a
                range of [-1, 1].

        Raises:
            InputError: The network or the hard constraint does not fit the header.
        """
        super().__init__()
        if (network.in_dim, network.out_dim) != (header.domain.dim, header.out_dim):
            raise InputError(
                f"a network from {network.in_dim} to {network.out_dim} dimensions does not go with "
                f"{header.domain.dim} axes and {header.out_dim} channels"
            )
        if hard_constraint is not None and set(header.range) != {(-1.0, 1.0)}:
            raise InputError("a hard constraint needs values without a scale; the range must be from -1 to 1")
        self.network_domain, self.header = network_domain or header.domain, header
        self.function = OnDomain(network, self.network_domain, hard_constraint)
        self.hard_constraint, self.info = hard_constraint, info or FitInfo()
        self.register_buffer("middle", torch.from_numpy(header.middle), persistent=False)
        self.register_buffer("half_range", torch.from_numpy(header.half_range), persistent=False)
        self.requires_grad_(False)

    def layers(self) -> list[Layer]:
        # values far from zero compared with their range would lose their digits in single precision
        dtype = torch.float64 if self._is_far() else self.network.weights[0].dtype
        return [*self.function.layers(), Rescale(-self.middle / self.half_range, self.half_range, dtype)]

    @property
    def network(self) -> Perceptron:
        """The network from [-1, 1]ᵈ to values on [-1, 1]."""
        return self.function.network

    def forward(self, coords: ArrayLike | Tensor) -> Any:
        """Return the values (…, c) at coordinates (…, d)."""
        if isinstance(coords, Tensor):
            return super().forward(self._checked(coords))
        return self.at(coords)

    def gradient(self, coords: ArrayLike | Tensor) -> Any:
        """Return ∂Φᵢ/∂xⱼ, shape (…, c, d), per unit of each axis, at coordinates (…, d)."""
        return self._jet_part(coords, "gradient", 1)

    def laplacian(self, coords: ArrayLike | Tensor) -> Any:
        """Return Σⱼ ∂²Φᵢ/∂xⱼ², shape (…, c), per squared unit, at coordinates (…, d)."""
        return self._jet_part(coords, "laplacian", 2)

    def at(self, coords: ArrayLike | Tensor, quantity: str = "value") -> Any:
        """Return a quantity at any number of coordinates (…, d), in chunks of bounded memory and without a graph.

        Args:
            coords: Coordinates, shape (…, d), in the user's units.
            quantity: As for `sinefield.field.evaluate.find_quantity`.

        Returns:
            Shape (…, c), with a last axis of length d for the gradient and the normal. Integer signals give the
            unrounded values.

        Raises:
            InputError: Coordinates of another shape, or an unknown quantity.
        """
        x = self._checked(coords).detach().cpu().numpy().astype(np.float64, copy=False)
        flat = x.reshape(-1, x.shape[-1])
        if len(flat):
            chunks = self.sample(lambda index: flat[index], len(flat), quantity=quantity, raw=True)
            result = np.concatenate(list(chunks))
        else:
            result = np.empty((0, *self._result_shape(quantity)), np.float32)
        result = result.reshape(*x.shape[:-1], *result.shape[1:])
        return torch.from_numpy(result).to(self.middle.device) if isinstance(coords, Tensor) else result

    def render(
        self,
        size: int | Sequence[int] | None = None,
        *,
        scale: float | None = None,
        crop: Crop | None = None,
        rate: float | None = None,
        quantity: str = "value",
        progress: ProgressCallback | None = None,
    ) -> NDArray[Any]:
        """Return samples of the field on a grid, that of the signal by default.

        Args:
            size, scale, crop, rate: The part and the grid, as for `sinefield.field.evaluate.window`.
            quantity: As for `sinefield.field.evaluate.find_quantity`.
            progress: Called after each chunk.

        Returns:
            For the value an array like the signal: its type, its range, its channels. Derivatives are floats per unit
            of coordinate: the Laplacian has the shape of the value, the gradient one more axis of length d.

        Raises:
            InputError: An unknown quantity, more samples than fit in memory, or what `window` raises.
        """
        domain, shape = window(self.header, size, scale, crop, rate)
        check_shape(shape)
        return assemble(self.stream(domain, shape, quantity=quantity, progress=progress), shape)

    def to_xarray(
        self,
        size: int | Sequence[int] | None = None,
        *,
        scale: float | None = None,
        crop: Crop | None = None,
        rate: float | None = None,
        quantity: str = "value",
    ) -> xarray.DataArray:
        """Return what `render` returns, with axes, coordinates, units and channels; needs xarray.

        Raises:
            InputError: xarray is not installed, or what `render` raises.
        """
        from sinefield.signals.labeled import to_data_array

        domain, shape = window(self.header, size, scale, crop, rate)
        samples = self.render(size, scale=scale, crop=crop, rate=rate, quantity=quantity)
        return to_data_array(samples, domain, shape, self.header)

    def stream(
        self,
        domain: Domain,
        shape: Sequence[int],
        *,
        quantity: str = "value",
        progress: ProgressCallback | None = None,
    ) -> Iterator[NDArray[Any]]:
        """Yield what `render` returns at the centers of `shape` cells of a domain, in chunks (n[, c][, d])."""
        return self.sample(cell_centers(domain, shape), math.prod(shape), quantity=quantity, progress=progress)

    def sample(
        self,
        points: Points,
        total: int,
        *,
        quantity: str = "value",
        raw: bool = False,
        progress: ProgressCallback | None = None,
    ) -> Iterator[NDArray[Any]]:
        """Yield a quantity at any points, given by their indices, in consecutive chunks.

        Args:
            points: Coordinates of the points with given indices.
            total: Number of points.
            quantity: As for `sinefield.field.evaluate.find_quantity`.
            raw: Whether values stay floats with a channel axis, instead of getting the type and shape of the signal.
            progress: Called after each chunk.
        """
        found, header = find_quantity(quantity, self.header.domain), self.header
        exact = np.float64 if self._is_far() else None

        def finish(values: NDArray[Any]) -> NDArray[Any]:
            if quantity == "value" and not raw:
                return header.quantize(values * header.half_range + header.middle)
            dtype = exact if exact is not None and raw else values.dtype
            half_range = header.half_range.astype(dtype)
            if quantity == "value":  # as the last layer does it, so that arrays and tensors give the same numbers
                offset = (header.middle / header.half_range).astype(dtype)
                return np.asarray((values.astype(dtype) + offset) * half_range)
            if found.per_value:
                values = values.astype(dtype) * half_range.reshape(1, -1, *[1] * (values.ndim - 2))
            return values if raw or header.channels else values[:, 0]

        device = self.middle.device
        return evaluate_points(self.function, points, total, found, finish=finish, device=device, progress=progress)

    def save(self, path: str | Path) -> None:
        """Write the field to one safetensors file with a JSON header, which is all that is needed to use it.

        Raises:
            InputError: The file cannot be written.
        """
        header = {
            "activation": self.network.name,
            "network": self.network.config(),
            "signal": asdict(self.header),
            "network_domain": asdict(self.network_domain),
            "info": asdict(self.info),
        }
        if self.hard_constraint is not None:
            header["hard_constraint"] = describe(self.hard_constraint)
        serialization.write(Path(path), "field", self.network.state_dict(), header)

    def __repr__(self) -> str:
        """Axes, units, channels, network and quality, in a few lines."""
        header, domain, quality = self.header, self.header.domain, self.info.quality
        figures = [f", {form.format(quality[name])}" for name, form in _FIGURES if quality.get(name) is not None]
        figure = figures[0] if figures else ""
        axes = zip(domain.axes, domain.lower, domain.upper, domain.units, header.shape, strict=True)
        parts = [f"{name} from {low:g} to {high:g} {unit}".rstrip() + f" ({n})" for name, low, high, unit, n in axes]
        names = ", ".join(header.channels) or "value"
        low, high = min(header.low), max(header.high)
        options = ", ".join(f"{name}={value}" for name, value in self.network.config().items())
        parameters = sum(p.numel() for p in self.network.parameters())
        return (
            f"Field({self.info.source or 'unnamed'}, {header.kind}{figure}\n"
            f"  axes: {', '.join(parts)}\n"
            f"  channels: {names}, from {low:g} to {high:g} ({header.dtype})\n"
            f"  network: {type(self.network).__name__}({options}), {parameters:,} parameters\n)"
        )

    def _is_far(self) -> bool:
        """Whether the values are far from zero compared with their range."""
        return bool((np.abs(self.header.middle) > LARGE_OFFSET * self.header.half_range).any())

    def _jet_part(self, coords: ArrayLike | Tensor, part: str, order: int) -> Any:
        if not isinstance(coords, Tensor):
            return self.at(coords, part)
        x = self._checked(coords)
        if x.numel() == 0:
            return torch.from_numpy(self.at(x.detach().cpu().numpy(), part)).to(x.device)
        jet = propagate(self, x.reshape(-1, x.shape[-1]), order)
        found: Tensor = getattr(jet, part)
        return found.reshape(*x.shape[:-1], *found.shape[1:])

    def _result_shape(self, quantity: str) -> tuple[int, ...]:
        find_quantity(quantity, self.header.domain)
        return (self.header.out_dim, *([self.header.domain.dim] if quantity in ("gradient", "normal") else []))

    def _checked(self, coords: ArrayLike | Tensor) -> Tensor:
        """Return coordinates as floating-point numbers on the device of the field."""
        if not isinstance(coords, Tensor):
            coords = torch.from_numpy(np.array(coords, dtype=np.float64))
        x = coords.to(self.middle.device)
        x = x if x.is_floating_point() else x.to(torch.float64)
        if x.ndim == 0 or x.shape[-1] != self.header.domain.dim:
            raise InputError(
                f"coordinates have the shape (…, {self.header.domain.dim}), in the order "
                f"({', '.join(self.header.domain.axes)}); found {tuple(x.shape)}"
            )
        return x


_FIGURES = (
    ("psnr_db", "{:.1f} dB"),
    ("relative_l2", "{:.2%} relative error"),
    ("chamfer", "{:.2%} Chamfer distance"),
)
"""Figures of quality that `repr` shows, the first that is known."""


def load(path: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Field:
    """Read a field that `Field.save` wrote.

    Args:
        path: Path of the file.
        device: Device of the field.
        dtype: torch.float32 or torch.float64; the type in the file by default.

    Raises:
        InputError: The file is missing, not a field, of an unknown version, truncated or altered.
    """
    tensors, header = serialization.read(Path(path), "field")
    try:
        config, signal, kind = header["network"], header["signal"], ACTIVATIONS[header["activation"]]
        # checked before any layer is created: a file of k tensors cannot hold a network of more layers
        if not 0 <= config["depth"] <= len(tensors):
            _refuse(path, "its depth")
        with torch.device("meta"):
            network = kind(**config)
        expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
        if expected != {name: tensor.shape for name, tensor in tensors.items()}:
            _refuse(path, "its tensors")
        dtypes = {tensor.dtype for tensor in tensors.values()}
        if not dtypes <= {torch.float32, torch.float64}:
            _refuse(path, "the type of its tensors")
        network = kind(**config, generator=Generator()).to(next(iter(dtypes)))
        network.load_state_dict(tensors)
        read = Header(**{**_tuples(signal), "domain": Domain(**_tuples(signal["domain"]))})
        constraint = from_description(header["hard_constraint"]) if "hard_constraint" in header else None
        field = Field(network, read, from_json(header["info"]), Domain(**_tuples(header["network_domain"])), constraint)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{path} has a header that does not describe a field ({type(error).__name__}: {one_line(error)})"
        ) from error
    field.network.to(dtype=dtype)
    return field.to(device)


def _refuse(path: str | Path, what: str) -> NoReturn:
    raise InputError(f"{path} has a header that does not describe a field: {what} and the tensors in it differ")


def _tuples(entries: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entries.items()}
