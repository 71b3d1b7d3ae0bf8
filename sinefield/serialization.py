"""Files: tensors and a JSON header in one safetensors file. There is no pickle, so a file cannot run code.

The header is the metadata entry "sinefield". The metadata entry "digest" covers everything, so that a file that was
truncated or altered is refused. The header can be read, and the digest checked, without PyTorch.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from sinefield.errors import InputError, one_line
from sinefield.files import atomic, check_input

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
"""Version of the header. Files of format 1 are upgraded when they are read."""

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32"}
"""PyTorch's names of the types of tensors in safetensors files."""

Entry = tuple[str, str, tuple[int, ...], bytes | memoryview]
"""Name, PyTorch's name of the type, shape and data of a tensor."""


def write(path: Path, kind: str, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a header; the file is complete or not there.

    Args:
        path: Path of the file.
        kind: What the file holds, such as "field".
        tensors: Tensors by name.
        header: Entries for JSON; infinite numbers become null.
    """
    import torch
    from safetensors.torch import save

    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(finite({"format": FORMAT, "kind": kind, **header}), allow_nan=False, sort_keys=True)
    entries = []
    for name, each in sorted(held.items()):
        data = each.reshape(-1).view(torch.uint8).numpy().data
        entries.append((name, str(each.dtype).removeprefix("torch."), tuple(each.shape), data))
    content = save(held, {"sinefield": text, "digest": _digest(text, entries)})
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def read(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header of a file that `write` wrote.

    Raises:
        InputError: The file is missing, of another kind or of a newer version, truncated, or altered.
    """
    header = read_header(path, kind)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118


def read_header(path: Path, kind: str) -> dict[str, Any]:
    """Return the header of a file that `write` wrote, after its digest was checked; this needs no PyTorch.

    Raises:
        InputError: As for `read`.
    """
    check_input(path)
    try:
        # the library compares the header with the size of the file before any tensor is read
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        text = metadata.get("sinefield")
        digest = None if text is None else _digest(text, _entries(path))
    except (SafetensorError, OSError, ValueError, OverflowError, AttributeError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no sinefield file, or is cut short or damaged ({one_line(error)})") from error
    if text is None:
        raise InputError(f"{path} holds tensors, but was not written by sinefield")
    try:
        header: dict[str, Any] = json.loads(text)
        version, found = header["format"], header["kind"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} has a damaged header") from error
    if version not in (1, FORMAT):
        raise InputError(f"{path} has format {version!r}, this sinefield reads format {FORMAT}; upgrade sinefield")
    if metadata.get("digest") != digest:
        raise InputError(f"{path} was altered or damaged: its contents do not match its digest")
    if found != kind:
        raise InputError(f"{path} holds a {found}; a {kind} is needed")
    try:
        return upgrade(header) if version == 1 else header
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} has a header that does not describe a {kind} ({one_line(error)})") from error


def upgrade(header: dict[str, Any]) -> dict[str, Any]:
    """Return a header of format 1 as one of format 2: the same entries under standard names."""

    def renamed(entries: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in entries.items()}

    new = renamed(header, {"network": "activation", "config": "network", "place": "network_domain", "space": "config"})
    new["format"] = FORMAT
    for domain in (new.get("signal", {}).get("domain"), new.get("network_domain")):
        if domain is not None:
            domain["half_extent"] = domain.pop("half")
    if "made" in new:
        new["info"] = _upgraded_info(new.pop("made"))
    if "condition" in new:
        condition = renamed(new.pop("condition"), {"half": "half_width"})
        kinds = {"walls": "zero_on_box", "apart": "distance_factor", "window": "compact_support"}
        kinds["sources"] = "gaussian_sources"
        new["hard_constraint"] = condition | {"name": kinds[condition["name"]]}
    if header["kind"] == "state":
        names = {"samples' checksum": "checksum", "points' checksum": "checksum", "optimiser": "optimizer"}
        new["identity"] = renamed(new["identity"], {**names, "rate": "learning_rate"})
        new["identity"].setdefault("omega", new["identity"].get("omega_first"))
        new["state"] = renamed(new["state"], {"halved": "halvings", "best_mse": "best_error"})
        for groups in new["groups"].values():
            groups[:] = [renamed(group, {"held": "decay_start", "widest": "max_side"}) for group in groups]
    return new


def _upgraded_info(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry "made" of a header of format 1 as the entry "info"."""
    settings = "recipe activation optimiser seed holdout omega like from stencil share supervise together prior seen"
    settings += " pictures checksum batch pixels rate sources receivers"
    top = "source parameters stopped steps best_step seconds history torch"
    names = {"optimiser": "optimizer", "rate": "learning_rate"}
    names |= {"psnr_unseen_db": "psnr_holdout_db", "mse_held_out": "mse_holdout", "judged_by": "evaluated_samples"}
    info: dict[str, Any] = {name: value for name, value in made.items() if name in top.split()}
    info["settings"] = {names.get(name, name): value for name, value in made.items() if name in settings.split()}
    rest = made.keys() - {*top.split(), *settings.split()}
    return info | {"quality": {names.get(name, name): made[name] for name in sorted(rest)}}


def finite(value: Any) -> Any:
    """Return a value for JSON, which has neither infinity nor NaN: they become null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {name: finite(each) for name, each in value.items()}
        case list() | tuple():
            return [finite(each) for each in value]
    return value


def _entries(path: Path) -> Iterable[Entry]:
    """Yield the tensors of a safetensors file as raw data, sorted by name."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        described = json.loads(file.read(length))
        described.pop("__metadata__", None)
        for name, tensor in sorted(described.items()):
            start, stop = tensor["data_offsets"]
            file.seek(8 + length + start)
            dtype = DTYPES.get(tensor["dtype"], tensor["dtype"])
            yield name, dtype, tuple(tensor["shape"]), file.read(stop - start)


def _digest(text: str, entries: Iterable[Entry]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, dtype, shape, data in entries:
        digest.update(f"{name} torch.{dtype} {shape}".encode())
        digest.update(data)
    return digest.hexdigest()
