"""Selection of the device."""

from __future__ import annotations

import torch

from sinefield.errors import InputError


def resolve_device(device: torch.device | str) -> torch.device:
    """Return the device, if this machine and this build of PyTorch have it.

    Raises:
        InputError: The device is not available.
    """
    try:
        probe = torch.zeros(1, device=device)
        probe.item()  # a device without memory, such as meta, fails here
        return probe.device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the device {str(device)!r} is not available here ({reason}); use cpu") from error
