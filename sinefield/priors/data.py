"""Image data sets: a folder of pictures as one array, and random pixels of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
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
from sinefield.progress import Progress, ProgressCallback, ignore
from sinefield.signals import scratch
from sinefield.signals.image import from_pixels, gray, read_image, resize
from sinefield.signals.signal import Signal

BATCH = 256
"""Number of pictures that are decoded at a time."""

MAX_SIZE = 16_384
"""Largest height and width of the pictures in a data set, in pixels."""


@dataclass(frozen=True)
class ImageDataset:
    """Square pictures of one size.

    Attributes:
        pixels: Pixels (n, size, size, c) of 8 bits, with c = 1 for gray and c = 3 for RGB; large data sets are
            memory-mapped.
        names: File names of the pictures.
        skipped: Pairs (name, reason) of the files that could not be read.
    """

    pixels: NDArray[np.uint8]
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """Height and width of a picture, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Number of channels: 1 or 3."""
        return int(self.pixels.shape[-1])

    def signal(self, index: int) -> Signal:
        """Return one picture as a signal."""
        return from_pixels(np.asarray(self.pixels[index]), "RGB" if self.channels == 3 else "L", self.names[index])


def read_image_dataset(
    folder: str | Path, size: int, *, grays: bool = False, progress: ProgressCallback = ignore
) -> ImageDataset:
    """Read all pictures in a folder and its subfolders as squares of one size, ordered by path.

    The central square of each picture is resized. Pictures are decoded in batches and stored on disk, memory-mapped. A
    data set in which all pictures are gray has one channel.

    Args:
        folder: Path of the folder. Files without the suffix of a picture are ignored; pictures that cannot be read are
            listed in `ImageDataset.skipped`.
        size: Height and width of the squares, in pixels.
        grays: Convert the pictures to gray.
        progress: Called after each batch of pictures.

    Raises:
        InputError: The folder does not exist, has no pictures, or none can be read; or the size is out of range.
    """
    folder = Path(folder)
    if not 1 <= size <= MAX_SIZE:
        raise InputError(f"pictures have a size from 1 to {MAX_SIZE} pixels; found {size}")
    paths = pictures_in(folder)
    names: list[str] = []
    skipped: list[tuple[str, str]] = []

    def blocks() -> Iterator[NDArray[np.uint8]]:
        remaining = iter(paths)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while batch := list(islice(remaining, BATCH)):
                for path, pixels in zip(
                    batch, pool.map(lambda path: _read_square(path, size, grays), batch), strict=True
                ):
                    name = str(path.relative_to(folder))
                    if isinstance(pixels, str):
                        skipped.append((name, pixels))
                    else:
                        names.append(name)
                        yield pixels[None]
                progress(Progress((len(names) + len(skipped)) / len(paths), f"{len(names)} pictures"))

    try:
        pixels = scratch.spill_to_disk(blocks(), str(folder))
    except InputError as error:
        if names or not skipped:
            raise
        raise InputError(f"none of the {len(paths)} pictures in {folder} can be read: {skipped[0][1]}") from error
    chunks = np.array_split(pixels, len(pixels) // 1024 + 1)
    all_gray = all(bool((chunk[..., :1] == chunk).all()) for chunk in chunks)
    return ImageDataset(pixels[..., :1] if all_gray else pixels, tuple(names), tuple(skipped))


def pictures_in(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders that have the suffix of a picture, ordered by path.

    Raises:
        InputError: The folder does not exist or has no pictures.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of pictures")
    Image.init()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in Image.EXTENSION and path.is_file())
    if not paths:
        raise InputError(f"there are no pictures in {folder}")
    return paths


def pixel_values(dataset: ImageDataset, indices: NDArray[np.int64]) -> Tensor:
    """Return the pixels (n, size², c) of pictures on [-1, 1].

    Args:
        dataset: Pictures.
        indices: Indices (n,) of the pictures to take.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(dataset.pixels[indices])).float()
    return (pixels / 127.5 - 1).flatten(1, 2)


def random_contexts(pictures: int, pixels: int, count: int, seed: tuple[int, ...]) -> Tensor:
    """Draw random pixels of each picture, without replacement.

    Args:
        pictures: Number of pictures.
        pixels: Number of pixels of a picture.
        count: Number of pixels to draw from each picture.
        seed: Seed.

    Returns:
        Flat indices (pictures, count).

    Raises:
        InputError: The count is not between 1 and the number of pixels.
    """
    if not 1 <= count <= pixels:
        raise InputError(f"{count:,} pixels of each picture were requested; choose from 1 to {pixels:,} pixels")
    random = np.random.default_rng(seed).random((pictures, pixels))
    return torch.from_numpy(np.argsort(random, axis=1)[:, :count])


def random_mask(size: int, count: int, seed: int) -> NDArray[np.bool_]:
    """Return a mask (size, size) that is True at `count` random pixels, which are known."""
    mask = np.zeros(size**2, dtype=bool)
    mask[random_contexts(1, size**2, count, (seed,))[0].numpy()] = True
    return mask.reshape(size, size)


def squared(signal: Signal, size: int, channels: int | None = None) -> Signal:
    """Return the central square of a picture, resized and converted to 8 bits without alpha.

    Args:
        signal: Picture in gray or RGB, with or without alpha.
        size: Height and width of the square, in pixels.
        channels: 1 for gray, 3 for RGB (default: as in the picture).

    Raises:
        InputError: The picture has other channels.
    """
    values, names = signal.values, signal.header.channels
    if names not in ((), ("L", "A"), tuple("RGB"), tuple("RGBA")):
        raise InputError(f"{signal.name} has the channels {', '.join(names)}; convert it to RGB first")
    bands = 3 if names[:1] == ("R",) else 1
    center = middle(values, min(values.shape[:2]))[..., :bands]
    if center.dtype != np.uint8:
        low, high = signal.header.low[0], signal.header.high[0]
        center = np.rint(255 * ((center - low) / (high - low))).astype(np.uint8)
    square = from_pixels(center, "L" if bands == 1 else "RGB", signal.name)
    square = gray(square) if channels == 1 else square
    square = square if len(center) == size else resize(square, (size, size))
    if channels != 3 or bands == 3:
        return square
    return from_pixels(np.repeat(square.values, 3, axis=-1), "RGB", signal.name)


def middle(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the central square (side, side, …) of an array (height, width, …)."""
    top, left = ((n - side) // 2 for n in values.shape[:2])
    return values[top : top + side, left : left + side]


def _read_square(path: Path, size: int, grays: bool) -> NDArray[np.uint8] | str:
    """The pixels (size, size, 3) of a picture, or the message of the error."""
    try:
        values = squared(read_image(path), size, 1 if grays else None).values
    except InputError as error:
        return str(error) if str(path) in str(error) else f"{path}: {error}"
    return np.ascontiguousarray(np.broadcast_to(values, (size, size, 3)))
