"""A signal as a continuous function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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
from sinefield.field import evaluate
from sinefield.field.evaluate import Points
from sinefield.jets import propagate
from sinefield.networks import NETWORKS, Network, Perceptron
from sinefield.networks.hard_constraint import HardConstraint, described, from_description
from sinefield.networks.layers import Layer, Rescale
from sinefield.networks.on_domain import OnDomain
from sinefield.signals import Crop, Header
from sinefield.signals.signal import check_shape

if TYPE_CHECKING:
    import xarray


class Field(Network):
    """Φ: coordinates in the user's units ↦ values in the user's units, with exact derivatives.

    A field is an `nn.Module`. Coordinate k runs along axis k of the array that was fitted, so a picture's field takes
    (y, x) in pixels. Its parameters are frozen; `field.requires_grad_()` makes them trainable again.

    Attributes:
        function: the network over its domain; its values are on [-1, 1].
        header: shape, domain, units, channels and value range of the signal.
        made: how it was made and what quality was reached.
    """

    middle: Tensor
    half_range: Tensor

    def __init__(
        self,
        network: Perceptron,
        header: Header,
        made: dict[str, Any],
        network_domain: Domain | None = None,
        hard_constraint: HardConstraint | None = None,
    ):
        """`place` is the domain as the network sees it, where its scale is not that of `header.domain`.

        `condition` is one that it satisfies exactly; then its values are the user's own, with a range of [-1, 1].
        """
        super().__init__()
        if (network.in_dim, network.out_dim) != (header.domain.dim, header.out_dim):
            raise InputError(
                f"a network from {network.in_dim} to {network.out_dim} dimensions does not go with "
                f"{header.domain.dim} axes and {header.out_dim} channels"
            )
        if hard_constraint is not None and set(header.range) != {(-1.0, 1.0)}:
            raise InputError("a condition is on values as they are; they go from -1 to 1 then")
        self.function = OnDomain(network, network_domain or header.domain, hard_constraint)
        self.hard_constraint = hard_constraint
        self.network_domain, self.header, self.made = network_domain or header.domain, header, made
        self.register_buffer("middle", torch.from_numpy(header.middle), persistent=False)
        self.register_buffer("half_range", torch.from_numpy(header.half_range), persistent=False)
        self.requires_grad_(False)

    def layers(self) -> list[Layer]:
        # values far from zero beside their range would lose their digits in single precision
        offset = self.middle / self.half_range
        dtype = torch.float64 if bool((offset.abs() > 1000).any()) else self.network.weights[0].dtype
        return [*self.function.layers(), Rescale(-offset, self.half_range, dtype)]

    @property
    def network(self) -> Perceptron:
        return self.function.network

    def forward(self, coords: ArrayLike | Tensor) -> Tensor:
        """Φ at coordinates (…, d): (…, c)."""
        return super().forward(self._points(coords))

    def gradient(self, coords: ArrayLike | Tensor) -> Tensor:
        """∂Φᵢ/∂xⱼ at coordinates (…, d): (…, c, d), per unit of each axis."""
        x = self._points(coords)
        gradient = propagate(self, x.reshape(-1, x.shape[-1]), 1).gradient
        assert gradient is not None
        return gradient.reshape(*x.shape[:-1], *gradient.shape[1:])

    def laplacian(self, coords: ArrayLike | Tensor) -> Tensor:
        """Σⱼ ∂²Φᵢ/∂xⱼ² at coordinates (…, d): (…, c), per squared unit."""
        x = self._points(coords)
        laplacian = propagate(self, x.reshape(-1, x.shape[-1]), 2).laplacian
        assert laplacian is not None
        return laplacian.reshape(*x.shape[:-1], -1)

    def render(
        self,
        size: int | Sequence[int] | None = None,
        *,
        scale: float | None = None,
        crop: Crop | None = None,
        rate: float | None = None,
        quantity: str = "value",
        progress: Callable[[float], None] | None = None,
    ) -> NDArray[Any]:
        """The field as samples, at the signal's own size unless told otherwise.

        Args:
            size, scale, crop, rate: which part, on which grid; see `sinefield.evaluate.window`.
            layer: "value", "gradient", "laplacian", "d" and the name of an axis for the derivative along it, or of the
                levels of one channel "normal" and "curvature"; see `sinefield.evaluate.layer_of`.
            progress: called with the share that is done.

        Returns:
            For the value an array of the kind that was fitted: its type, its range, its channels. Derivatives are
            floats per unit of coordinate: the Laplacian like the value, the gradient with a last axis of length d.

        Raises:
            InputError: an unknown layer, more samples than fit the memory, or what `window` raises.
        """
        domain, shape = evaluate.window(self.header, size, scale, crop, rate)
        check_shape(shape)
        return evaluate.gathered(self.stream(domain, shape, quantity=quantity, progress=progress), shape)

    def to_xarray(
        self,
        size: int | Sequence[int] | None = None,
        *,
        scale: float | None = None,
        crop: Crop | None = None,
        rate: float | None = None,
        quantity: str = "value",
    ) -> xarray.DataArray:
        """What `render` gives, with its axes, coordinates, units and channels; needs xarray.

        Raises:
            InputError: xarray is not installed, or what `render` raises.
        """
        from sinefield.signals.labeled import to_data_array

        domain, shape = evaluate.window(self.header, size, scale, crop, rate)
        samples = self.render(size, scale=scale, crop=crop, rate=rate, quantity=quantity)
        return to_data_array(samples, domain, shape, self.header)

    def stream(
        self,
        domain: Domain,
        shape: Sequence[int],
        *,
        quantity: str = "value",
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[NDArray[Any]]:
        """What `render` gives at the centres of `shape` cells of a domain, in consecutive pieces (n[, c][, d])."""
        return self.sample(evaluate.centers(domain, shape), math.prod(shape), quantity=quantity, progress=progress)

    def sample(
        self,
        points: Points,
        total: int,
        *,
        quantity: str = "value",
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[NDArray[Any]]:
        """The same at any points, by their flat indices."""
        reading, device = evaluate.quantity_of(quantity, self.header.domain), self.middle.device
        finish = self._value if quantity == "value" else self._derivative if reading.scales else self._plain
        return evaluate.sample(self.function, points, total, reading, finish=finish, device=device, progress=progress)

    def at(self, points: ArrayLike, quantity: str = "value") -> NDArray[Any]:
        """What `render` gives, at points (n, d), of which there may be any number: `(n[, c][, d])`.

        Raises:
            InputError: no points, points of another shape, or an unknown layer.
        """
        coords = np.asarray(points, dtype=np.float64)
        if coords.ndim != 2 or coords.shape[1] != self.header.domain.dim or not len(coords):
            raise InputError(f"points have the shape (n, {self.header.domain.dim}); found {coords.shape}")
        return np.concatenate(list(self.sample(lambda index: coords[index], len(coords), quantity=quantity)))

    def save(self, path: str | Path) -> None:
        """Write the field as one safetensors file with a JSON header; it needs nothing else to be used.

        Raises:
            InputError: the file cannot be written there.
        """
        name = next(name for name, kind in NETWORKS.items() if type(self.network) is kind)
        header = {
            "network": name,
            "config": self.network.config(),
            "signal": asdict(self.header),
            "place": asdict(self.network_domain),
            "made": self.made,
        } | ({} if self.hard_constraint is None else {"condition": described(self.hard_constraint)})
        serialization.write(Path(path), "field", self.network.state_dict(), header)

    # from the network's [-1, 1] to the user's units

    def _value(self, values: NDArray[Any]) -> NDArray[Any]:
        return self.header.quantize(values * self.header.half_range + self.header.middle)

    def _derivative(self, values: NDArray[Any]) -> NDArray[Any]:
        half = self.header.half_range.astype(values.dtype)
        return self._plain(values * half.reshape(1, -1, *[1] * (values.ndim - 2)))

    def _plain(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.header.channels else values[:, 0]

    def _points(self, coords: ArrayLike | Tensor) -> Tensor:
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


def load(path: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Field:
    """Read a field that `Field.save` wrote.

    Args:
        device: where to put it.
        dtype: torch.float32 or torch.float64; as it was saved unless given.

    Raises:
        InputError: the file is missing, no field, of an unknown version, cut short or altered.
    """
    tensors, header = serialization.read(Path(path), "field")
    try:
        config, signal = header["config"], header["signal"]
        # before any layer is made: a file of k tensors cannot hold a network of more layers
        if not 0 <= config["depth"] <= len(tensors):
            _refuse(path, "its depth")
        with torch.device("meta"):
            network = NETWORKS[header["network"]](**config)
        expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
        if expected != {name: tensor.shape for name, tensor in tensors.items()}:
            _refuse(path, "its tensors")
        kinds = {tensor.dtype for tensor in tensors.values()}
        if not kinds <= {torch.float32, torch.float64}:
            _refuse(path, "its tensors' type")
        network = NETWORKS[header["network"]](**config, generator=Generator()).to(next(iter(kinds)))
        network.load_state_dict(tensors)
        read = Header(**{**_tuples(signal), "domain": Domain(**_tuples(signal["domain"]))})
        hard_constraint = from_description(header["condition"]) if "condition" in header else None
        field = Field(network, read, dict(header["made"]), Domain(**_tuples(header["place"])), hard_constraint)
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
