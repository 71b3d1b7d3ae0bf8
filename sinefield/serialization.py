"""Tensors and a JSON header in one safetensors file. No pickle: a file from a stranger can do no harm.

The header is the metadata entry "sinefield"; with it goes a digest over everything, so that a file that was cut or
altered is refused rather than believed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sinefield.errors import InputError, one_line
from sinefield.files import atomic, check_input

FORMAT = 1
"""The version of the format, raised when an older reader would misread a file."""


def write(path: Path, kind: str, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and header, whole or not at all.

    Args:
        kind: what the file holds, such as "field".
    """
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(finite({"format": FORMAT, "kind": kind, **header}), allow_nan=False, sort_keys=True)
    data = save(held, {"sinefield": text, "digest": _digest(text, held)})
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def read(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file that `write` wrote.

    Raises:
        InputError: the file is missing, of another kind or version, cut short, or altered.
    """
    check_input(path)
    try:
        # the library checks the header's claims against the file's size before it makes any tensor
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, OverflowError, AttributeError, TypeError, RuntimeError) as error:
        raise InputError(f"{path} is no sinefield file, or is cut short or damaged ({one_line(error)})") from error
    text = metadata.get("sinefield")
    if text is None:
        raise InputError(f"{path} holds tensors, but was not written by sinefield")
    try:
        header = json.loads(text)
        version, found = header["format"], header["kind"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} has a damaged header") from error
    if version != FORMAT:
        raise InputError(f"{path} has format {version!r}, this sinefield reads format {FORMAT}; upgrade sinefield")
    if metadata.get("digest") != _digest(text, tensors):
        raise InputError(f"{path} was altered or damaged: its contents do not match its digest")
    if found != kind:
        raise InputError(f"{path} holds a {found}; a {kind} is needed")
    return tensors, header


def finite(value: Any) -> Any:
    """A value for JSON, which has no word for infinity or NaN: they become null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: finite(each) for name, each in value.items()}
        case list() | tuple():
            return [finite(each) for each in value]
    return value


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
