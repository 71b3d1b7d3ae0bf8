"""Image data sets: a folder of pictures as one array, and pixels drawn from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sinefield.errors import InputError
from sinefield.signals import scratch
from sinefield.signals.image import from_pixels, gray, read_image, resized
from sinefield.signals.signal import Signal


def contexts(pictures: int, pixels: int, count: int, seed: tuple[int, ...]) -> Tensor:
    """So many different pixels of each picture, drawn at random: flat indices (pictures, count)."""
    if not 1 <= count <= pixels:
        raise InputError(f"from 1 to {pixels:,} pixels of such a picture are seen; not {count:,}")
    random = np.random.default_rng(seed).random((pictures, pixels))
    return torch.from_numpy(np.argsort(random, axis=1)[:, :count])


def random_mask(size: int, count: int, seed: int) -> NDArray[np.bool_]:
    """A mask (size, size) with so many random pixels that are seen."""
    mask = np.zeros(size**2, dtype=bool)
    mask[contexts(1, size**2, count, (seed,))[0].numpy()] = True
    return mask.reshape(size, size)


def values_of(dataset: ImageDataset, indices: NDArray[np.int64]) -> Tensor:
    """The pixels (n, size², c) of some pictures on [-1, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(dataset.pixels[indices])).float()
    return (pixels / 127.5 - 1).flatten(1, 2)


AT_ONCE = 256
"""Pictures that are decoded at a time."""


MOST = 16_384
"""Pixels along a side of a picture in an album, which is there for many small ones."""


@dataclass(frozen=True)
class ImageDataset:
    """Pictures of one size.

    Attributes:
        pixels: 8 bits (n, size, size, c), c = 1 for greys and 3 for colours; on disk if they are many.
        names: of the files.
        skipped: (name, reason) of the files that could not be read.
    """

    pixels: NDArray[np.uint8]
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[-1])

    def signal(self, index: int) -> Signal:
        return from_pixels(np.asarray(self.pixels[index]), "RGB" if self.channels == 3 else "L", self.names[index])


def read_image_dataset(
    folder: str | Path, size: int, *, grays: bool = False, progress: Callable[[float, str], None] | None = None
) -> ImageDataset:
    """The pictures in a folder and the folders in it, in the order of their names, as squares of one size.

    Each is cut to the square in its middle and resized; one that cannot be read is named in `skipped`. They are
    decoded one after another, and stay on disk. An album of greys has one channel.

    Args:
        folder: of files that `read_image` reads; others are passed over.
        size: pixels along each side.
        greys: make colours grey.
        progress: called with the share that is done and how many were read.

    Raises:
        InputError: no folder, no pictures in it, or none that can be read.
    """
    folder = Path(folder)
    if not 1 <= size <= MOST:
        raise InputError(f"pictures have a size from 1 to {MOST} pixels; found {size}")
    paths = pictures_in(folder)
    names: list[str] = []
    skipped: list[tuple[str, str]] = []

    def blocks() -> Iterator[NDArray[np.uint8]]:
        waiting = iter(paths)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while some := list(islice(waiting, AT_ONCE)):
                for path, found in zip(some, pool.map(lambda path: _square(path, size, grays), some), strict=True):
                    name = str(path.relative_to(folder))
                    if isinstance(found, str):
                        skipped.append((name, found))
                    else:
                        names.append(name)
                        yield found[None]
                if progress is not None:
                    progress((len(names) + len(skipped)) / len(paths), f"{len(names)} pictures")

    try:
        pixels = scratch.spill_to_disk(blocks(), str(folder))
    except InputError as error:
        if names or not skipped:
            raise
        raise InputError(f"none of the {len(paths)} pictures in {folder} can be read: {skipped[0][1]}") from error
    same = all(bool((part[..., :1] == part).all()) for part in np.array_split(pixels, len(pixels) // 1024 + 1))
    return ImageDataset(pixels[..., :1] if same else pixels, tuple(names), tuple(skipped))


def pictures_in(folder: Path) -> list[Path]:
    """The files in a folder and the folders in it whose suffix is one of a picture, in the order of their names.

    Raises:
        InputError: no folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of pictures")
    Image.init()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in Image.EXTENSION and path.is_file())
    if not paths:
        raise InputError(f"there are no pictures in {folder}")
    return paths


def squared(signal: Signal, size: int, channels: int | None = None) -> Signal:
    """The square in the middle of a picture at another size, of 8 bits and without alpha.

    Args:
        size: pixels along each side.
        channels: 1 for grey, 3 for colours; as the picture has them unless given.

    Raises:
        InputError: a picture of other channels than grey or RGB.
    """
    values, names = signal.values, signal.header.channels
    if names not in ((), ("L", "A"), tuple("RGB"), tuple("RGBA")):
        raise InputError(f"{signal.name} has the channels {', '.join(names)}; convert it to RGB first")
    bands = 3 if names[:1] == ("R",) else 1
    cut = middle(values, min(values.shape[:2]))[..., :bands]
    if cut.dtype != np.uint8:
        low, high = signal.header.low[0], signal.header.high[0]
        cut = np.rint(255 * ((cut - low) / (high - low))).astype(np.uint8)
    square = from_pixels(cut, "L" if bands == 1 else "RGB", signal.name)
    square = gray(square) if channels == 1 else square
    square = square if len(cut) == size else resized(square, (size, size))
    if channels != 3 or bands == 3:
        return square
    return from_pixels(np.repeat(square.values, 3, axis=-1), "RGB", signal.name)


def middle(values: NDArray[Any], side: int) -> NDArray[Any]:
    """The square in the middle of rows and columns."""
    top, left = ((n - side) // 2 for n in values.shape[:2])
    return values[top : top + side, left : left + side]


def _square(path: Path, size: int, grays: bool) -> NDArray[np.uint8] | str:
    """Three channels of a picture, or why there are none."""
    try:
        values = squared(read_image(path), size, 1 if grays else None).values
    except InputError as error:
        return str(error) if str(path) in str(error) else f"{path}: {error}"
    return np.ascontiguousarray(np.broadcast_to(values, (size, size, 3)))
