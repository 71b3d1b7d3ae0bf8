"""The verb `info`."""

from __future__ import annotations

from sinefield.cli.console import print_result
from sinefield.cli.options import FieldFile, Json, Quiet


def info(field: FieldFile, as_json: Json = False, quiet: Quiet = False) -> None:
    """Say what a field is: architecture, domain, units, how it was made, the quality it reached."""
    from sinefield.field.field import load

    loaded = load(field)
    header, domain = loaded.header, loaded.header.domain
    axes = [
        {"name": name, "from": low + step / 2, "to": high - step / 2, "unit": unit, "samples": n, "step": step}
        for name, low, high, unit, n, step in zip(
            domain.axes, domain.lower, domain.upper, domain.units, header.shape, header.step, strict=True
        )
    ]
    print_result(
        {
            "field": str(field),
            "bytes": field.stat().st_size,
            "network": type(loaded.network).__name__,
            **loaded.network.config(),
            "kind": header.kind,
            "axes": axes,
            "channels": list(header.channels) or ["value"],
            "samples": header.dtype,
            "range": header.range,
            **{name: value for name, value in loaded.made.items() if name != "history"},
        },
        as_json,
        quiet,
    )
